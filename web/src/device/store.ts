/**
 * What this browser keeps: one record for each daemon, in IndexedDB, and settings. Where the
 * browser keeps nothing, the same in memory, for this page alone.
 */

import { type DBSchema, type IDBPDatabase, openDB } from 'idb';

import type { Credentials } from '../protocol/handshake';
import { Listeners } from './listeners';

/** A daemon's record. Secret: whoever has it is this device. */
export interface DaemonRecord {
  readonly id: string;
  /** `http://host:port`, lower-case. */
  readonly address: string;
  readonly spk: Uint8Array;
  readonly dpk: Uint8Array;
  readonly dsk: Uint8Array;
  readonly token: Uint8Array;
  readonly state: 'pending' | 'paired';
  /** Whether the daemon's key was checked: by a link, or by the user. */
  readonly confirmed: boolean;
  /** When P3 was about to be sent, in milliseconds since 1970. */
  readonly presentedAt: number;
  /** When it was paired, in milliseconds since 1970. */
  readonly pairedAt?: number;
  /** The daemon's own name, cleaned; the host until it has told it and may be shown. */
  readonly name: string;
  /** `XXXX-XXXX`, once it is computed. */
  readonly fingerprint?: string;
}

/** @returns what a handshake takes of a record. */
export function credentialsOf(record: DaemonRecord): Credentials {
  const device = { publicKey: record.dpk, secretKey: record.dsk };
  return { daemonKey: record.spk, device, token: record.token };
}

/** @returns the record of a daemon that has answered and says that it is called `name`. */
export function paired(record: DaemonRecord, name: string, now: number): DaemonRecord {
  if (record.state === 'paired') return { ...record, name };
  return { ...record, name, state: 'paired', pairedAt: now };
}

/** Where records are. Every promise of a write resolves when it is on disk. */
interface Shelf {
  all(): Promise<DaemonRecord[]>;
  read(id: string): Promise<DaemonRecord | undefined>;
  write(record: DaemonRecord): Promise<void>;
  /** Replaces a record by what `change` makes of it, if it is there. */
  change(
    id: string,
    change: (record: DaemonRecord) => DaemonRecord,
  ): Promise<DaemonRecord | undefined>;
  remove(id: string): Promise<void>;
  setting(name: string): Promise<unknown>;
  set(name: string, value: unknown): Promise<void>;
  close(): void;
}

interface Schema extends DBSchema {
  daemons: { key: string; value: DaemonRecord };
  settings: { key: string; value: unknown };
}

const DATABASE = 'codeout';
const VERSION = 1;
/** How long the browser may take to open the database, in milliseconds. */
const OPEN_TIME = 5_000;
/** What other tabs of this browser are told by. */
const CHANNEL = 'codeout-daemons';

/** What this browser keeps, and who hears of changes. */
export class Store {
  readonly #listeners = new Listeners<void>();
  readonly #others: BroadcastChannel | undefined;

  private constructor(
    private readonly shelf: Shelf,
    /** Whether it lasts longer than the page. */
    readonly lasting: 'yes' | 'no',
  ) {
    // Memory is this page's alone: there is nothing to tell others.
    if (lasting === 'no' || typeof BroadcastChannel === 'undefined') return;
    this.#others = new BroadcastChannel(CHANNEL);
    this.#others.onmessage = () => this.#listeners.tell();
  }

  /** Opens the browser's database; where that is blocked, a store in memory. Never fails. */
  static async open(): Promise<Store> {
    try {
      const database = await openDatabase();
      await database.all();
      return new Store(database, 'yes');
    } catch {
      return new Store(new Memory(), 'no');
    }
  }

  /** Calls `listener` when a record changed, here or in another tab. */
  onChange(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Every record, oldest attempt first. */
  async all(): Promise<DaemonRecord[]> {
    const records = await this.shelf.all();
    return records.sort((one, other) => one.presentedAt - other.presentedAt);
  }

  read(id: string): Promise<DaemonRecord | undefined> {
    return this.shelf.read(id);
  }

  /** Writes a record; it is on disk when the promise resolves. */
  async write(record: DaemonRecord): Promise<void> {
    await this.shelf.write(record);
    this.#tell();
  }

  /**
   * Changes a record that is still there.
   * @returns the record as it is now; undefined: it was removed meanwhile, and stays so.
   */
  async change(
    id: string,
    change: (record: DaemonRecord) => DaemonRecord,
  ): Promise<DaemonRecord | undefined> {
    const record = await this.shelf.change(id, change);
    if (record) this.#tell();
    return record;
  }

  async remove(id: string): Promise<void> {
    await this.shelf.remove(id);
    this.#tell();
  }

  setting(name: string): Promise<unknown> {
    return this.shelf.setting(name);
  }

  set(name: string, value: unknown): Promise<void> {
    return this.shelf.set(name, value);
  }

  close(): void {
    this.#others?.close();
    this.#listeners.clear();
    this.shelf.close();
  }

  #tell(): void {
    this.#others?.postMessage('changed');
    this.#listeners.tell();
  }
}

function openBrowsers(): Promise<IDBPDatabase<Schema>> {
  return openDB<Schema>(DATABASE, VERSION, {
    upgrade(database) {
      database.createObjectStore('daemons', { keyPath: 'id' });
      database.createObjectStore('settings');
    },
    // A later version of the app in another tab waits for this one.
    blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
  });
}

async function openDatabase(): Promise<Shelf> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the database does not open')), OPEN_TIME);
  });
  try {
    return new Database(await Promise.race([openBrowsers(), late]));
  } finally {
    clearTimeout(timer);
  }
}

class Database implements Shelf {
  #opening: Promise<IDBPDatabase<Schema>>;

  constructor(database: IDBPDatabase<Schema>) {
    this.#opening = Promise.resolve(database);
  }

  all(): Promise<DaemonRecord[]> {
    return this.#use((database) => database.getAll('daemons'));
  }

  read(id: string): Promise<DaemonRecord | undefined> {
    return this.#use((database) => database.get('daemons', id));
  }

  write(record: DaemonRecord): Promise<void> {
    return this.#use(async (database) => {
      const transaction = begin(database);
      await Promise.all([transaction.store.put(record), transaction.done]);
    });
  }

  change(
    id: string,
    change: (record: DaemonRecord) => DaemonRecord,
  ): Promise<DaemonRecord | undefined> {
    return this.#use(async (database) => {
      const transaction = begin(database);
      const record = await transaction.store.get(id);
      const changed = record && change(record);
      if (changed) await transaction.store.put(changed);
      await transaction.done;
      return changed;
    });
  }

  remove(id: string): Promise<void> {
    return this.#use(async (database) => {
      const transaction = begin(database);
      await Promise.all([transaction.store.delete(id), transaction.done]);
    });
  }

  setting(name: string): Promise<unknown> {
    return this.#use((database) => database.get('settings', name));
  }

  async set(name: string, value: unknown): Promise<void> {
    await this.#use((database) => database.put('settings', value, name));
  }

  close(): void {
    this.#opening.then((database) => database.close()).catch(() => undefined);
  }

  /**
   * Uses the database; one that the browser closed in the background is opened again. What is done
   * twice then has the effect of once.
   */
  async #use<T>(use: (database: IDBPDatabase<Schema>) => Promise<T>): Promise<T> {
    const opening = this.#opening;
    const database = await opening.catch(() => undefined);
    try {
      if (database) return await use(database);
    } catch (error) {
      if (!wasClosed(error)) throw error;
    }
    // Unless another use has opened it again already.
    if (this.#opening === opening) this.#opening = openBrowsers();
    return use(await this.#opening);
  }
}

/**
 * Whether the browser let go of a database. Safari ends the process that has it open while the page
 * is in the background, and says that the error is unknown.
 */
function wasClosed(error: unknown): boolean {
  if (!(error instanceof DOMException)) return false;
  return error.name === 'InvalidStateError' || error.name === 'UnknownError';
}

/** A transaction that is done when its writes are on disk, and not merely on their way. */
function begin(database: IDBPDatabase<Schema>) {
  return database.transaction('daemons', 'readwrite', { durability: 'strict' });
}

class Memory implements Shelf {
  readonly #records = new Map<string, DaemonRecord>();
  readonly #settings = new Map<string, unknown>();

  async all(): Promise<DaemonRecord[]> {
    return [...this.#records.values()];
  }

  async read(id: string): Promise<DaemonRecord | undefined> {
    return this.#records.get(id);
  }

  async write(record: DaemonRecord): Promise<void> {
    this.#records.set(record.id, record);
  }

  async change(
    id: string,
    change: (record: DaemonRecord) => DaemonRecord,
  ): Promise<DaemonRecord | undefined> {
    const record = this.#records.get(id);
    if (!record) return undefined;
    const changed = change(record);
    this.#records.set(id, changed);
    return changed;
  }

  async remove(id: string): Promise<void> {
    this.#records.delete(id);
  }

  async setting(name: string): Promise<unknown> {
    return this.#settings.get(name);
  }

  async set(name: string, value: unknown): Promise<void> {
    this.#settings.set(name, value);
  }

  close(): void {
    this.#records.clear();
    this.#settings.clear();
  }
}
