/**
 * What can go wrong, and who erred.
 *
 * Messages are for developers: what a person reads is worded by the views, from `kind`.
 */

/** How the other side, or something on the way, broke the protocol. */
export type Misbehaviour =
  | 'length' // a message has not the length that it must have
  | 'tag' // a message begins with a tag, or a refusal holds a byte, that has no place here
  | 'key' // a public key or group element is not acceptable
  | 'seal' // a sealed part does not open
  | 'message'; // a record's content is not of the message layer

/** What the daemon says in the clear. Unauthenticated: word it, never act on it. */
export type Alert =
  | 'version'
  | 'too-many-attempts'
  | 'no-offer'
  | 'malformed'
  | 'wrong-key'
  | 'unknown';

/** What the daemon says inside the handshake's encryption: nobody else can have said it. */
export type Refusal = 'not-paired' | 'already-used' | 'expired' | 'declined';

/** Why a handshake or a channel ended. */
export type Failure =
  /** The other side or something on the way broke the protocol: refuse, close. */
  | { readonly kind: 'misbehaved'; readonly how: Misbehaviour }
  /** The two sides do not hold the same pairing code, or someone on the way guessed and missed. */
  | { readonly kind: 'wrong-code' }
  /** By a link: not the daemon that made the QR. */
  | { readonly kind: 'other-key' }
  | { readonly kind: 'alert'; readonly alert: Alert }
  /** `not-paired` is the only thing on which a device may offer to forget a daemon. */
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** The daemon's answer was changed on the way; it says nothing about the pairing. */
  | { readonly kind: 'tampered' }
  /** A record is not what the other end sealed next: close at once, without a word. */
  | { readonly kind: 'record' }
  /** A record came behind the last one: close at once. */
  | { readonly kind: 'ended' };

/** The other side's or the path's fault. Fatal to the state that threw it. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  constructor(readonly failure: Failure) {
    super(describe(failure));
  }
}

/** This program's own fault: a wrong length, or a state that was used twice. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The failure of a misbehaviour, ready to be thrown. */
export function misbehaved(how: Misbehaviour): ProtocolError {
  return new ProtocolError({ kind: 'misbehaved', how });
}

function describe(failure: Failure): string {
  switch (failure.kind) {
    case 'misbehaved':
      return `the other side broke the protocol: ${failure.how}`;
    case 'wrong-code':
      return 'wrong pairing code';
    case 'other-key':
      return 'this is not the daemon that made the link';
    case 'alert':
      return `the daemon answered: ${failure.alert}`;
    case 'refused':
      return `the daemon refused: ${failure.refusal}`;
    case 'tampered':
      return "the daemon's answer was tampered with on the way";
    case 'record':
      return 'a record does not open: it was changed, dropped, repeated or reordered on the way';
    case 'ended':
      return 'a record came behind the last one';
  }
}
