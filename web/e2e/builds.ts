/** A proxy before a daemon that can serve another build of the page than the daemon has. */

import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request,
  type Server,
} from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** What the page of another build has, and the daemon's own has not. */
export const MARK = 'meta[name="next-build"]';

export class Builds {
  readonly #server: Server;
  readonly #far: number;
  readonly #sockets = new Set<Socket | Duplex>();
  #isNext = false;

  private constructor(far: number) {
    this.#far = far;
    this.#server = createServer((asked, answer) => {
      this.#ask(asked).then(
        ({ status, headers, body }) => answer.writeHead(status, headers).end(body),
        () => answer.destroy(),
      );
    });
    this.#server.on('upgrade', (asked, near, head) => this.#join(asked, near, head));
  }

  static async start(far: number): Promise<Builds> {
    const builds = new Builds(far);
    await new Promise<void>((listens) => builds.#server.listen(0, '127.0.0.1', listens));
    return builds;
  }

  get port(): number {
    const address = this.#server.address();
    return address && typeof address === 'object' ? address.port : 0;
  }

  /** Serves the other build from now on. */
  next(): void {
    this.#isNext = true;
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #ask({ url = '/', method, headers: { host } }: IncomingMessage) {
    // Neither packed nor left out because it is known: it may be altered.
    const options = { port: this.#far, path: url, method, headers: { host } };
    return new Promise<{ status: number; headers: OutgoingHttpHeaders; body: Buffer }>(
      (resolve, reject) => {
        const asking = request(options, (answer) => {
          const parts: Buffer[] = [];
          answer.on('data', (part: Buffer) => parts.push(part));
          answer.on('end', () => {
            const { etag: _, 'content-length': __, ...headers } = answer.headers;
            const body = this.#altered(url, Buffer.concat(parts));
            resolve({ status: answer.statusCode ?? 500, headers, body });
          });
        });
        asking.on('error', reject);
        asking.end();
      },
    );
  }

  #altered(path: string, body: Buffer): Buffer {
    if (!this.#isNext) return body;
    const text = body.toString();
    if (path === '/')
      return Buffer.from(text.replace('<title>', '<meta name="next-build"><title>'));
    // Whatever is built from other sources has other versions in it.
    if (path === '/sw.js') return Buffer.from(text.replace(/\b[0-9a-f]{32}\b/g, '0'.repeat(32)));
    return body;
  }

  #join({ method, url, rawHeaders }: IncomingMessage, near: Duplex, head: Buffer): void {
    const far = connect(this.#far, '127.0.0.1');
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.once('close', () => this.#sockets.delete(socket));
    }
    let lines = `${method} ${url} HTTP/1.1\r\n`;
    for (let at = 0; at < rawHeaders.length; at += 2) {
      lines += `${rawHeaders[at]}: ${rawHeaders[at + 1]}\r\n`;
    }
    far.write(`${lines}\r\n`);
    far.write(head);
    near.pipe(far).pipe(near);
  }
}
