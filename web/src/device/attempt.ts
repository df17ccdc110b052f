/** One attempt to pair: from P1 to P4, with the record on disk in between. */

import type { Code } from '../protocol/code';
import { ProtocolError } from '../protocol/error';
import type { Credentials } from '../protocol/handshake';
import { WAIT_FOR_P4 } from '../protocol/message';
import { type AwaitP4, type DaemonProved, pair } from '../protocol/pairing';
import { Backoff } from './backoff';
import { Connection } from './connection';
import type { Environment } from './environment';
import type { Fingerprints } from './fingerprint';
import { listen } from './landing';
import { PairFault, pairProblem } from './pair_failure';
import type { DaemonRecord, Store } from './store';
import { ANSWER_TIME, Socket } from './transport';
import type { PairProblem, PairStep } from './types';

/** How long is tried again when the daemon has had too many attempts, in milliseconds. */
const BUSY_PATIENCE = 8_000;
const BUSY_WAIT = 600;
const BUSY_LONGEST = 2_000;
/** A link that breaks sooner than this is tried once more, in milliseconds. */
const CUT_PATIENCE = 3_000;
/** After this time without a verdict the daemon's user is likely being asked, in milliseconds. */
const ASKED_AFTER = 2_000;

/** One wish to pair. */
export interface Wish {
  /** The daemon's address: the page's own. */
  readonly address: string;
  readonly code: Code;
  /** The key that the link carries; absent: a typed code. */
  readonly pinned?: Uint8Array;
  /** What this device proposes to be called. */
  readonly name: string;
  readonly step: (step: PairStep) => void;
  readonly prints: Fingerprints;
}

/**
 * Makes one attempt, up to the daemon's verdict.
 *
 * @returns the pending record, and the connection; none: it is not known whether the daemon
 * accepted.
 * @throws PairFault the daemon refused, and the record is gone; `storage`
 * @throws ProtocolError, TransportFailure before P3: nothing is kept
 */
export async function begin(
  environment: Environment,
  store: Store,
  wish: Wish,
): Promise<{ record: DaemonRecord; connection?: Connection }> {
  const { socket, proved } = await prove(environment, wish);
  let step: { abandon(): void } = proved;
  try {
    // Begun here, so that it is done, or nearly, when the user is to compare it.
    if (!wish.pinned) wish.prints.of(proved.daemonKey).catch(() => {});
    const { state, p3, credentials } = proved.prove(wish.name);
    step = state;
    const record = newRecord(environment, wish, credentials);
    await store.write(record).catch((error) => {
      throw new PairFault('storage', error);
    });
    socket.send(p3);
    const connection = await verdict(environment, wish, socket, state, record);
    if (connection === 'unknown') {
      state.abandon();
      socket.close();
      return { record };
    }
    if (connection instanceof PairFault) {
      await store.remove(record.id);
      throw connection;
    }
    return { record, connection: listen(connection) };
  } catch (error) {
    step.abandon();
    socket.close();
    throw error;
  }
}

/** P1 and P2: the daemon proves the code. */
async function prove(
  environment: Environment,
  wish: Wish,
): Promise<{ socket: Socket; proved: DaemonProved }> {
  const backoff = new Backoff(BUSY_WAIT, BUSY_LONGEST);
  const begun = environment.now();
  for (let tries = 1; ; tries += 1) {
    wish.step('connecting');
    let socket: Socket | undefined;
    let step: { abandon(): void } | undefined;
    try {
      socket = await Socket.open(environment, wish.address);
      const { state, p1 } = pair(wish.code);
      step = state;
      wish.step('proving');
      socket.send(p1);
      const proved = state.readP2(await socket.receive(ANSWER_TIME));
      if (wish.pinned) proved.expectKey(wish.pinned);
      return { socket, proved };
    } catch (error) {
      step?.abandon();
      socket?.close();
      const wait = backoff.next();
      if (!passes(pairProblem(error), tries, environment.now() + wait - begun)) throw error;
      await new Promise<void>((resolve) => environment.after(wait, resolve));
    }
  }
}

/** Whether to try again, when that will be so long after the first try, in milliseconds. */
function passes(problem: PairProblem, tries: number, after: number): boolean {
  if (problem === 'too-many') return after < BUSY_PATIENCE;
  return problem === 'unreachable' && tries === 1 && after < CUT_PATIENCE;
}

function newRecord(
  environment: Environment,
  wish: Wish,
  { daemonKey, device, token }: Credentials,
): DaemonRecord {
  return {
    id: crypto.getRandomValues(new Uint32Array(4)).join('-'),
    address: wish.address,
    // Copies: a database keeps all of the buffer that an array is a part of.
    spk: daemonKey.slice(),
    dpk: device.publicKey.slice(),
    dsk: device.secretKey.slice(),
    token: token.slice(),
    state: 'pending',
    confirmed: wish.pinned !== undefined,
    presentedAt: environment.now(),
    name: new URL(wish.address).hostname,
  };
}

/** P4, which may take as long as the daemon's user does. */
async function verdict(
  environment: Environment,
  { step }: Wish,
  socket: Socket,
  state: AwaitP4,
  { confirmed }: DaemonRecord,
): Promise<Connection | PairFault | 'unknown'> {
  const cancel = environment.after(ASKED_AFTER, () => step('waiting-for-daemon'));
  try {
    const p4 = await socket.receive(WAIT_FOR_P4 * 1_000);
    const { channel, first } = state.readP4(p4);
    step('finishing');
    return new Connection(environment, socket, channel, first, !confirmed);
  } catch (error) {
    // A sealed refusal is the daemon's own word; nothing else says anything about its verdict.
    const refused = error instanceof ProtocolError && error.failure.kind === 'refused';
    return refused ? new PairFault(pairProblem(error), error) : 'unknown';
  } finally {
    cancel();
  }
}
