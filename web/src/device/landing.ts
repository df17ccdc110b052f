/**
 * The end of a pairing: whether the daemon has accepted this device is found out by connecting,
 * and the first request finishes it.
 */

import type { DaemonEvent } from '../protocol/message';
import { Backoff } from './backoff';
import { connect } from './connect';
import type { Connection, ConnectionListener } from './connection';
import type { Environment } from './environment';
import { isNotPaired, mayPass, PairFault } from './pair_failure';
import { type DaemonRecord, paired, type Store } from './store';
import { ANSWER_TIME, TransportFailure } from './transport';

/** How long is tried to find out whether a pairing landed, in milliseconds. */
const PATIENCE = 6_000;
const FIRST_WAIT = 400;
const LONGEST_WAIT = 2_000;

/** A pairing that the daemon has accepted. */
export interface Landed {
  readonly record: DaemonRecord;
  /** Listened to by nobody: whoever wants it begins. */
  readonly connection: Connection;
}

/** What a connection that is only there to finish a pairing says is nobody's. */
const DROPPED: ConnectionListener = {
  event(_: DaemonEvent) {},
  output() {},
  snapshot() {},
  inputWritten() {},
  closed() {},
};

/**
 * Finishes a pairing as far as it can be without its user: over `connection`, or else, and when
 * that breaks, over a new one. A record whose fingerprint is not confirmed gets a connection
 * that sends nothing.
 *
 * @returns undefined: the daemon says that it does not know this device.
 * @throws PairFault `cut`: there is no knowing yet; and what `connect` throws
 */
export async function land(
  environment: Environment,
  store: Store,
  record: DaemonRecord,
  connection?: Connection,
): Promise<Landed | undefined> {
  const backoff = new Backoff(FIRST_WAIT, LONGEST_WAIT);
  const until = environment.now() + PATIENCE;
  let next = connection?.closed ? undefined : connection;
  for (;;) {
    try {
      if (!next) {
        next = await connect(environment, record);
        next.begin(DROPPED);
      }
      if (!record.confirmed) return { record, connection: next };
      next.speak();
      await ping(environment, next);
      return { record: await finish(environment, store, record, next), connection: next };
    } catch (error) {
      next = undefined;
      if (isNotPaired(error)) return undefined;
      if (!mayPass(error)) throw error;
      const wait = backoff.next();
      if (environment.now() + wait > until) throw new PairFault('cut', error);
      await new Promise<void>((resolve) => environment.after(wait, resolve));
    }
  }
}

/** Begins to listen to a pairing's connection: its records are opened, and dropped. */
export function listen(connection: Connection): Connection {
  connection.begin(DROPPED);
  return connection;
}

/** This device's first record, which tells the daemon that the pairing is finished. */
function ping(environment: Environment, connection: Connection): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = environment.after(ANSWER_TIME, () => connection.cut());
    connection.ask({ request: 'ping' }, (outcome) => {
      cancel();
      if ('ok' in outcome) resolve();
      else reject(new TransportFailure('cut'));
    });
  });
}

async function finish(
  environment: Environment,
  store: Store,
  record: DaemonRecord,
  { welcome }: Connection,
): Promise<DaemonRecord> {
  const now = environment.now();
  try {
    const changed = await store.change(record.id, (kept) => paired(kept, welcome.daemon, now));
    return changed ?? paired(record, welcome.daemon, now);
  } catch (error) {
    throw new PairFault('storage', error);
  }
}
