/** A laptop without a pointer: everything by the keyboard, with the focus always to be seen. */

import type { Page } from '@playwright/test';
import { expect, test } from './fixtures';

/** What has the focus, by its role and name, and whether it can be seen that it has. */
async function focused(page: Page): Promise<{ name: string; seen: boolean }> {
  return page.evaluate(() => {
    const element = document.activeElement;
    if (!element || element === document.body) return { name: '', seen: false };
    const labels = 'labels' in element ? (element as HTMLInputElement).labels : null;
    const name =
      element.getAttribute('aria-label') ??
      labels?.[0]?.textContent?.trim() ??
      element.textContent?.trim() ??
      '';
    // A radio button lies invisible in its label, which shows the focus in its place.
    const shown = [element, element.closest('label')].filter((one) => one !== null);
    const seen = shown.some((one) => {
      const { outlineStyle, outlineWidth } = getComputedStyle(one);
      return outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 2;
    });
    return { name, seen };
  });
}

/** Presses Tab, or Shift+Tab, until what is called so has the focus; each stop must be seen. */
async function tabTo(page: Page, wanted: string | RegExp, key = 'Tab'): Promise<void> {
  const pattern = typeof wanted === 'string' ? new RegExp(`^${wanted}$`) : wanted;
  const stops: string[] = [];
  for (let press = 0; press < 40; press += 1) {
    await page.keyboard.press(key);
    const { name, seen } = await focused(page);
    if (name === '') continue;
    expect(seen, `the focus on “${name}” can be seen`).toBe(true);
    if (pattern.test(name)) return;
    stops.push(name);
  }
  throw new Error(`${key} never came to ${pattern}: ${stops.join(' | ')}`);
}

test('from the code to a shell, its menu, and back, by the keyboard alone', async ({
  desk,
  device,
}) => {
  const { page } = device;
  const { keyboard } = page;
  const code = await desk.freshCode();
  device.watch.mustHide(code);
  await page.goto(desk.address);
  await expect(device.codeField).toBeFocused();
  await keyboard.type(code);
  await keyboard.press('Enter');
  await expect(device.heading('Does the daemon show the same?')).toBeFocused();
  await tabTo(page, /^They match/);
  await keyboard.press('Enter');
  await expect(device.heading('Paired with desk')).toBeFocused();
  await tabTo(page, 'Open sessions');
  await keyboard.press('Enter');

  await tabTo(page, 'New session');
  await keyboard.press('Enter');
  const sheet = page.getByRole('dialog', { name: 'New session' });
  await expect(sheet.getByRole('radio', { name: 'shell' })).toBeChecked();
  // Arrows go through the programs, and Escape leaves without opening one.
  await tabTo(page, 'shell');
  await keyboard.press('ArrowUp');
  await expect(sheet.getByRole('radio', { name: 'other…' })).toBeChecked();
  await keyboard.press('ArrowDown');
  await expect(sheet.getByRole('radio', { name: 'shell' })).toBeChecked();
  await keyboard.press('Escape');
  await expect(sheet).toBeHidden();
  await expect(device.button('New session')).toBeFocused();
  expect(await desk.sessions()).toEqual([]);
  await keyboard.press('Enter');
  await tabTo(page, 'Open session');
  await keyboard.press('Enter');

  const { screen } = device;
  await screen.attached();
  await expect(screen.field).toBeFocused();
  await keyboard.type('echo ty""ped');
  await keyboard.press('Enter');
  await screen.shows(/^typed$/m);
  // In the terminal Tab and Escape are the program's.
  await keyboard.type('cat -v');
  await keyboard.press('Enter');
  await keyboard.press('Tab');
  await keyboard.press('Escape');
  await screen.shows(/\t?\^\[/);
  await expect(screen.field).toBeFocused();

  // The way out is said where the focus is, beside the menu, and in it.
  await expect(page.getByText('Ctrl+Shift+X leaves the terminal')).toBeVisible();
  const label = (await screen.field.getAttribute('aria-label')) ?? '';
  expect(label).toContain('Ctrl+Shift+X leaves it.');
  await keyboard.press('Control+Shift+X');
  await expect(device.button('Session menu')).toBeFocused();
  await keyboard.press('Enter');
  const menu = page.getByRole('dialog', { name: 'Session' });
  await expect(menu).toContainText('Ctrl+Shift+X leaves the terminal');
  await tabTo(page, 'Select text');
  await keyboard.press('Escape');
  await expect(menu).toBeHidden();
  await expect(device.button('Session menu')).toBeFocused();
  // On into the terminal again, and out of it to the list of sessions.
  await tabTo(page, /^Terminal of /);
  await keyboard.press('Control+c');
  // What is typed before the program has gone goes with it.
  await screen.shows(/\^C\n\$ ?$/m);
  await keyboard.type('echo ba""ck');
  await keyboard.press('Enter');
  await screen.shows(/^back$/m);
  await keyboard.press('Control+Shift+X');
  await tabTo(page, /^All daemons|All daemons$/, 'Shift+Tab');
});

test('back from a session to the sessions, by the keyboard alone', async ({ desk, device }) => {
  const { page } = device;
  const { keyboard } = page;
  await desk.must('open', '-d', '--name', 'one');
  await desk.must('open', '-d', '--name', 'two');
  // As wide as half of a laptop's screen: one thing at a time.
  await page.setViewportSize({ width: 700, height: 700 });
  await device.pairWith(desk);
  await tabTo(page, /^two/);
  await keyboard.press('Enter');
  await device.screen.attached();
  await tabTo(page, /^Terminal of two/);
  await keyboard.type('x');
  await keyboard.press('Control+Shift+X');
  await tabTo(page, 'Back to sessions', 'Shift+Tab');
  await keyboard.press('Enter');
  // The focus is where it was: on the session that was left.
  await expect(
    page.getByRole('listitem').filter({ hasText: 'two' }).first().getByRole('button').first(),
  ).toBeFocused();
  await tabTo(page, /^one/, 'Shift+Tab');
});
