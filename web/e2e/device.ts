/** A browser as a device: what its user does with it, and what it shows. */

import { type BrowserContext, expect, type Locator, type Page } from '@playwright/test';
import type { Desk } from './desk';
import { SessionScreen } from './screen';
import { Watch } from './watch';

export class BrowserDevice {
  readonly page: Page;
  readonly watch: Watch;
  readonly #context: BrowserContext;
  readonly #touch: boolean;

  private constructor(context: BrowserContext, page: Page, watch: Watch, touch: boolean) {
    this.#context = context;
    this.#touch = touch;
    this.page = page;
    this.watch = watch;
  }

  /** A browser that has never been at that desk. */
  static async start(context: BrowserContext, desk: Desk): Promise<BrowserDevice> {
    const watch = new Watch(context);
    watch.mayReach(desk.address);
    const page = await context.newPage();
    const touch = await page.evaluate(() => navigator.maxTouchPoints > 0);
    return new BrowserDevice(context, page, watch, touch);
  }

  get context(): BrowserContext {
    return this.#context;
  }

  async stop(): Promise<void> {
    await this.#context.close();
  }

  // Pairing

  /** Opens a pairing link, as the phone's camera does. */
  async openLink(link: string): Promise<void> {
    this.#hide(link);
    await this.page.goto(link);
  }

  /** Opens the address, types the code, and asks to pair. */
  async typeCode(address: string, code: string): Promise<void> {
    this.#hide(code);
    await this.page.goto(address);
    await this.codeField.fill(code);
    await this.button('Pair').click();
  }

  /** Pairs by a link, up to the sessions. */
  async pairByLink(link: string): Promise<void> {
    await this.openLink(link);
    await expect(this.heading(/^Paired with /)).toBeVisible();
    await this.button('Open sessions').click();
  }

  /** Pairs with a desk by a fresh offer of its own, with such limits as `--watch-only`. */
  async pairWith(desk: Desk, ...limits: string[]): Promise<void> {
    const offer = await desk.offer(...limits);
    await this.pairByLink(offer.link);
  }

  get codeField(): Locator {
    return this.page.getByRole('textbox', { name: 'Pairing code' });
  }

  /** The fingerprint that the page shows: `XXXX-XXXX`. */
  async fingerprint(): Promise<string> {
    const label = await this.page.getByLabel(/^Fingerprint /).getAttribute('aria-label');
    return (label ?? '').replace('Fingerprint ', '').replaceAll(' ', '');
  }

  /** What IndexedDB keeps of daemons. */
  async keptDaemons(): Promise<number> {
    return this.page.evaluate(async () => {
      const { databases } = indexedDB as IDBFactory & { databases(): Promise<{ name: string }[]> };
      const names = (await databases.call(indexedDB)).map(({ name }) => name);
      if (!names.includes('codeout')) return 0;
      return new Promise<number>((resolve, reject) => {
        const opening = indexedDB.open('codeout');
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const counting = opening.result.transaction('daemons').objectStore('daemons').count();
          counting.onsuccess = () => {
            opening.result.close();
            resolve(counting.result);
          };
        };
      });
    });
  }

  // Sessions

  /** Opens a session of the list. */
  async openSession(name: string): Promise<SessionScreen> {
    await this.listed(name).click();
    await expect(this.page.getByRole('region', { name: `Session ${name}` })).toBeVisible();
    await this.screen.attached();
    return this.screen;
  }

  /** A session of the list. */
  listed(name: string): Locator {
    const list = this.page.getByRole('main', { name: /^Sessions of / });
    return list.getByRole('listitem').getByText(name, { exact: true });
  }

  /** The session that is shown. */
  get screen(): SessionScreen {
    return new SessionScreen(this.page, this.#touch);
  }

  // What is on the page

  button(name: string | RegExp): Locator {
    return this.page.getByRole('button', { name, exact: true });
  }

  heading(name: string | RegExp): Locator {
    return this.page.getByRole('heading', { name, exact: true });
  }

  #hide(secret: string): void {
    const [, fragment] = secret.split('#');
    this.watch.mustHide(fragment ?? secret);
    if (fragment) this.watch.mustHide(fragment.slice(0, 12));
  }
}
