/** One keyboard: what was typed and is not known to be written yet, over all connections. */

import { randomKeyboard } from '../protocol/sodium';

/** The most bytes of input that wait. */
export const MAX_KEPT_INPUT = 1024 * 1024;

export class Keyboard {
  #number: number | undefined;
  /** What is not known to be written, in order. */
  #kept: Uint8Array[] = [];
  /** The offset of the first byte kept: the daemon has those before. */
  #written = 0;
  /** The offset behind the last byte typed. */
  #end = 0;
  /** The offset behind the last byte that went out by any connection. */
  #sent = 0;
  #uncertain = false;

  /** Names it to the daemon: 53 random bits. Drawn when it is first asked for. */
  get number(): number {
    this.#number ??= randomKeyboard();
    return this.#number;
  }

  /** Whether it is unknown what of it arrived; nothing of it may be sent then. */
  get uncertain(): boolean {
    return this.#uncertain;
  }

  /** The offset behind the last byte typed. */
  get end(): number {
    return this.#end;
  }

  /** The bytes that wait or are on their way. */
  get unwritten(): number {
    return this.#end - this.#written;
  }

  /**
   * Keeps a copy of `bytes`.
   * @returns false, and keeps nothing, when too much would wait.
   */
  keep(bytes: Uint8Array): boolean {
    if (this.unwritten + bytes.length > MAX_KEPT_INPUT) return false;
    if (bytes.length > 0) this.#kept.push(bytes.slice());
    this.#end += bytes.length;
    return true;
  }

  /**
   * The bytes from `offset` on, to be sent now: at most `most`. Not before what is written. They
   * count as sent.
   */
  take(offset: number, most: number): Uint8Array {
    const bytes = new Uint8Array(Math.min(this.#end - offset, most));
    let before = this.#written - offset;
    for (const piece of this.#kept) {
      if (before >= bytes.length) break;
      if (before + piece.length > 0) {
        const part = piece.subarray(Math.max(-before, 0), bytes.length - before);
        bytes.set(part, Math.max(before, 0));
      }
      before += piece.length;
    }
    this.#sent = Math.max(this.#sent, offset + bytes.length);
    return bytes;
  }

  /** The daemon has written everything before `offset`, which is not beyond what was sent. */
  written(offset: number): void {
    while (this.#written < offset) {
      const piece = this.#kept[0];
      if (!piece) return;
      const count = Math.min(piece.length, offset - this.#written);
      // What was typed may be a password.
      piece.fill(0, 0, count);
      if (count === piece.length) this.#kept.shift();
      else this.#kept[0] = piece.subarray(count);
      this.#written += count;
    }
  }

  /**
   * By a new connection the daemon says how much it has. When that cannot be, because it is less
   * than it had or more than was sent, the keyboard is uncertain.
   */
  resume(input: number): void {
    if (input < this.#written || input > this.#sent) this.#uncertain = true;
    else this.written(input);
  }

  /** Forgets what waits. */
  forget(): void {
    for (const piece of this.#kept) piece.fill(0);
    this.#kept = [];
    this.#end = this.#written;
  }
}
