/** What is between a page and its daemon, and how it can go wrong. */

import { createConnection, createServer, type Server, type Socket } from 'node:net';

/**
 * Cuts a connection at a piece of what goes through it: in a handshake, each message is one. The
 * first piece each way is HTTP's.
 */
export interface Cut {
  readonly way: 'up' | 'down';
  /** Which piece, from 1. */
  readonly piece: number;
  /** Whether the piece still arrives. */
  readonly arrives: boolean;
}

export class Proxy {
  /** The cut of the next connection. */
  cutNext: Cut | undefined;
  /** What the next connections go through before a piece from the device is handed on. */
  holdUp: ((piece: number) => Promise<void>) | undefined;
  /** What has gone through it since it was made. */
  connections = 0;
  #pairs = new Set<readonly [Socket, Socket]>();
  #server: Server;
  /** Whether it turns every new connection away. */
  shut = false;

  private constructor(
    /** The port that new connections go to. */
    public target: number,
  ) {
    this.#server = createServer((device) => this.#carry(device));
  }

  static async to(target: number): Promise<Proxy> {
    const proxy = new Proxy(target);
    await new Promise<void>((listening) => {
      proxy.#server.listen(0, '127.0.0.1', listening);
    });
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (!address || typeof address === 'string') throw new Error('the proxy does not listen');
    return address.port;
  }

  /** Cuts every connection that there is. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  /** From now on nothing arrives any more, on connections that there are; new ones are carried. */
  freeze(): void {
    for (const [device, daemon] of this.#pairs) {
      device.pause();
      daemon.pause();
    }
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise<void>((closed) => {
      this.#server.close(() => closed());
    });
  }

  #carry(device: Socket): void {
    this.connections += 1;
    if (this.shut) return void device.destroy();
    const daemon = createConnection(this.target, '127.0.0.1');
    const pair = [device, daemon] as const;
    const cut = this.cutNext;
    this.cutNext = undefined;
    this.#pairs.add(pair);
    const end = () => {
      this.#pairs.delete(pair);
      for (const socket of pair) socket.destroy();
    };
    const carry = (way: Cut['way'], from: Socket, to: Socket) => {
      let pieces = 0;
      let before = Promise.resolve();
      const holdUp = way === 'up' ? this.holdUp : undefined;
      from.setNoDelay(true);
      from.on('data', (bytes) => {
        pieces += 1;
        const piece = pieces;
        const isCut = cut?.way === way && cut.piece === piece;
        before = before.then(async () => {
          await holdUp?.(piece);
          if (isCut && !cut.arrives) return end();
          to.write(bytes);
          if (isCut) to.end(() => end());
        });
      });
      from.on('close', end);
      from.on('error', end);
    };
    carry('up', device, daemon);
    carry('down', daemon, device);
  }
}
