/**
 * What waits between a connection and a terminal: output and snapshots, in order. The terminal is
 * given little at a time, so that a snapshot makes void whatever it has not been given yet.
 */

import type { ExitStatus, TerminalSize } from '../protocol/message';
import type { TerminalSink } from './types';

/** What the terminal may have been given and not have dealt with, in bytes. */
const MAX_GIVEN = 128 * 1024;

/** Hears that bytes are dealt with: shown, or dropped. */
export type Dealt = (count: number) => void;

type Item =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array; readonly dealt: Dealt }
  | { readonly kind: 'mark'; readonly give: () => void };

export class Feed {
  #items: Item[] = [];
  #given = 0;
  #giving = false;
  #closed = false;

  constructor(private readonly sink: TerminalSink) {}

  /** Bytes to show. `dealt` is told once of their number, when they are dealt with. */
  write(bytes: Uint8Array, dealt: Dealt): void {
    this.#items.push({ kind: 'bytes', bytes, dealt });
    this.#give();
  }

  /** A snapshot begins: what the terminal was not given yet is dropped. */
  snapshot(size: TerminalSize, history: boolean, sizeBy: string | undefined): void {
    this.#drop();
    this.#mark(() => this.sink.snapshot(size, history, sizeBy));
  }

  /** The snapshot is whole. */
  live(): void {
    this.#mark(() => this.sink.live());
  }

  /** The session has ended; `told` is called when the terminal knows. */
  ended(status: ExitStatus, told: () => void): void {
    this.#mark(() => {
      told();
      this.sink.ended(status);
    });
  }

  /** Gives the terminal nothing more. */
  close(): void {
    this.#closed = true;
    this.#drop();
  }

  #mark(give: () => void): void {
    this.#items.push({ kind: 'mark', give });
    this.#give();
  }

  #drop(): void {
    const items = this.#items;
    this.#items = [];
    for (const item of items) if (item.kind === 'bytes') item.dealt(item.bytes.length);
  }

  #give(): void {
    // A terminal may call back before it returns.
    if (this.#giving || this.#closed) return;
    this.#giving = true;
    try {
      while (this.#given < MAX_GIVEN) {
        const item = this.#items.shift();
        if (!item) return;
        if (item.kind === 'mark') item.give();
        else this.#write(item.bytes, item.dealt);
      }
    } finally {
      this.#giving = false;
    }
  }

  #write(bytes: Uint8Array, dealt: Dealt): void {
    let told = false;
    this.#given += bytes.length;
    this.sink.write(bytes, () => {
      if (told) return;
      told = true;
      this.#given -= bytes.length;
      dealt(bytes.length);
      this.#give();
    });
  }
}
