/** WebDriver BiDi: commands and events over one WebSocket. */

import WebSocket from 'ws';

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: string;
  readonly message?: string;
}

type Hears = (message: Message) => void;

export class Bidi {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, Hears>();
  #count = 0;

  private constructor(socket: WebSocket, event: (method: string, params: unknown) => void) {
    this.#socket = socket;
    socket.on('message', (data) => {
      const message = JSON.parse(String(data)) as Message;
      if (message.id === undefined) return event(message.method ?? '', message.params);
      this.#waiting.get(message.id)?.(message);
      this.#waiting.delete(message.id);
    });
    socket.on('close', () => {
      for (const hears of this.#waiting.values()) hears({ error: 'the browser is gone' });
      this.#waiting.clear();
    });
  }

  /** @param event is called with every event that was subscribed to */
  static async connect(
    url: string,
    event: (method: string, params: unknown) => void,
  ): Promise<Bidi> {
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return new Bidi(socket, event);
  }

  send<T>(method: string, params: object = {}): Promise<T> {
    this.#count += 1;
    const id = this.#count;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error, message }) => {
        if (error) reject(new Error(`${method}: ${error}: ${message}`));
        else resolve(result as T);
      });
      this.#socket.send(JSON.stringify({ id, method, params }), (error) => {
        if (error) reject(new Error(`${method}: the browser is gone`));
      });
    });
  }

  close(): void {
    this.#socket.close();
  }
}
