/** What no page may ever do, watched in every test. */

import { type BrowserContext, expect, type Page } from '@playwright/test';

/** Runs that may be a key or a token: 32 bytes or more in hexadecimal, base32 or base64. */
const KEY = /[0-9a-fA-F]{64,}|[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{52,}|[A-Za-z0-9+/_-]{43,}=?/;

/** Follows every page of one browser context, and remembers what it must not have done. */
export class Watch {
  readonly #context: BrowserContext;
  readonly #addresses = new Set<string>();
  readonly #secrets = new Set<string>();
  readonly #faults: string[] = [];
  readonly #said: string[] = [];
  readonly #asked: string[] = [];
  readonly #expected: RegExp[] = [];

  constructor(context: BrowserContext) {
    this.#context = context;
    context.on('console', (message) => {
      this.#said.push(message.text());
      if (message.type() === 'error' || message.type() === 'warning') {
        this.#faults.push(`console: ${message.text()}`);
      }
    });
    context.on('weberror', (fault) => this.#faults.push(`uncaught: ${fault.error()}`));
    context.on('dialog', (dialog) => {
      this.#faults.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    context.on('request', (request) => this.#asked.push(request.url()));
    context.on('page', (page) => {
      page.on('websocket', (socket) => this.#asked.push(socket.url()));
    });
  }

  /** Requests may go to this address (`http://host:port`). */
  mayReach(address: string): void {
    this.#addresses.add(address);
  }

  /** This text, with or without its dashes, may be nowhere but where it must be shown. */
  mustHide(secret: string): void {
    this.#secrets.add(canonical(secret));
  }

  /** A message that the browser itself writes to the console, such as of a refused connection. */
  expectFault(pattern: RegExp): void {
    this.#expected.push(pattern);
  }

  /** Fails when any page did what none may do, or holds what none may hold. */
  async check(): Promise<void> {
    const faults = this.#faults.filter((fault) => !this.#expected.some((one) => one.test(fault)));
    expect(faults, 'errors, warnings, dialogs').toEqual([]);
    for (const url of this.#asked) this.#checkRequest(url);
    for (const text of this.#said) this.#hides('the console', text);
    expect(await this.#context.cookies(), 'cookies').toEqual([]);
    for (const page of this.#context.pages()) await this.#checkPage(page);
  }

  #checkRequest(url: string): void {
    if (/^(blob|data):/.test(url)) return;
    const { protocol, host, hash, search } = new URL(url);
    const address = `${protocol.replace(/^ws/, 'http')}//${host}`;
    expect([...this.#addresses], `a request to ${address}`).toContain(address);
    // A fragment is never sent; it is in the URL of the navigation alone, which the test made.
    this.#hides(`the request ${address}`, url.slice(0, url.length - hash.length));
    if (url.startsWith('ws')) expect(search, 'the query of the WebSocket').toBe('');
  }

  async #checkPage(page: Page): Promise<void> {
    if (page.isClosed() || page.url() === 'about:blank') return;
    expect(new URL(page.url()).hash, 'the fragment').toBe('');
    const held = await page.evaluate(() => ({
      cookie: document.cookie,
      local: { ...localStorage },
      session: { ...sessionStorage },
      state: JSON.stringify(history.state),
      html: document.documentElement.outerHTML,
      fields: [...document.querySelectorAll('input, textarea')].map(
        (field) => (field as HTMLInputElement).value,
      ),
      text: [...document.body.querySelectorAll('*')]
        .filter((element) => !element.closest('.xterm'))
        .flatMap((element) => [...element.childNodes])
        .filter((node) => node.nodeType === Node.TEXT_NODE)
        .map((node) => node.textContent ?? ''),
    }));
    expect(held.cookie, 'document.cookie').toBe('');
    // How the page looks must be known before its first paint; nothing else may be here.
    expect(Object.keys(held.local).join(), 'localStorage').toMatch(/^(codeout\.settings)?$/);
    expect(held.session, 'sessionStorage').toEqual({});
    const stored = Object.values(held.local);
    for (const text of [...held.fields, ...held.text, ...stored, held.state, page.url()]) {
      this.#hides('the page', text);
      expect(text, 'a run as long as a key').not.toMatch(KEY);
    }
    this.#hides('the page', held.html);
    await this.#checkHistory(page);
  }

  /** The browser's own history of the tab, which outlives the page. */
  async #checkHistory(page: Page): Promise<void> {
    const session = await this.#context.newCDPSession(page);
    const { entries } = await session.send('Page.getNavigationHistory');
    await session.detach();
    for (const { url, title } of entries) {
      if (url === 'about:blank') continue;
      this.#hides('the history', `${url} ${title}`);
    }
  }

  #hides(where: string, text: string): void {
    const plain = canonical(text);
    for (const secret of this.#secrets) {
      expect(plain.includes(secret), `a secret in ${where}`).toBe(false);
    }
  }
}

/** Without what people may leave out, and in one case. */
function canonical(text: string): string {
  return text.replaceAll('-', '').toUpperCase();
}
