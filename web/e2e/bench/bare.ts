/**
 * A Chromium that nothing watches. Playwright hears of each message of a WebSocket: the page's main
 * thread then writes all of it down a second time, in base64, and three processes read that.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import WebSocket from 'ws';
import { DESKTOP, launchOptions } from '../browser';
import type { Desk } from '../desk';
import { betweenLooks } from '../wait';
import { type Marks, watchMarks, whenPainted } from './marks';

/** How long anything here may take, in milliseconds. */
const PATIENCE = 60_000;

type Hears = (message: { result?: unknown; error?: { message: string } }) => void;

/** One page of a browser of its own. */
export class BarePage {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #line: WebSocket;
  readonly #waiting = new Map<number, Hears>();
  #count = 0;
  #page: string | undefined;

  private constructor(process: ChildProcess, profile: string, line: WebSocket) {
    this.#process = process;
    this.#profile = profile;
    this.#line = line;
    line.on('message', (data) => {
      const { id, ...message } = JSON.parse(String(data));
      this.#waiting.get(id)?.(message);
      this.#waiting.delete(id);
    });
  }

  /** Starts a browser, whose page is watched by marks from its first moment. */
  static async open(): Promise<BarePage> {
    const profile = mkdtempSync(join(tmpdir(), 'browser-'));
    const { width, height } = DESKTOP.viewport;
    const child = spawn(
      launchOptions.executablePath ?? 'chromium',
      [
        '--headless=new',
        ...(launchOptions.args ?? []),
        `--user-data-dir=${profile}`,
        `--window-size=${width},${height}`,
        '--remote-debugging-port=0',
        'about:blank',
      ],
      { stdio: 'ignore' },
    );
    const line = new WebSocket(await endpoint(child, profile));
    await new Promise((resolve, reject) => line.once('open', resolve).once('error', reject));
    const page = new BarePage(child, profile, line);
    await page.#attach();
    await page.send('Emulation.setDeviceMetricsOverride', {
      ...DESKTOP.viewport,
      deviceScaleFactor: DESKTOP.deviceScaleFactor,
      mobile: false,
    });
    await page.send('Page.enable');
    await page.send('Performance.enable', { timeDomain: 'threadTicks' });
    await page.send('Page.addScriptToEvaluateOnNewDocument', { source: `(${watchMarks})()` });
    return page;
  }

  async close(): Promise<void> {
    const gone = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#page = undefined;
    // Its other processes write to the profile until they are told.
    await this.send('Browser.close');
    await gone;
    this.#line.close();
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  /** A command of the DevTools protocol. Nothing that writes down what the page does is in use. */
  async send<T = unknown>(method: string, params: object = {}): Promise<T> {
    this.#count += 1;
    const id = this.#count;
    const answer = new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) => {
        if (error) reject(new Error(`${method}: ${error.message}`));
        else resolve(result as T);
      });
    });
    const of = this.#page === undefined ? {} : { sessionId: this.#page };
    this.#line.send(JSON.stringify({ id, method, params, ...of }));
    return answer;
  }

  async goto(url: string): Promise<void> {
    await this.send('Page.navigate', { url });
  }

  /** Runs a script in the page, and returns its value, or what its promise comes to. */
  async run<T>(expression: string): Promise<T> {
    type Ran = { result: { value: T }; exceptionDetails?: { text: string } };
    const how = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.send<Ran>('Runtime.evaluate', how);
    if (exceptionDetails) throw new Error(`${expression.slice(0, 200)}: ${exceptionDetails.text}`);
    return result.value;
  }

  /** Waits until an expression is something there. It must do nothing else. */
  async until<T>(expression: string): Promise<T> {
    for (const begun = Date.now(); Date.now() - begun < PATIENCE; await betweenLooks()) {
      // A page that is being replaced answers nothing.
      const value = await this.run<T | null | undefined | false>(expression).catch(() => undefined);
      if (value !== undefined && value !== null && value !== false) return value;
    }
    throw new Error(`never so: ${expression}; ${await this.run('document.body.innerText')}`);
  }

  /** Presses the first of such elements that has that text. */
  async press(selector: string, text: string): Promise<void> {
    const all = `[...document.querySelectorAll(${JSON.stringify(selector)})]`;
    const one = `${all}.find((one) => one.textContent.includes(${JSON.stringify(text)}))`;
    await this.until(`${one} !== undefined`);
    await this.run(`${one}.click()`);
  }

  /** Types one key, as a keyboard does. */
  async key(key: string): Promise<void> {
    const isEnter = key === 'Enter';
    const text = isEnter ? '\r' : key;
    const code = isEnter ? 13 : key.toUpperCase().charCodeAt(0);
    const one = { key, windowsVirtualKeyCode: code };
    await this.send('Input.dispatchKeyEvent', { type: 'keyDown', text, ...one });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...one });
  }

  async marks(): Promise<Marks> {
    return this.run('window.marks');
  }

  /** When that was first painted, in milliseconds of the page's clock. */
  async painted(name: keyof Marks['painted']): Promise<number> {
    return this.until(`window.marks?.painted[${JSON.stringify(name)}]`);
  }

  /** As `painted`, in a page that stays. It is asked once: each question takes from what it does. */
  async willPaint(name: keyof Marks['painted']): Promise<number> {
    return this.run(whenPainted(name, PATIENCE));
  }

  /** The page's JavaScript heap after a collection, and its process in the system, in MiB. */
  async memory(): Promise<{ heap: number; resident: number }> {
    await this.send('HeapProfiler.collectGarbage');
    const heap = await this.#metric('JSHeapUsedSize');
    type Info = { processInfo: { type: string; id: number }[] };
    const page = this.#page;
    this.#page = undefined;
    const { processInfo } = await this.send<Info>('SystemInfo.getProcessInfo');
    this.#page = page;
    const resident = processInfo
      .filter(({ type, id }) => type === 'renderer' && existsSync(`/proc/${id}/status`))
      .map(({ id }) => /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1]);
    return { heap: heap / (1 << 20), resident: Math.max(0, ...resident.map(Number)) / 1024 };
  }

  /** The processor time that the page's main thread has taken so far, in seconds. */
  async mainThread(): Promise<number> {
    return this.#metric('ThreadTime');
  }

  async #metric(name: string): Promise<number> {
    type Metrics = { metrics: { name: string; value: number }[] };
    const { metrics } = await this.send<Metrics>('Performance.getMetrics');
    return metrics.find((one) => one.name === name)?.value ?? Number.NaN;
  }

  async #attach(): Promise<void> {
    type Targets = { targetInfos: { targetId: string; type: string }[] };
    const { targetInfos } = await this.send<Targets>('Target.getTargets');
    const targetId = targetInfos.find(({ type }) => type === 'page')?.targetId;
    const attached = { targetId, flatten: true };
    const { sessionId } = await this.send<{ sessionId: string }>('Target.attachToTarget', attached);
    this.#page = sessionId;
  }
}

/** Pairs a bare page with a desk, and opens a session that shows `$`. */
export async function watching(page: BarePage, desk: Desk, session: string): Promise<void> {
  const { link } = await desk.offer();
  await page.goto(link);
  await page.press('button', 'Open sessions');
  await page.press('li button', session);
  await page.painted('terminal');
}

/** Where a browser that was just started can be spoken to. */
async function endpoint(child: ChildProcess, profile: string): Promise<string> {
  const file = join(profile, 'DevToolsActivePort');
  for (const begun = Date.now(); Date.now() - begun < PATIENCE; await betweenLooks()) {
    const [port, path] = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
    if (port && path) return `ws://127.0.0.1:${port}${path}`;
    if (child.exitCode !== null) throw new Error(`Chromium ended: ${child.exitCode}`);
  }
  throw new Error('Chromium does not answer');
}
