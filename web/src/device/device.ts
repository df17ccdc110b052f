/** This browser as a device: what it knows, and its links. */

import type { Connection } from './connection';
import { browserEnvironment, type Environment } from './environment';
import type { Landed } from './landing';
import { DaemonLink } from './link';
import { Listeners } from './listeners';
import { Pairing } from './pair';
import { type DaemonRecord, Store } from './store';
import type {
  Device,
  KnownDaemon,
  Link,
  LinkState,
  PairedByCode,
  PairStep,
  Settings,
} from './types';
import type { Unconfirmed } from './unconfirmed';

/** How long the connection of a pairing waits for its use, in milliseconds. */
const FRESH_TIME = 30_000;

/** What is known of a daemon whose record is gone. */
function unknownDaemon(id: string): KnownDaemon {
  return { id, address: '', name: '', fingerprint: '', state: 'pending', unconfirmed: true };
}

function known(record: DaemonRecord): KnownDaemon {
  const { id, address, name, state, confirmed, fingerprint = '' } = record;
  return { id, address, name, state, fingerprint, unconfirmed: !confirmed };
}

/** Opens what this browser keeps. Never fails: see `lasting`. */
export async function openDevice(
  environment: Environment = browserEnvironment(),
): Promise<BrowserDevice> {
  const device = new BrowserDevice(environment, await Store.open());
  await device.load();
  return device;
}

/** The device, and how to end it. */
export class BrowserDevice implements Device {
  #known = new Map<string, KnownDaemon>();
  /** What was known of daemons that are forgotten: their links may still be shown. */
  readonly #gone = new Map<string, KnownDaemon>();
  /** Connections of pairings that were finished just now, for whoever asks for the link first. */
  readonly #fresh = new Map<string, Connection>();
  readonly #links = new Map<string, DaemonLink>();
  readonly #listeners = new Listeners<void>();
  readonly #pairing: Pairing;

  constructor(
    private readonly environment: Environment,
    private readonly store: Store,
  ) {
    this.#pairing = new Pairing(environment, store);
    store.onChange(() => void this.load());
  }

  get lasting(): 'yes' | 'no' {
    return this.store.lasting;
  }

  get settings(): Settings {
    return this.store;
  }

  /** Learns what is kept now, and tells who listens. */
  async load(): Promise<void> {
    const records = await this.store.all();
    const before = this.#known;
    this.#known = new Map(records.map((record) => [record.id, known(record)]));
    for (const [id, daemon] of before) if (!this.#known.has(id)) this.#gone.set(id, daemon);
    for (const [id, link] of this.#links) {
      const daemon = this.#known.get(id);
      if (!daemon) void link.stop('forgotten');
      // Its user has just compared the fingerprint.
      else if (!daemon.unconfirmed && isUnconfirmed(link.state)) link.retry();
    }
    this.#listeners.tell();
  }

  async daemons(): Promise<KnownDaemon[]> {
    return (await this.store.all()).map(known);
  }

  onDaemons(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  async pairByLink(
    link: string,
    name: string,
    step: (step: PairStep) => void,
  ): Promise<KnownDaemon> {
    return this.#paired(await this.#pairing.byLink(link, name, step));
  }

  async pairByCode(
    address: string,
    code: string,
    name: string,
    step: (step: PairStep) => void,
  ): Promise<PairedByCode> {
    return this.#toConfirm(await this.#pairing.byCode(address, code, name, step));
  }

  async resumePending(daemon: string): Promise<PairedByCode> {
    return this.#toConfirm(await this.#pairing.resume(daemon));
  }

  link(daemon: string): Link {
    const known = this.#links.get(daemon);
    if (known) return known;
    const last = () => this.#known.get(daemon) ?? this.#gone.get(daemon) ?? unknownDaemon(daemon);
    const stopped = () => {
      if (this.#links.get(daemon) === link) this.#links.delete(daemon);
    };
    const fresh = this.#fresh.get(daemon);
    this.#fresh.delete(daemon);
    const link = new DaemonLink(this.environment, this.store, daemon, last, stopped, fresh);
    this.#links.set(daemon, link);
    return link;
  }

  async forget(daemon: string): Promise<void> {
    await this.store.remove(daemon);
    await this.load();
  }

  /** Ends every link in order. */
  async end(): Promise<void> {
    const links = [...this.#links.values()].map((link) => link.stop());
    const fresh = [...this.#fresh.values()].map((connection) => connection.close());
    this.#fresh.clear();
    await Promise.all([...links, ...fresh]);
    this.store.close();
  }

  /** Knows the daemon before its caller asks for the link to it, which gets the connection. */
  async #paired({ record, connection }: Landed): Promise<KnownDaemon> {
    const { id } = record;
    await this.load();
    if (this.#links.has(id)) {
      void connection.close();
    } else {
      this.#fresh.set(id, connection);
      this.environment.after(FRESH_TIME, () => {
        if (this.#fresh.delete(id)) void connection.close();
      });
    }
    return known(record);
  }

  #toConfirm(unconfirmed: Unconfirmed): PairedByCode {
    return {
      fingerprint: unconfirmed.fingerprint,
      match: async () => this.#paired(await unconfirmed.match()),
      differ: () => unconfirmed.differ(),
    };
  }
}
function isUnconfirmed(state: LinkState): boolean {
  return state.state === 'ended' && state.end === 'unconfirmed';
}
