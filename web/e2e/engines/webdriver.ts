/** Classic WebDriver: commands by HTTP. */

/** How long a command may take, in milliseconds: a page that hangs answers nothing. */
const PATIENCE = 30_000;
/** How long a browser may take to start. */
const START = 30_000;

/** Commands of one driver; a session is begun and ended by who uses it. */
export class WebDriver {
  readonly #address: string;

  constructor(port: number) {
    this.#address = `http://127.0.0.1:${port}`;
  }

  async send<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<T> {
    const answer = await fetch(`${this.#address}${path}`, {
      method,
      signal: AbortSignal.timeout(path === '/session' ? START : PATIENCE),
      ...(body && { body: JSON.stringify(body) }),
    });
    const { value } = (await answer.json()) as { value: T & { error?: string; message?: string } };
    if (answer.ok) return value;
    throw new Error(`${path.split('/').slice(3).join('/')}: ${value.error}: ${value.message}`);
  }

  /** Whether it listens yet. */
  async ready(): Promise<boolean> {
    return this.send('GET', '/status').then(
      () => true,
      () => false,
    );
  }
}
