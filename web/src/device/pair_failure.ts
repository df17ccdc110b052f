/** Why a pairing did not come about, in the words of the views. */

import { ProtocolError } from '../protocol/error';
import { OtherVersion } from './connection';
import { TransportFailure } from './transport';
import type { PairFailure, PairProblem } from './types';

export class PairFault extends Error implements PairFailure {
  override readonly name = 'PairFault';

  constructor(
    readonly problem: PairProblem,
    cause?: unknown,
  ) {
    super(`the pairing failed: ${problem}`, { cause });
  }
}

/** What a failure before P3, or of Connect, means. */
export function pairProblem(error: unknown): PairProblem {
  if (error instanceof PairFault) return error.problem;
  if (error instanceof OtherVersion) return 'version';
  if (error instanceof TransportFailure) {
    const foreign = error.why === 'not-codeout' || error.why === 'invalid';
    return foreign ? 'not-codeout' : 'unreachable';
  }
  if (error instanceof ProtocolError) return problemOf(error);
  // What a database throws.
  return error instanceof DOMException ? 'storage' : 'handshake';
}

function problemOf({ failure }: ProtocolError): PairProblem {
  switch (failure.kind) {
    case 'wrong-code':
    case 'other-key':
    case 'tampered':
      return failure.kind;
    case 'record':
    case 'ended':
      return 'tampered';
    case 'misbehaved':
      // A daemon's own keys and seals are right: these were changed on the way.
      if (failure.how === 'key' || failure.how === 'seal') return 'tampered';
      return failure.how === 'message' ? 'handshake' : 'not-codeout';
    case 'alert':
      return ALERTS[failure.alert] ?? 'handshake';
    case 'refused':
      return REFUSALS[failure.refusal];
  }
}

const ALERTS: Partial<Record<string, PairProblem>> = {
  version: 'version',
  'too-many-attempts': 'too-many',
  'no-offer': 'no-offer',
  'wrong-key': 'other-key',
};

const REFUSALS = {
  'already-used': 'used',
  // The daemon has dropped a pairing that was not finished in time.
  'not-paired': 'expired',
  expired: 'expired',
  declined: 'declined',
} as const;

/** Whether the daemon itself said that it does not know this device. */
export function isNotPaired(error: unknown): boolean {
  return (
    error instanceof ProtocolError &&
    error.failure.kind === 'refused' &&
    error.failure.refusal === 'not-paired'
  );
}

/** Whether the same attempt may work a little later. */
export function mayPass(error: unknown): boolean {
  const problem = pairProblem(error);
  return problem === 'unreachable' || problem === 'tampered' || problem === 'too-many';
}
