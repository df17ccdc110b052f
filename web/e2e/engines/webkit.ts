/** WebKit as Debian has it: WebKitGTK's own driver and browser, on a screen that nobody sees. */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../desk';
import { betweenLooks } from '../wait';
import { callable, type Engine, type InputSource } from './engine';
import { WebDriver } from './webdriver';

/** How long the driver may take to listen, in milliseconds. */
const PATIENCE = 20_000;

const SCREEN = '1400x1000x24';

/** Driven from outside; and with the clipboard without a question that nobody sees. */
const ARGUMENTS = ['--automation', '--javascript-can-access-clipboard=true'];

/** The part of a page's `window` in which its faults are noted. */
interface Noted {
  faults?: string[];
}

/** Notes from now on what goes wrong in the page; what its policy forbade before is told too. */
function noteFaults(): void {
  const noted = window as unknown as Noted;
  if (noted.faults) return;
  const faults: string[] = [];
  noted.faults = faults;
  window.addEventListener('error', ({ message }) => faults.push(`uncaught: ${message}`));
  window.addEventListener('unhandledrejection', ({ reason }) => faults.push(`uncaught: ${reason}`));
  for (const level of ['error', 'warn'] as const) {
    const say = console[level];
    console[level] = (...words: unknown[]) => {
      faults.push(`${level}: ${words.join(' ')}`);
      say.apply(console, words);
    };
  }
  const tell = (reports: readonly Report[]) => {
    for (const { body } of reports) faults.push(`policy: ${JSON.stringify(body)}`);
  };
  new ReportingObserver(tell, { types: ['csp-violation'], buffered: true }).observe();
}

export class WebKit implements Engine {
  readonly #screen: ChildProcess;
  readonly #display: string;
  #server: Server;
  #session: string | undefined;
  /** Of pages that were left. */
  #faults: string[] = [];

  private constructor(screen: ChildProcess, display: string, server: Server) {
    this.#screen = screen;
    this.#display = display;
    this.#server = server;
  }

  static async start(): Promise<WebKit> {
    const screen = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', SCREEN, '-nolisten', 'tcp'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    });
    try {
      const number = await new Promise((resolve, reject) => {
        screen.once('error', reject);
        screen.once('exit', (code) => reject(new Error(`Xvfb ended: ${code}`)));
        screen.stdio[3]?.once('data', (data) => resolve(String(data).trim()));
      });
      const display = `:${number}`;
      return new WebKit(screen, display, await startServer(display));
    } catch (error) {
      screen.kill();
      throw error;
    }
  }

  async begin(webgl: boolean): Promise<void> {
    await this.#end();
    this.#faults = [];
    const options = { binary: miniBrowser(), args: [...ARGUMENTS, `--enable-webgl=${webgl}`] };
    const wanted = { browserName: 'MiniBrowser', 'webkitgtk:browserOptions': options };
    const session = () =>
      this.#server.driver.send<{ sessionId: string }>('POST', '/session', {
        capabilities: { alwaysMatch: wanted },
      });
    // Now and then a browser never answers its driver: nothing of the app has run yet.
    const { sessionId } = await session().catch(async () => {
      await end(this.#server.process);
      this.#server = await startServer(this.#display);
      return session();
    });
    this.#session = sessionId;
  }

  async goto(url: string): Promise<void> {
    await this.#keepFaults();
    await this.#post('/url', { url });
    await this.evaluate(noteFaults);
  }

  async reload(): Promise<void> {
    await this.#keepFaults();
    await this.#post('/refresh', {});
    await this.evaluate(noteFaults);
  }

  async evaluate<A extends unknown[], R>(
    run: (...values: A) => R | Promise<R>,
    ...values: A
  ): Promise<R> {
    const script = `const [values, done] = arguments;
      (${callable(run)})(values).then((json) => done([json]), (error) => done([, String(error)]));`;
    const args = [JSON.stringify(values)];
    const [json, error] = await this.#post<string[]>('/execute/async', { script, args });
    if (error || !json) throw new Error(error ?? 'no value');
    return JSON.parse(json);
  }

  async input(sources: readonly InputSource[]): Promise<void> {
    await this.#post('/actions', { actions: sources });
  }

  async resize(width: number, height: number): Promise<void> {
    await this.#post('/window/rect', { x: 0, y: 0, width, height });
  }

  async screenshot(): Promise<Buffer> {
    const path = `/session/${this.#session}/screenshot`;
    return Buffer.from(await this.#server.driver.send<string>('GET', path), 'base64');
  }

  async faults(): Promise<string[]> {
    await this.#keepFaults();
    return [...this.#faults];
  }

  async close(): Promise<void> {
    // One that hangs ends with its driver.
    await this.#end().catch(() => undefined);
    await end(this.#server.process);
    await end(this.#screen);
  }

  async #keepFaults(): Promise<void> {
    const take = () => (window as unknown as Noted).faults?.splice(0) ?? [];
    this.#faults.push(...(await this.evaluate(take)));
  }

  async #end(): Promise<void> {
    if (this.#session === undefined) return;
    await this.#server.driver.send('DELETE', `/session/${this.#session}`);
    this.#session = undefined;
  }

  #post<T>(path: string, body: object): Promise<T> {
    return this.#server.driver.send('POST', `/session/${this.#session}${path}`, body);
  }
}

/** A driver that runs. */
interface Server {
  readonly process: ChildProcess;
  readonly driver: WebDriver;
}

async function startServer(display: string): Promise<Server> {
  const port = await freePort();
  const server = spawn('WebKitWebDriver', [`--port=${port}`], {
    env: {
      ...process.env,
      DISPLAY: display,
      // Its sandbox refuses root, as whom continuous integration runs.
      ...(process.getuid?.() === 0 && { WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1' }),
    },
    stdio: 'ignore',
  });
  const driver = new WebDriver(port);
  for (const begun = Date.now(); !(await driver.ready()); await betweenLooks()) {
    if (server.exitCode === null && Date.now() - begun < PATIENCE) continue;
    server.kill();
    throw new Error(`WebKitWebDriver does not answer: ${server.exitCode}`);
  }
  return { process: server, driver };
}

/** Ends a process for good, if it has not ended by itself. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill();
  await gone;
}

/** The browser that its package puts where no PATH leads. */
function miniBrowser(): string {
  const libraries = '/usr/lib';
  for (const triplet of readdirSync(libraries)) {
    for (const version of ['webkit2gtk-4.1', 'webkit2gtk-4.0', 'webkitgtk-6.0']) {
      const file = join(libraries, triplet, version, 'MiniBrowser');
      if (existsSync(file)) return file;
    }
  }
  throw new Error('there is no MiniBrowser');
}
