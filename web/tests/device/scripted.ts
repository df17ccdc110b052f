/** A daemon that does what a test says, at the other end of a page's WebSocket. */

import { IDBFactory } from 'fake-indexeddb';
import type { RawSocket } from '../../src/device/environment';
import { DaemonLink } from '../../src/device/link';
import { type DaemonRecord, Store } from '../../src/device/store';
import type { KnownDaemon } from '../../src/device/types';
import type { Channel } from '../../src/protocol/channel';
import { concat, type KeyPair, kxKeyPair, randomBytes } from '../../src/protocol/sodium';
import { accept, pskOf, readM1, type Verdict } from '../protocol/daemon';
import { NodeEnvironment } from './page';
import { until } from './wait';

const ADDRESS = 'http://desk.test:8400';
const text = new TextEncoder();

export const WELCOME = {
  event: 'welcome',
  protocol: 1,
  daemon: 'desk',
  device: { id: '3m9k7qaz', name: 'phone', paired_at: 1_790_000_000, this: true },
};

export const ENTRY = {
  session: 1,
  name: 'api',
  program: 'sh',
  directory: '/srv',
  columns: 80,
  rows: 24,
  opened_at: 1_790_000_000,
};

/** A page that knows one daemon, and what its WebSockets lead to. */
export class Stage {
  readonly environment = new ScriptedEnvironment();
  readonly daemon: KeyPair = kxKeyPair();
  readonly #device: KeyPair = kxKeyPair();
  readonly #token = randomBytes(32);
  #store: Store | undefined;
  #link: DaemonLink | undefined;

  /** The link to the daemon, whose record is stored. */
  async link(): Promise<DaemonLink> {
    globalThis.indexedDB = new IDBFactory();
    const store = await Store.open();
    const record: DaemonRecord = {
      id: 'one',
      address: ADDRESS,
      spk: this.daemon.publicKey,
      dpk: this.#device.publicKey,
      dsk: this.#device.secretKey,
      token: this.#token,
      state: 'paired',
      confirmed: true,
      presentedAt: 0,
      name: 'desk',
      fingerprint: 'ZMYR-C1HG',
    };
    await store.write(record);
    const known: KnownDaemon = { ...record, fingerprint: 'ZMYR-C1HG', unconfirmed: false };
    this.#store = store;
    this.#link = new DaemonLink(
      this.environment,
      store,
      'one',
      () => known,
      () => {},
    );
    return this.#link;
  }

  /** The next WebSocket that the page opens. */
  async line(): Promise<Line> {
    const line = await until('the page connects', () => this.environment.lines.shift());
    line.open();
    return line;
  }

  /** Reads M1 and M3 of the next WebSocket. */
  async proved(): Promise<{ line: Line; verdict: Verdict }> {
    const line = await this.line();
    const { m2, readM3 } = readM1(this.daemon, await line.receive());
    line.tell(m2);
    return { line, verdict: readM3(await line.receive(), pskOf(this.#token)) };
  }

  /** Lets the device in by the next WebSocket. */
  async connected(welcome: unknown = WELCOME): Promise<Established> {
    const { line, verdict } = await this.proved();
    const { channel, message } = accept(verdict, plaintext(3, welcome));
    line.tell(message);
    return new Established(line, channel);
  }

  async close(): Promise<void> {
    const stopped = this.#link?.stop();
    for (const line of this.environment.opened) line.cut();
    await stopped;
    this.#store?.close();
  }
}

export class ScriptedEnvironment extends NodeEnvironment {
  readonly lines: Line[] = [];
  readonly opened: Line[] = [];
  /** What the page's clock shows; undefined: the real time. */
  clock: Clock | undefined;
  /** The subprotocol that the other end selects. */
  subprotocol = 'codeout.1';

  constructor() {
    super(ADDRESS, undefined);
  }

  override openSocket(): RawSocket {
    const line = new Line(this.subprotocol);
    this.lines.push(line);
    this.opened.push(line);
    return line;
  }

  override now(): number {
    return this.clock?.now ?? super.now();
  }

  override after(ms: number, run: () => void): () => void {
    return this.clock?.after(ms, run) ?? super.after(ms, run);
  }
}

/** A clock that a test moves. */
export class Clock {
  now = 1_790_000_000_000;
  #timers: { at: number; run: () => void }[] = [];

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.now + ms, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Lets so much time pass, in milliseconds. */
  advance(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.now = Math.max(this.now, due.at);
      due.run();
    }
    this.now = until;
  }
}

/** A WebSocket: the page sees a `RawSocket`, the test its other end. */
export class Line implements RawSocket {
  binaryType = '';
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  /** Whether the page has closed it. */
  closed = false;
  readonly #fromPage: Uint8Array[] = [];

  constructor(readonly protocol: string) {}

  send(bytes: Uint8Array): void {
    this.#fromPage.push(bytes.slice());
  }

  close(): void {
    this.closed = true;
  }

  /** Lets it open. */
  open(): void {
    this.onopen?.(undefined as never);
  }

  /** The next message of the page. */
  receive(): Promise<Uint8Array> {
    return until('the page sends', () => this.#fromPage.shift());
  }

  /** Whether a message of the page waits. */
  get waits(): boolean {
    return this.#fromPage.length > 0;
  }

  /** Sends to the page. */
  tell(data: unknown): void {
    this.onmessage?.({ data: data instanceof Uint8Array ? data.slice().buffer : data });
  }

  cut(): void {
    this.onclose?.(undefined as never);
  }
}

/** The daemon's end of a connection. */
export class Established {
  constructor(
    readonly line: Line,
    readonly channel: Channel,
  ) {}

  say(kind: number, content: unknown): void {
    this.record(plaintext(kind, content));
  }

  record(bytes: Uint8Array): void {
    this.line.tell(this.channel.sealer.seal(0, bytes));
  }

  /** A chunk (`10`, `14`) or a progress (`13`) of session 1. */
  bytes(kind: number, offset: number, bytes = new Uint8Array(0)): void {
    const head = new DataView(new ArrayBuffer(13));
    head.setUint8(0, kind);
    head.setUint32(1, ENTRY.session);
    head.setBigUint64(5, BigInt(offset));
    this.record(concat(new Uint8Array(head.buffer), bytes));
  }

  last(reason: string): void {
    this.line.tell(this.channel.sealer.finish(plaintext(3, { event: 'closing', reason })));
  }

  /** Answers the next request, which is `ping`. */
  async answerPing(): Promise<void> {
    const { request } = await this.next();
    if (request?.request !== 'ping') throw new Error(`not ping: ${request?.request}`);
    this.say(2, { id: request.id, ok: {} });
  }

  /** The next plaintext of the device. */
  async next(): Promise<Heard> {
    const { final, plaintext: bytes } = this.channel.opener.open(await this.line.receive());
    return final ? { kind: 'final' } : read(bytes);
  }

  /** The next plaintext of the device; requests for lists and pings are answered, and left out. */
  async hear(): Promise<Heard> {
    for (;;) {
      const heard = await this.next();
      if (heard.request?.request === 'sessions') {
        this.say(2, { id: heard.request.id, ok: { sessions: [], more: false } });
      } else if (heard.request?.request === 'ping') {
        this.say(2, { id: heard.request.id, ok: {} });
      } else {
        return heard;
      }
    }
  }
}

/** What a device says. */
export interface Heard {
  readonly kind: number | 'final';
  readonly request?: { id: number; request: string; keyboard?: number } & Record<string, unknown>;
  readonly offset?: number;
  readonly text?: string;
}

function read(bytes: Uint8Array): Heard {
  const kind = bytes[0] ?? 0;
  if (kind === 1) return { kind, request: JSON.parse(new TextDecoder().decode(bytes.subarray(1))) };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const offset = Number(view.getBigUint64(5));
  return { kind, offset, text: new TextDecoder().decode(bytes.subarray(13)) };
}

export function plaintext(kind: number, content: unknown): Uint8Array {
  return concat(Uint8Array.of(kind), text.encode(JSON.stringify(content)));
}
