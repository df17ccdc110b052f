/** What carries the link: a TCP proxy that can be cut, frozen, held, or led astray. */

import { connect, createServer, type Server, type Socket } from 'node:net';

/** Decides by the path of the first request of a TCP connection which local port it goes to. */
export type Route = (path: string) => number;

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  readonly path: string;
}

/** Longer than the head of any HTTP reply to an upgrade, shorter than P2 and M2. */
const REPLY_BYTES = 1000;

export class Wire {
  readonly #server: Server;
  readonly #route: Route;
  readonly #pairs = new Set<Pair>();
  readonly #waiting = new Set<Socket>();
  #port = 0;
  #frozen = false;
  #held: ((socket: Socket) => void) | undefined;

  private constructor(route: Route) {
    this.#route = route;
    this.#server = createServer({ pauseOnConnect: false }, (near) => this.#accept(near));
  }

  /** A proxy on a free port of loopback. */
  static async start(route: Route | number): Promise<Wire> {
    const wire = new Wire(typeof route === 'number' ? () => route : route);
    await wire.#listen(0);
    return wire;
  }

  get port(): number {
    return this.#port;
  }

  /** How many connections to `/ws` are open. */
  get links(): number {
    return [...this.#pairs].filter(({ path }) => path === '/ws').length;
  }

  /** Ends every connection, and refuses new ones. */
  async cut(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const { near, far } of this.#pairs) {
      near.resetAndDestroy();
      far.destroy();
    }
    for (const socket of this.#waiting) socket.destroy();
    await closed;
  }

  /** Accepts connections again. */
  async restore(): Promise<void> {
    await this.#listen(this.#port);
  }

  /** Passes nothing on any more, and says nothing: as when a phone leaves the Wi-Fi. */
  freeze(): void {
    this.#frozen = true;
    for (const { near, far } of this.#pairs) {
      near.pause();
      far.pause();
    }
  }

  /** What was frozen is lost for good; new connections pass. */
  thaw(): void {
    this.#frozen = false;
    for (const { near, far } of this.#pairs) {
      near.resetAndDestroy();
      far.destroy();
    }
    for (const socket of this.#waiting) socket.destroy();
  }

  /**
   * Holds back what the next device on `/ws` says once the daemon has answered it: P3 or M3.
   * @returns `held` resolves when it stands; `release` lets it pass.
   */
  holdSecondMessage(): { held: Promise<void>; release: () => void } {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      this.#held = (near) => {
        near.pause();
        release = () => near.resume();
        resolve();
      };
    });
    return { held, release: () => release() };
  }

  async stop(): Promise<void> {
    await this.cut();
  }

  #listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', () => {
        const address = this.#server.address();
        if (address && typeof address === 'object') this.#port = address.port;
        this.#server.removeListener('error', reject);
        resolve();
      });
    });
  }

  #accept(near: Socket): void {
    near.on('error', () => undefined);
    this.#waiting.add(near);
    near.once('close', () => this.#waiting.delete(near));
    if (this.#frozen) return;
    near.once('data', (first: Buffer) => {
      this.#waiting.delete(near);
      const path = first.toString('latin1').split(' ', 2)[1] ?? '/';
      this.#join(near, path, first);
    });
  }

  #join(near: Socket, path: string, first: Buffer): void {
    const far = connect(this.#route(path), '127.0.0.1');
    const pair = { near, far, path };
    this.#pairs.add(pair);
    far.on('error', () => near.destroy());
    far.once('close', () => near.end());
    near.once('close', () => {
      far.end();
      this.#pairs.delete(pair);
    });
    far.write(first);
    far.on('data', (data) => {
      this.#holdAt(pair, data);
      near.write(data);
    });
    near.on('data', (data) => far.write(data));
  }

  #holdAt({ near, path }: Pair, reply: Buffer): void {
    if (path !== '/ws' || !this.#held || reply.length < REPLY_BYTES) return;
    this.#held(near);
    this.#held = undefined;
  }
}
