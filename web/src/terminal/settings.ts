/** How this browser shows terminals. Nothing of it is secret, and none of it leaves the browser. */

import { type DBSchema, type IDBPDatabase, openDB } from 'idb';
import { boundText } from './fitting';
import { BAR_KEYS, FIRST_KEYS } from './keybar';

/** Lines that have scrolled off and are kept. */
export const SCROLLBACK = 10_000;
export const FONTS =
  'ui-monospace, "SF Mono", "Cascadia Mono", "Roboto Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';

export interface TerminalSettings {
  /** CSS pixels. */
  readonly textSize: number;
  /** Ids of the key bar's keys, in order. */
  readonly keys: readonly string[];
  readonly keyRows: 1 | 2;
  /** Whether there is a key bar: by itself where fingers are used. */
  readonly keyBar: 'auto' | 'always' | 'never';
  readonly screenReader: boolean;
}

export const FIRST_SETTINGS: TerminalSettings = {
  textSize: 14,
  keys: FIRST_KEYS,
  keyRows: 2,
  keyBar: 'auto',
  screenReader: false,
};

interface Schema extends DBSchema {
  settings: { key: 'terminal'; value: unknown };
}

/** Reads what was stored, by whatever version: what is not understood is as at first. */
export function readSettings(stored: unknown): TerminalSettings {
  const was = (typeof stored === 'object' && stored !== null ? stored : {}) as Record<
    string,
    unknown
  >;
  const known = new Set(BAR_KEYS.map((key) => key.id));
  const first = FIRST_SETTINGS;
  const keys = Array.isArray(was.keys) ? was.keys.filter((id) => known.has(id)) : first.keys;
  return {
    textSize: Number.isFinite(was.textSize) ? boundText(Number(was.textSize)) : first.textSize,
    keys: [...new Set(keys)],
    keyRows: was.keyRows === 1 ? 1 : 2,
    keyBar: was.keyBar === 'always' || was.keyBar === 'never' ? was.keyBar : 'auto',
    screenReader: was.screenReader === true,
  };
}

/** Settings that last as long as the browser keeps them; else as long as the page. */
export class SettingsStore {
  #database: Promise<IDBPDatabase<Schema> | undefined>;
  #now: TerminalSettings = FIRST_SETTINGS;

  constructor() {
    this.#database = openDB<Schema>('codeout-terminal', 1, {
      upgrade: (database) => {
        database.createObjectStore('settings');
      },
    }).catch(() => undefined);
  }

  async load(): Promise<TerminalSettings> {
    const database = await this.#database;
    const stored = await database?.get('settings', 'terminal').catch(() => undefined);
    if (stored !== undefined) this.#now = readSettings(stored);
    return this.#now;
  }

  /** Changes some of them; what cannot be stored holds for this page. */
  async change(changes: Partial<TerminalSettings>): Promise<TerminalSettings> {
    this.#now = readSettings({ ...this.#now, ...changes });
    const { keys, ...rest } = this.#now;
    const database = await this.#database;
    await database?.put('settings', { ...rest, keys: [...keys] }, 'terminal').catch(() => {});
    return this.#now;
  }
}
