/** One attachment of one connection: how far its output and its input are. */

import { writeInput, writeOutputRead } from '../protocol/frame';
import {
  ACKNOWLEDGE_AFTER,
  ACKNOWLEDGE_APART,
  ACKNOWLEDGE_AT_LATEST,
  ACKNOWLEDGE_IDLE,
  type Attached,
  type AttachRequest,
  type Chunk,
  INPUT_WINDOW,
  MAX_CHUNK,
  OUTPUT_WINDOW,
  type SnapshotEvent,
} from '../protocol/message';
import { type Connection, violation } from './connection';
import type { Feed } from './feed';
import type { Keyboard } from './keyboard';

/** What the daemon may send next. */
type Place =
  | { readonly in: 'nothing' } // the beginning of a snapshot alone
  | { readonly in: 'snapshot'; readonly next: number }
  | { readonly in: 'output'; readonly next: number };

export class Track {
  readonly #session: number;
  #place: Place;
  #whole: boolean;
  /** Output and snapshot bytes that came, were dealt with, and were acknowledged. */
  #received = 0;
  #dealt = 0;
  #acknowledged = 0;
  #acknowledgedAt = Number.NEGATIVE_INFINITY;
  /** Input of this keyboard that was sent, and that the daemon says is written. */
  #sent: number;
  #written: number;
  #over = false;

  /**
   * The attachment that the daemon's answer to `request` makes.
   *
   * @param keyboard what types; undefined: nothing is ever typed
   * @throws ProtocolError the answer is a violation
   */
  constructor(
    private readonly connection: Connection,
    request: AttachRequest,
    attached: Attached,
    private readonly feed: Feed,
    private readonly keyboard: Keyboard | undefined,
  ) {
    if (attached.attached.session !== request.session) throw violation();
    if (attached.resumed && request.after === undefined) throw violation();
    this.#session = request.session;
    this.#place =
      attached.resumed && request.after !== undefined
        ? { in: 'output', next: request.after }
        : { in: 'nothing' };
    this.#whole = attached.resumed;
    this.#sent = attached.input;
    this.#written = attached.input;
  }

  /** The offset behind the last output that came; undefined inside or before a snapshot. */
  get after(): number | undefined {
    return this.#place.in === 'output' ? this.#place.next : undefined;
  }

  /** Whether there was ever something whole to show. */
  get whole(): boolean {
    return this.#whole;
  }

  /** Nothing is sent for it any more. */
  finish(): void {
    this.#over = true;
  }

  /** @throws ProtocolError it is not the next output, or more than the window allows. */
  output(chunk: Chunk): void {
    if (this.#place.in !== 'output' || this.#place.next !== chunk.offset) throw violation();
    this.#place = { in: 'output', next: chunk.offset + chunk.bytes.length };
    this.#receive(chunk.bytes);
  }

  /** @throws ProtocolError it is not the snapshot's next chunk, or more than the window allows. */
  snapshotChunk(chunk: Chunk): void {
    if (this.#place.in !== 'snapshot' || this.#place.next !== chunk.offset) throw violation();
    this.#place = { in: 'snapshot', next: chunk.offset + chunk.bytes.length };
    this.#receive(chunk.bytes);
  }

  snapshot({ columns, rows, history, size_by }: SnapshotEvent): void {
    this.#place = { in: 'snapshot', next: 0 };
    this.feed.snapshot({ columns, rows }, history, size_by);
  }

  /** @throws ProtocolError there is no snapshot to end. */
  snapshotEnd(offset: number): void {
    if (this.#place.in !== 'snapshot') throw violation();
    this.#place = { in: 'output', next: offset };
    this.#whole = true;
    this.feed.live();
  }

  /** @throws ProtocolError it goes back, or beyond what was sent, or there is no keyboard. */
  inputWritten(offset: number): void {
    if (!this.keyboard || offset < this.#written || offset > this.#sent) throw violation();
    this.#written = offset;
    if (this.keyboard.uncertain) return;
    this.keyboard.written(offset);
    this.type();
  }

  /** Sends what was typed, as far as the window allows. */
  type(): void {
    const keyboard = this.keyboard;
    if (keyboard?.uncertain) return;
    while (keyboard && !this.#over && !this.connection.closed && this.#sent < keyboard.end) {
      const room = this.#written + INPUT_WINDOW - this.#sent;
      if (room <= 0) return;
      const bytes = keyboard.take(this.#sent, Math.min(room, MAX_CHUNK));
      this.connection.send(writeInput({ session: this.#session, offset: this.#sent, bytes }));
      this.#sent += bytes.length;
    }
  }

  #receive(bytes: Uint8Array): void {
    this.#received += bytes.length;
    if (this.#received - this.#acknowledged > OUTPUT_WINDOW) throw violation();
    this.feed.write(bytes, (count) => this.#deal(count));
  }

  #deal(count: number): void {
    this.#dealt += count;
    const news = this.#dealt - this.#acknowledged;
    const idle = this.#dealt === this.#received;
    const now = performance.now();
    const apart = now - this.#acknowledgedAt >= ACKNOWLEDGE_APART;
    const due = idle ? ACKNOWLEDGE_IDLE : apart ? ACKNOWLEDGE_AFTER : ACKNOWLEDGE_AT_LATEST;
    if (news < due || this.#over) return;
    this.#acknowledgedAt = now;
    this.#acknowledged = this.#dealt;
    this.connection.send(writeOutputRead({ session: this.#session, offset: this.#dealt }));
  }
}
