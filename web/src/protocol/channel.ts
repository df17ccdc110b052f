/**
 * Records: what both directions of an established connection carry. One record is one WebSocket
 * message; the first that does not open ends the connection.
 */
import { ProtocolError, UsageError } from './error';
import {
  Pull,
  Push,
  STREAM_OVERHEAD,
  TAG_FINAL,
  TAG_MESSAGE,
  TAG_REKEY,
  type Tag,
  wipe,
} from './sodium';

/** The most plaintext that a record holds, in bytes, before padding. */
export const MAX_PLAINTEXT = 65_536;
const BLOCK = 64;
/** The longest and the shortest record, in bytes. */
export const MAX_RECORD = MAX_PLAINTEXT + BLOCK + STREAM_OVERHEAD;
export const MIN_RECORD = BLOCK + STREAM_OVERHEAD;

/** A direction's key is changed on this many records since it was changed last… */
export const REKEY_RECORDS = 2 ** 20;
/** …and on the first record that long after it, in milliseconds. */
export const REKEY_AFTER = 3_600_000;
const MARKER = 0x80;

/** Both directions of an established connection, seen from one end. */
export interface Channel {
  readonly sealer: Sealer;
  readonly opener: Opener;
}

/** The sending direction. */
export class Sealer {
  readonly #stream: Push;
  #records = 0;
  #keyedAt: number | undefined;

  private constructor(stream: Push) {
    this.#stream = stream;
  }

  /** The direction under `key` (32 bytes), and the header that the other end needs. */
  static begin(key: Uint8Array): { sealer: Sealer; header: Uint8Array } {
    const { push, header } = Push.begin(key);
    return { sealer: new Sealer(push), header };
  }

  /** As `begin` with a given header: for test vectors alone. */
  static withHeader(key: Uint8Array, header: Uint8Array): Sealer {
    return new Sealer(Push.withHeader(key, header));
  }

  /**
   * The next record, of at most `MAX_PLAINTEXT` bytes. `now`: milliseconds of any clock that
   * does not go backwards, such as `performance.now()`; it decides when the key changes.
   */
  seal(now: number, plaintext: Uint8Array): Uint8Array {
    this.#keyedAt ??= now;
    const records = this.#records + 1;
    const due = records >= REKEY_RECORDS || now - this.#keyedAt >= REKEY_AFTER;
    const record = this.#push(plaintext, due ? TAG_REKEY : TAG_MESSAGE);
    this.#records = due ? 0 : records;
    if (due) this.#keyedAt = now;
    return record;
  }

  /** The last record of this direction; its plaintext may be empty. Nothing can follow. */
  finish(plaintext: Uint8Array): Uint8Array {
    const record = this.#push(plaintext, TAG_FINAL);
    this.close();
    return record;
  }

  /** Wipes the key: nothing can be sealed any more. */
  close(): void {
    this.#stream.close();
  }

  #push(plaintext: Uint8Array, tag: Tag): Uint8Array {
    if (plaintext.length > MAX_PLAINTEXT) throw new UsageError('too long for a record');
    const padded = new Uint8Array((Math.floor(plaintext.length / BLOCK) + 1) * BLOCK);
    padded.set(plaintext);
    padded[plaintext.length] = MARKER;
    const record = this.#stream.push(padded, tag);
    wipe(padded);
    return record;
  }
}

/** What a record held. */
export interface Opened {
  /** Whether it was the last one of its direction. */
  readonly final: boolean;
  readonly plaintext: Uint8Array;
}

/** The receiving direction. */
export class Opener {
  readonly #stream: Pull;
  #state: 'open' | 'ended' | 'broken' = 'open';

  /** The direction under `key` (32 bytes), with the other end's header (24 bytes). */
  constructor(key: Uint8Array, header: Uint8Array) {
    this.#stream = Pull.begin(key, header);
  }

  /**
   * Opens the next record. Its plaintext is the caller's own.
   * @throws ProtocolError `record` when it is not what the other end sealed next, or its padding
   * is wrong, and for every record after that; `ended` behind a final one. Close the connection.
   */
  open(record: Uint8Array): Opened {
    if (this.#state === 'ended') throw new ProtocolError({ kind: 'ended' });
    const opened = this.#state === 'open' ? this.#pull(record) : undefined;
    if (opened === undefined) {
      this.#state = 'broken';
      this.close();
      throw new ProtocolError({ kind: 'record' });
    }
    if (opened.final) {
      this.#state = 'ended';
      this.#stream.close();
    }
    return opened;
  }

  /** Whether the other end has said its last word. A connection that ends before was cut. */
  get hasEnded(): boolean {
    return this.#state === 'ended';
  }

  /** Wipes the key: nothing can be opened any more. */
  close(): void {
    if (this.#state === 'open') this.#state = 'broken';
    this.#stream.close();
  }

  #pull(record: Uint8Array): Opened | undefined {
    if (record.length > MAX_RECORD) return undefined;
    const pulled = this.#stream.pull(record);
    if (pulled === undefined) return undefined;
    const { padded, tag } = pulled;
    const length = unpaddedLength(padded);
    const known = tag === TAG_MESSAGE || tag === TAG_REKEY || tag === TAG_FINAL;
    if (!known || length === undefined || length > MAX_PLAINTEXT) return undefined;
    return { final: tag === TAG_FINAL, plaintext: padded.subarray(0, length) };
  }
}

/** Where the marker is, in the last block, with zeros only behind it. */
function unpaddedLength(padded: Uint8Array): number | undefined {
  if (padded.length === 0 || padded.length % BLOCK !== 0) return undefined;
  let at = padded.length - 1;
  while (at > padded.length - BLOCK && padded[at] === 0) at -= 1;
  return padded[at] === MARKER ? at : undefined;
}
