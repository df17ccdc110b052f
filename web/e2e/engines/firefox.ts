/** Firefox, which speaks WebDriver BiDi itself. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Bidi } from './bidi';
import { callable, type Engine, type InputSource } from './engine';

const BIN = process.env.FIREFOX ?? 'firefox-esr';

const PREFERENCES = {
  // One page at a time, and text in the document: without a screen there is no WebGL.
  'webgl.disabled': true,
  'dom.ipc.processCount': 1,
  // What a user answers in a bubble that a browser without a window does not show.
  'dom.events.testing.asyncClipboard': true,
  'permissions.default.persistent-storage': 1,
  // It asks nobody on the internet.
  'app.normandy.enabled': false,
  'app.update.disabledForTesting': true,
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
  'browser.topsites.contile.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'extensions.systemAddon.update.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'http://127.0.0.1:9',
  'toolkit.telemetry.enabled': false,
};

/** A screen for fingers, and nothing else. */
const TOUCH = {
  'dom.w3c_touch_events.enabled': 1,
  'ui.primaryPointerCapabilities': 1,
  'ui.allPointerCapabilities': 1,
};

interface Entry {
  readonly level: string;
  readonly text: string | null;
}

interface Told {
  readonly data: { readonly value?: unknown };
}

/** Runs before anything of each page, and tells of what its policy forbids. */
const WATCH = `(tell) => document.addEventListener('securitypolicyviolation', (event) =>
  tell(event.violatedDirective + ' forbids ' + event.blockedURI + ' ' + event.sourceFile))`;

export class Firefox implements Engine {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #bidi: Bidi;
  readonly #faults: string[];
  #user: string | undefined;
  #page = '';

  private constructor(process: ChildProcess, profile: string, bidi: Bidi, faults: string[]) {
    this.#process = process;
    this.#profile = profile;
    this.#bidi = bidi;
    this.#faults = faults;
  }

  /** @param touch whether it is used with fingers, as on a phone */
  static async start(touch: boolean): Promise<Firefox> {
    const profile = mkdtempSync(join(tmpdir(), 'firefox-'));
    const lines = Object.entries({ ...PREFERENCES, ...(touch && TOUCH) }).map(
      ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`,
    );
    writeFileSync(join(profile, 'user.js'), lines.join(''));
    const args = ['--headless', '--remote-debugging-port=0', '--profile', profile];
    const child = spawn(BIN, args, {
      env: { ...process.env, HOME: profile, MOZ_CRASHREPORTER_DISABLE: '1' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    try {
      return await Firefox.#connect(child, profile);
    } catch (error) {
      child.kill();
      throw error;
    }
  }

  static async #connect(child: ChildProcess, profile: string): Promise<Firefox> {
    const faults: string[] = [];
    const url = `${await endpoint(child)}/session`;
    const bidi = await Bidi.connect(url, (method, params) => {
      if (method === 'script.message') faults.push(`policy: ${(params as Told).data.value}`);
      const { level, text } = params as Entry;
      if (method !== 'log.entryAdded' || (level !== 'error' && level !== 'warn')) return;
      faults.push(`${level}: ${text}`);
    });
    await bidi.send('session.new', { capabilities: {} });
    await bidi.send('session.subscribe', { events: ['log.entryAdded', 'script.message'] });
    const channel = { type: 'channel', value: { channel: 'policy' } };
    await bidi.send('script.addPreloadScript', {
      functionDeclaration: WATCH,
      arguments: [channel],
    });
    return new Firefox(child, profile, bidi, faults);
  }

  async begin(): Promise<void> {
    const before = this.#user;
    const { userContext } = await this.#bidi.send<{ userContext: string }>(
      'browser.createUserContext',
    );
    const { context } = await this.#bidi.send<{ context: string }>('browsingContext.create', {
      type: 'tab',
      userContext,
    });
    this.#user = userContext;
    this.#page = context;
    if (before) await this.#bidi.send('browser.removeUserContext', { userContext: before });
    this.#faults.length = 0;
  }

  async goto(url: string): Promise<void> {
    await this.#bidi.send('browsingContext.navigate', {
      context: this.#page,
      url,
      wait: 'complete',
    });
  }

  async reload(): Promise<void> {
    await this.#bidi.send('browsingContext.reload', { context: this.#page, wait: 'complete' });
  }

  async evaluate<A extends unknown[], R>(
    run: (...values: A) => R | Promise<R>,
    ...values: A
  ): Promise<R> {
    type Ran = {
      readonly type: string;
      readonly result: { readonly value: string };
      readonly exceptionDetails?: { readonly text: string };
    };
    const { result, exceptionDetails } = await this.#bidi.send<Ran>('script.callFunction', {
      functionDeclaration: callable(run),
      arguments: [{ type: 'string', value: JSON.stringify(values) }],
      target: { context: this.#page },
      awaitPromise: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.text);
    return JSON.parse(result.value);
  }

  async input(sources: readonly InputSource[]): Promise<void> {
    const context = this.#page;
    await this.#bidi.send('input.performActions', { context, actions: sources });
  }

  async resize(width: number, height: number): Promise<void> {
    const viewport = { width, height };
    await this.#bidi.send('browsingContext.setViewport', { context: this.#page, viewport });
  }

  async screenshot(): Promise<Buffer> {
    const { data } = await this.#bidi.send<{ data: string }>('browsingContext.captureScreenshot', {
      context: this.#page,
    });
    return Buffer.from(data, 'base64');
  }

  async faults(): Promise<string[]> {
    return [...this.#faults];
  }

  async close(): Promise<void> {
    const gone = new Promise((resolve) => this.#process.once('exit', resolve));
    await this.#bidi.send('browser.close').catch(() => this.#process.kill());
    if (this.#process.exitCode === null && this.#process.signalCode === null) await gone;
    this.#bidi.close();
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Where a browser that was just started can be spoken to, which it says itself. */
async function endpoint(child: ChildProcess): Promise<string> {
  if (!child.stderr) throw new Error('Firefox says nothing');
  const lines = createInterface({ input: child.stderr });
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`Firefox ended: ${code}`)));
      lines.on('line', (line) => {
        const [, url] = /BiDi listening on (ws:\S+)/.exec(line) ?? [];
        if (url) resolve(url);
      });
    });
  } finally {
    // The rest is read and dropped, or it would stand still when the pipe is full.
    lines.close();
    child.stderr.resume();
  }
}
