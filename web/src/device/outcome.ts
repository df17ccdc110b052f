/** What failures and ends mean for a link. */

import { ProtocolError } from '../protocol/error';
import { type Closed, OtherVersion } from './connection';
import { throwLater } from './listeners';
import { TransportFailure } from './transport';
import type { LinkEnd, LinkProblem } from './types';

/** Why there is no connection: for now, or for good. */
export type Loss = { readonly problem: LinkProblem } | { readonly end: LinkEnd };

/** A link that has no business connecting. */
export class NotToConnect extends Error {
  constructor(readonly end: LinkEnd) {
    super(`there is to be no connection: ${end}`);
  }
}

/** What this browser keeps cannot be read just now. */
export class StoreUnreadable extends Error {}

/** What an attempt that failed with `error` means. */
export function lossOfAttempt(error: unknown): Loss {
  if (error instanceof NotToConnect) return { end: error.end };
  if (error instanceof OtherVersion) return { end: 'version' };
  if (error instanceof StoreUnreadable) return { problem: 'handshake' };
  if (error instanceof TransportFailure) {
    return { problem: error.why === 'invalid' ? 'handshake' : 'unreachable' };
  }
  if (error instanceof ProtocolError) return lossOfHandshake(error);
  // This program's own fault, which is no reason to give up.
  throwLater(error);
  return { problem: 'handshake' };
}

function lossOfHandshake({ failure }: ProtocolError): Loss {
  switch (failure.kind) {
    case 'alert':
      return lossOfAlert(failure.alert);
    case 'refused':
      return failure.refusal === 'not-paired' ? { end: 'not-paired' } : { problem: 'handshake' };
    case 'misbehaved':
      // A daemon's own keys and seals are right: these were changed on the way.
      return failure.how === 'seal' || failure.how === 'key'
        ? { problem: 'tampered' }
        : { problem: 'handshake' };
    case 'tampered':
    case 'record':
    case 'ended':
      return { problem: 'tampered' };
    case 'wrong-code':
    case 'other-key':
      return { problem: 'handshake' };
  }
}

function lossOfAlert(alert: string): Loss {
  switch (alert) {
    case 'version':
      return { end: 'version' };
    case 'wrong-key':
      return { end: 'other-key' };
    case 'malformed':
      return { end: 'protocol' };
    case 'too-many-attempts':
      return { problem: 'too-many' };
    default:
      return { problem: 'handshake' };
  }
}

/** What the end of a connection means. */
export function lossOfConnection(closed: Closed): Loss {
  switch (closed.why) {
    case 'cut':
      return { problem: 'cut' };
    case 'record':
      return { problem: 'tampered' };
    case 'violation':
      return { end: 'protocol' };
    case 'closing':
      switch (closed.reason) {
        case 'revoked':
        case 'expired':
        case 'protocol':
          return { end: closed.reason };
        case 'stopping':
        case 'restarting':
          return { problem: closed.reason };
        default:
          return { problem: 'cut' };
      }
  }
}
