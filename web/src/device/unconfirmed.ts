/**
 * A pairing by a typed code that the daemon accepted, and whose fingerprint the user is to
 * compare. Nothing of the daemon's is shown before that, and nothing is sent to it.
 */

import type { Environment } from './environment';
import { type Landed, land } from './landing';
import { PairFault, pairProblem } from './pair_failure';
import type { DaemonRecord, Store } from './store';

export class Unconfirmed {
  #landed: Landed;

  /**
   * @param landed the record, with its fingerprint, and the connection that is silent
   * @param arrived is called when it is paired
   */
  constructor(
    private readonly environment: Environment,
    private readonly store: Store,
    landed: Landed,
    private readonly arrived: (record: DaemonRecord) => Promise<void>,
  ) {
    this.#landed = landed;
  }

  get fingerprint(): string {
    return this.#landed.record.fingerprint ?? '';
  }

  /**
   * The user says that the fingerprints are the same.
   * @throws PairFault `expired`: the daemon no longer waits, and nothing is kept; `cut`: it can
   * be called again.
   */
  async match(): Promise<Landed> {
    const { id } = this.#landed.record;
    // Whatever breaks from here on, the user is not asked again.
    const record = await this.store
      .change(id, (kept) => ({ ...kept, confirmed: true }))
      .catch((error) => {
        throw new PairFault('storage', error);
      });
    const { connection } = this.#landed;
    if (!record) {
      connection.cut();
      throw new PairFault('expired');
    }
    const landed = await land(this.environment, this.store, record, connection).catch((error) => {
      throw error instanceof PairFault ? error : new PairFault(pairProblem(error), error);
    });
    if (!landed) {
      await this.store.remove(id);
      throw new PairFault('expired');
    }
    await this.arrived(landed.record);
    return landed;
  }

  /** The user says that they differ, or leaves: hangs up without a record, and forgets it all. */
  async differ(): Promise<void> {
    this.#landed.connection.cut();
    await this.store.remove(this.#landed.record.id);
  }
}
