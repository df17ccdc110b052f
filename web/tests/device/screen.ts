/** A terminal that keeps what it was given. */

import type { AttachmentState, TerminalSink } from '../../src/device/types';
import type { ExitStatus, TerminalSize } from '../../src/protocol/message';

export class Screen implements TerminalSink {
  /** What was shown since the last snapshot began. */
  text = '';
  snapshots: { size: TerminalSize; history: boolean; sizeBy: string | undefined }[] = [];
  /** How many snapshots are whole. */
  whole = 0;
  states: AttachmentState[] = [];
  status: ExitStatus | undefined;
  /** Bytes given since it was made. */
  given = 0;
  /** While set, nothing is dealt with. */
  stuck = false;
  readonly #owed: (() => void)[] = [];
  readonly #decoder = new TextDecoder();

  snapshot(size: TerminalSize, history: boolean, sizeBy: string | undefined): void {
    this.text = '';
    this.snapshots.push({ size, history, sizeBy });
  }

  write(bytes: Uint8Array, shown: () => void): void {
    this.given += bytes.length;
    this.text += this.#decoder.decode(bytes, { stream: true });
    if (this.stuck) this.#owed.push(shown);
    else setImmediate(shown);
  }

  /** Deals with what it was given. */
  free(): void {
    this.stuck = false;
    for (const shown of this.#owed.splice(0)) shown();
  }

  live(): void {
    this.whole += 1;
  }

  ended(status: ExitStatus): void {
    this.status = status;
  }

  changed(state: AttachmentState): void {
    this.states.push(state);
  }
}
