/** A page in Node: the device's real code, with `ws` and an IndexedDB of its own. */

import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';
import { WebSocket } from 'ws';
import { type BrowserDevice, openDevice } from '../../src/device/device';
import type { Answering, Circumstance, Environment, RawSocket } from '../../src/device/environment';
import { probe } from '../../src/device/environment';
import { computedOnce, type Fingerprints } from '../../src/device/fingerprint';
import { fingerprintOf } from '../../src/protocol/fingerprint';
import { ready } from '../../src/protocol/sodium';

/** What a page of that browser finds stored. */
export class Browser {
  readonly #stored = new IDBFactory();
  readonly #pages = new Set<Page>();

  /** Opens a page that was served from `origin`, which is reached by `port`. */
  async open(origin: string, port?: number): Promise<Page> {
    globalThis.indexedDB = this.#stored;
    const environment = new NodeEnvironment(origin, port);
    const page = new Page(environment, await openDevice(environment));
    this.#pages.add(page);
    return page;
  }

  async close(): Promise<void> {
    for (const page of this.#pages) await page.device.end();
    this.#pages.clear();
  }
}

export class Page {
  constructor(
    readonly environment: NodeEnvironment,
    readonly device: BrowserDevice,
  ) {}
}

/** Without a Worker; each daemon's is computed once for all pages, since it takes its time. */
const prints: Fingerprints = computedOnce({
  of: async (spk) => {
    await ready;
    return fingerprintOf(spk);
  },
  end() {},
});

export class NodeEnvironment implements Environment {
  isVisible = true;
  isOnline = true;
  /** Every WebSocket message that was sent. */
  readonly sent: Uint8Array[] = [];
  readonly #listeners = new Set<(what: Circumstance) => void>();

  constructor(
    readonly origin: string,
    readonly port: number | undefined,
  ) {}

  now(): number {
    return Date.now();
  }

  after(ms: number, run: () => void): () => void {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  }

  visible(): boolean {
    return this.isVisible;
  }

  online(): boolean {
    return this.isOnline;
  }

  onCircumstance(listener: (what: Circumstance) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(what: Circumstance): void {
    for (const listener of [...this.#listeners]) listener(what);
  }

  openSocket(url: string, subprotocol: string): RawSocket {
    const target = this.#reached(url);
    const socket = new WebSocket(target, subprotocol, { perMessageDeflate: false });
    const send = socket.send.bind(socket);
    socket.send = (bytes: Uint8Array) => {
      this.sent.push(bytes);
      send(bytes);
    };
    return socket as unknown as RawSocket;
  }

  probe(url: string): Promise<Answering> {
    return probe(this.#reached(url).href);
  }

  /** Where it is in truth: on this computer. */
  #reached(url: string): URL {
    const target = new URL(url);
    target.hostname = '127.0.0.1';
    if (this.port !== undefined) target.port = `${this.port}`;
    return target;
  }

  fingerprints(): Fingerprints {
    return prints;
  }

  keepStorage(): void {}
}
