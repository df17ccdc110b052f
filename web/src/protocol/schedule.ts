/**
 * What both handshakes share: the header, the tags, the transcript and key schedule, and the
 * daemon's verdict at their end.
 */
import { type Channel, MAX_RECORD, MIN_RECORD, Opener, Sealer } from './channel';
import { type Alert, misbehaved, ProtocolError, type Refusal, UsageError } from './error';
import {
  AEAD_OVERHEAD,
  ascii,
  concat,
  hash,
  type KemKeyPair,
  type KeyPair,
  kemKeyPair,
  keyed,
  kx,
  kxKeyPair,
  open,
  type Role,
  STREAM_HEADER,
  seal,
  wipe,
} from './sodium';

export const HEADER_CONNECT: Uint8Array = Uint8Array.of(1, 1, 1);
export const HEADER_PAIR: Uint8Array = Uint8Array.of(1, 1, 2);

const TAG_NEXT = 0x00;
const TAG_REFUSAL = 0x01;
const TAG_ALERT = 0xff;

/** The longest handshake message: M4 or P4 with the longest first record. */
export const MAX_MESSAGE = 1 + STREAM_HEADER + MAX_RECORD;
const MIN_ACCEPTED = STREAM_HEADER + MIN_RECORD;
const SEALED_REASON = 1 + AEAD_OVERHEAD;

/** The device's fresh keys for one handshake. */
export interface DeviceEphemeral {
  readonly kx: KeyPair;
  readonly kem: KemKeyPair;
}

/** Fresh random keys; for one handshake. */
export function drawEphemeral(): DeviceEphemeral {
  return { kx: kxKeyPair(), kem: kemKeyPair() };
}

/** Wipes what a handshake needs no more. */
export function wipeEphemeral(ephemeral: DeviceEphemeral): void {
  wipe(ephemeral.kx.secretKey, ephemeral.kem.secretKey);
}

/** A state of a handshake, which the step that leaves it consumes. */
export abstract class Step<T> {
  #held: T | undefined;

  constructor(held: T) {
    this.#held = held;
  }

  /** Ends the handshake here: wipes what it holds. A step that was taken has nothing left. */
  abandon(): void {
    if (this.#held !== undefined) this.discard(this.consume());
  }

  /** Wipes what the state held. */
  protected abstract discard(held: T): void;

  /** What the state holds, once. */
  protected consume(): T {
    const held = this.#held;
    if (held === undefined) throw new UsageError('this step was taken already');
    this.#held = undefined;
    return held;
  }
}

/** The running transcript hash and chaining key. */
export class Schedule {
  #chain: Uint8Array;
  #transcript: Uint8Array;

  constructor(chain: Uint8Array, transcript: Uint8Array) {
    this.#chain = chain.slice();
    this.#transcript = transcript;
  }

  get transcript(): Uint8Array {
    return this.#transcript;
  }

  /** transcript = H(transcript ‖ parts) */
  absorb(...parts: readonly Uint8Array[]): void {
    this.#transcript = hash(this.#transcript, ...parts);
  }

  /** chain = mix(chain, secret); the secret is wiped. */
  mix(secret: Uint8Array): void {
    const next = keyed(this.#chain, 64, secret);
    wipe(this.#chain, secret);
    this.#chain = next;
  }

  /** chain = mix(chain, KX(own, other)), seen from the device unless told otherwise. */
  mixKx(own: KeyPair, other: Uint8Array, role: Role = 'device'): void {
    const shared = kx(role, own, other);
    if (shared === undefined) throw misbehaved('key');
    this.mix(shared);
  }

  /** sub(chain, label, transcript), under an earlier chain where one is given. */
  sub(label: string, chain: Uint8Array = this.#chain): Uint8Array {
    return keyed(chain, 32, ascii(label), this.#transcript);
  }

  /** The chaining key as it is now, for what is sealed under it later. */
  chain(): Uint8Array {
    return this.#chain.slice();
  }

  /** SEAL(sub(chain, label, transcript), transcript, plaintext) */
  seal(label: string, plaintext: Uint8Array): Uint8Array {
    return seal(this.sub(label), this.#transcript, plaintext);
  }

  /** What `seal` sealed at the other end; throws when it does not open. */
  open(label: string, sealed: Uint8Array): Uint8Array {
    const opened = open(this.sub(label), this.#transcript, sealed);
    if (opened === undefined) throw misbehaved('seal');
    return opened;
  }

  /** Wipes the chaining key. */
  wipe(): void {
    wipe(this.#chain);
  }
}

/** A connection that the daemon has accepted, and the plaintext of its first record. */
export interface Accepted {
  readonly channel: Channel;
  /** It must hold the event `welcome`: `readWelcome`. */
  readonly first: Uint8Array;
}

interface Verdict {
  readonly refusalKey: Uint8Array;
  readonly transcript: Uint8Array;
  readonly receive: Uint8Array;
  readonly sealer: Sealer;
}

/** The device has sent its last handshake message and waits for the daemon's verdict. */
export abstract class AwaitVerdict extends Step<Verdict> {
  /** Which refusals the bytes of this handshake mean. */
  protected abstract refusal(byte: number): Refusal | undefined;

  protected override discard({ refusalKey, receive, sealer }: Verdict): void {
    sealer.close();
    wipe(refusalKey, receive);
  }

  protected readVerdict(message: Uint8Array): Accepted {
    const { refusalKey, transcript, receive, sealer } = this.consume();
    try {
      const { tag, body } = daemonMessage(message);
      if (tag === TAG_REFUSAL) throw this.#refused(refusalKey, transcript, body);
      if (body.length < MIN_ACCEPTED || message.length > MAX_MESSAGE) throw misbehaved('length');
      const opener = new Opener(receive, body.subarray(0, STREAM_HEADER));
      return { channel: { sealer, opener }, first: openFirst(opener, body) };
    } catch (error) {
      sealer.close();
      throw error;
    } finally {
      wipe(refusalKey, receive);
    }
  }

  #refused(key: Uint8Array, transcript: Uint8Array, sealed: Uint8Array): ProtocolError {
    if (sealed.length !== SEALED_REASON) return misbehaved('length');
    const reason = open(key, transcript, sealed)?.[0];
    if (reason === undefined) return new ProtocolError({ kind: 'tampered' });
    const refusal = this.refusal(reason);
    return refusal === undefined
      ? misbehaved('tag')
      : new ProtocolError({ kind: 'refused', refusal });
  }
}

function openFirst(opener: Opener, body: Uint8Array): Uint8Array {
  try {
    const { final, plaintext } = opener.open(body.subarray(STREAM_HEADER));
    if (!final) return plaintext;
  } catch {
    throw new ProtocolError({ kind: 'tampered' });
  }
  throw misbehaved('tag');
}

/**
 * The state behind the last message of the device, and this end's secretstream header, which
 * goes behind that message.
 */
export function verdictOf(
  schedule: Schedule,
  refusalKey: Uint8Array,
): { held: Verdict; header: Uint8Array } {
  const send = schedule.sub('d');
  const { sealer, header } = Sealer.begin(send);
  wipe(send);
  const receive = schedule.sub('s');
  return { held: { refusalKey, transcript: schedule.transcript, receive, sealer }, header };
}

/** The body of a daemon's message where only a next step may come, of a fixed length. */
export function nextStep(message: Uint8Array, length: number): Uint8Array {
  const { tag, body } = daemonMessage(message);
  if (tag !== TAG_NEXT) throw misbehaved('tag');
  if (body.length !== length) throw misbehaved('length');
  return body;
}

/** Splits a daemon's handshake message; an alert is thrown as the error that it is. */
function daemonMessage(message: Uint8Array): { tag: number; body: Uint8Array } {
  const [tag, byte] = message;
  if (tag === undefined) throw misbehaved('length');
  if (tag === TAG_ALERT) {
    if (message.length !== 2 || byte === undefined) throw misbehaved('length');
    throw new ProtocolError({ kind: 'alert', alert: ALERTS[byte] ?? 'unknown' });
  }
  if (tag !== TAG_NEXT && tag !== TAG_REFUSAL) throw misbehaved('tag');
  return { tag, body: message.subarray(1) };
}

const ALERTS: Readonly<Record<number, Alert>> = {
  1: 'version',
  2: 'too-many-attempts',
  3: 'no-offer',
  4: 'malformed',
  5: 'wrong-key',
};

/** Splits bytes into parts of these lengths; the caller has checked their sum. */
export function split<const L extends readonly number[]>(
  bytes: Uint8Array,
  ...lengths: L
): { [K in keyof L]: Uint8Array } {
  let at = 0;
  const parts = lengths.map((length) => {
    at += length;
    return bytes.subarray(at - length, at);
  });
  return parts as { [K in keyof L]: Uint8Array };
}

/** The schedule that begins with `chain`, over the hash of `parts`. */
export function transcriptOf(label: string, ...parts: readonly Uint8Array[]): Uint8Array {
  return hash(concat(ascii(label), ...parts));
}
