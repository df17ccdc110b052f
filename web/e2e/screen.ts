/** A session as the page shows it. */

import { expect, type Locator, type Page } from '@playwright/test';

export class SessionScreen {
  readonly page: Page;
  readonly #touch: boolean;

  /** @param touch whether text comes from an on-screen keyboard, which sends no keys */
  constructor(page: Page, touch: boolean) {
    this.page = page;
    this.#touch = touch;
  }

  /** The text of each row, without spaces at its end. */
  async rows(): Promise<string[]> {
    const rows = await this.page.locator('.xterm-rows > div').allTextContents();
    return rows.map((row) => row.replaceAll('\u00a0', ' ').trimEnd());
  }

  /** Waits until what is shown matches. */
  async shows(pattern: RegExp): Promise<void> {
    const text = async (): Promise<string> => (await this.rows()).join('\n');
    await expect.poll(text, { intervals: [30] }).toMatch(pattern);
  }

  /** Waits until the session's screen is there. */
  async attached(): Promise<void> {
    await expect(this.state).toBeEmpty();
    await expect(this.page.locator('.xterm-rows > div').first()).toBeAttached();
  }

  /** Waits until what is shown stays the same for some frames: momentum has ended. */
  async stands(): Promise<void> {
    let before = '';
    const same = async (): Promise<boolean> => {
      const now = (await this.rows()).join('\n');
      const stands = now === before;
      before = now;
      return stands;
    };
    await expect.poll(same, { intervals: [200] }).toBe(true);
  }

  /** What takes keys. */
  get field(): Locator {
    return this.page.getByRole('textbox', { name: /^Terminal of / });
  }

  /** What the line above the terminal says. */
  get state(): Locator {
    return this.page.getByRole('status', { name: 'Session state' });
  }

  /** Types text, as this device's keyboard does. */
  async type(text: string): Promise<void> {
    await this.field.focus();
    if (!this.#touch) return this.page.keyboard.type(text);
    for (const character of text) await this.page.keyboard.insertText(character);
  }

  /** Types text and Enter. */
  async enter(text: string): Promise<void> {
    await this.type(text);
    await this.page.keyboard.press('Enter');
  }

  /** Presses keys by the browser's names: `Escape`, `Control+c`. */
  async press(...keys: string[]): Promise<void> {
    await this.field.focus();
    for (const key of keys) await this.page.keyboard.press(key);
  }

  /** A key of the key bar. */
  key(label: string): Locator {
    const bar = this.page.getByRole('toolbar', { name: 'Terminal keys' });
    return bar.getByRole('button', { name: label, exact: true });
  }

  /** Opens the menu of the session. */
  async menu(): Promise<Locator> {
    await this.page.getByRole('button', { name: 'Session menu' }).click();
    return this.page.getByRole('dialog', { name: 'Session' });
  }

  /** All of its text, with what has scrolled off, as the view for selecting gives it. */
  async wholeText(): Promise<string> {
    const menu = await this.menu();
    await menu.getByRole('button', { name: 'Select text' }).click();
    const view = this.page.getByRole('dialog', { name: 'Select text' });
    const parts = await view.locator('pre').allTextContents();
    await view.getByRole('button', { name: 'Close' }).click();
    return parts.join('\n');
  }
}
