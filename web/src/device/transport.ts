/** A WebSocket to a daemon, as a source and a sink of messages. */

import { parseAddress, webSocketOf } from '../protocol/address';
import type { Environment, RawSocket } from './environment';

const SUBPROTOCOL = 'codeout.1';
/** The longest message that a daemon sends, in bytes: a tag, a header and a record. */
const MAX_MESSAGE = 65_642;
/** What may have come and wait for who takes it, in bytes. */
const MAX_WAITING = 4 * 1024 * 1024;
/** How long opening a WebSocket may take, in milliseconds. */
const OPEN_TIME = 10_000;
/** How long the daemon may take to answer in a handshake, in milliseconds. */
export const ANSWER_TIME = 10_000;

/** Why no message comes. */
export type Silence =
  | 'unreachable' // the WebSocket did not open
  | 'not-codeout' // it opened, without the subprotocol
  | 'cut'
  | 'timed-out'
  | 'invalid'; // what came is no message of the protocol

export class TransportFailure extends Error {
  constructor(readonly why: Silence) {
    super(`no message from the daemon: ${why}`);
  }
}

/** What takes the messages of an established connection. */
export interface Receiver {
  message(bytes: Uint8Array): void;
  /** The WebSocket is closed; called once, last, and not for one's own `close`. */
  closed(why: Silence): void;
}

/**
 * @returns the URL of the WebSocket at `address`
 * @throws TransportFailure `unreachable`: it is no address of a daemon
 */
export function socketUrl(address: string): string {
  const parsed = parseAddress(address);
  if (!parsed) throw new TransportFailure('unreachable');
  return webSocketOf(parsed);
}

/** A browser throws for what it will not even try: a host that is no address, a page's policy. */
function rawSocket(environment: Environment, url: string): RawSocket {
  try {
    return environment.openSocket(url, SUBPROTOCOL);
  } catch {
    throw new TransportFailure('unreachable');
  }
}

export class Socket {
  readonly #raw: RawSocket;
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #over: Silence | undefined;
  #receiver: Receiver | undefined;
  #wake: (() => void) | undefined;

  private constructor(
    private readonly environment: Environment,
    raw: RawSocket,
  ) {
    this.#raw = raw;
    raw.onmessage = ({ data }) => this.#take(data);
    raw.onclose = () => this.#end('cut');
    raw.onerror = () => this.#end('cut');
  }

  /**
   * Opens a WebSocket.
   *
   * @param address `http://host:port` or `https://host:port`
   * @param signal closes it, whenever it is aborted
   * @throws TransportFailure `unreachable` or `not-codeout`
   */
  static open(environment: Environment, address: string, signal?: AbortSignal): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const raw = rawSocket(environment, socketUrl(address));
      raw.binaryType = 'arraybuffer';
      const fail = (why: Silence) => {
        cancel();
        silence(raw);
        reject(new TransportFailure(why));
      };
      const cancel = environment.after(OPEN_TIME, () => fail('unreachable'));
      const abort = () => fail('unreachable');
      if (signal?.aborted) return abort();
      signal?.addEventListener('abort', abort, { once: true });
      raw.onclose = () => fail('unreachable');
      raw.onerror = () => fail('unreachable');
      raw.onopen = () => {
        if (raw.protocol !== SUBPROTOCOL) return fail('not-codeout');
        cancel();
        signal?.removeEventListener('abort', abort);
        const socket = new Socket(environment, raw);
        signal?.addEventListener('abort', () => socket.close(), { once: true });
        resolve(socket);
      };
    });
  }

  /** Sends one message. Nothing happens when the WebSocket is closed. */
  send(bytes: Uint8Array): void {
    if (this.#over === undefined) this.#raw.send(bytes as Uint8Array<ArrayBuffer>);
  }

  /**
   * The next message.
   *
   * @param ms how long it may take, in milliseconds
   * @throws TransportFailure `cut`, `timed-out` or `invalid`
   */
  async receive(ms: number): Promise<Uint8Array> {
    let late = false;
    const cancel = this.environment.after(ms, () => {
      late = true;
      this.#wake?.();
    });
    try {
      for (;;) {
        const bytes = this.#waiting.shift();
        if (bytes) {
          this.#waitingBytes -= bytes.length;
          return bytes;
        }
        if (this.#over !== undefined) throw new TransportFailure(this.#over);
        if (late) throw new TransportFailure('timed-out');
        await new Promise<void>((wake) => {
          this.#wake = wake;
        });
      }
    } finally {
      cancel();
    }
  }

  /** From now on `receiver` gets each message as it comes, and those that wait at once. */
  deliver(receiver: Receiver): void {
    this.#receiver = receiver;
    for (const bytes of this.#waiting.splice(0)) receiver.message(bytes);
    this.#waitingBytes = 0;
    if (this.#over !== undefined && this.#receiver) this.#tellClosed(this.#over);
  }

  /** Closes it without a word. Nothing is received any more. */
  close(): void {
    this.#receiver = undefined;
    this.#end('cut');
  }

  #take(data: unknown): void {
    if (this.#over !== undefined) return;
    if (!(data instanceof ArrayBuffer) || data.byteLength > MAX_MESSAGE) {
      return this.#end('invalid');
    }
    const bytes = new Uint8Array(data);
    if (this.#receiver) return this.#receiver.message(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes > MAX_WAITING) return this.#end('invalid');
    this.#waiting.push(bytes);
    this.#wake?.();
  }

  #end(why: Silence): void {
    if (this.#over !== undefined) return;
    this.#over = why;
    silence(this.#raw);
    this.#wake?.();
    this.#tellClosed(why);
  }

  #tellClosed(why: Silence): void {
    const receiver = this.#receiver;
    this.#receiver = undefined;
    receiver?.closed(why);
  }
}

/** Closes a WebSocket of which nothing is wanted any more. */
function silence(raw: RawSocket): void {
  raw.onopen = null;
  raw.onmessage = null;
  raw.onclose = null;
  // One that is closed before it opened tells an error, which then has no other listener.
  raw.onerror = () => {};
  raw.close();
}
