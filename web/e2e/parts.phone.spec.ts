import type { Desk } from './desk';
import type { BrowserDevice } from './device';
import { expect, test } from './fixtures';

const TERMINAL = /\/SessionView-/;
const XTERM = /\/xterm-/;
const ADD_DEVICE = /\/AddDevice-/;

/** Pairs a page to which these parts do not come, with a desk that has a session. */
async function pairsWithout(parts: RegExp[], desk: Desk, device: BrowserDevice): Promise<void> {
  device.watch.expectFault(/ERR_FAILED/);
  await desk.must('open', '-d', '--name', 'parts', '--', 'cat');
  for (const part of parts) await device.page.route(part, (route) => route.abort());
  await device.pairWith(desk);
}

// Without a service worker, which would have the parts of the page at hand.
test('a part that does not come is a new version when the daemon has one', async ({
  desk,
  device,
}) => {
  const { page } = device;
  await pairsWithout([TERMINAL], desk, device);
  await device.listed('parts').click();
  await expect(page.getByText('The terminal could not be loaded.')).toBeVisible();
  const told = page.getByText('A new version of codeout is ready.');
  await expect(told).toHaveCount(0);

  // What the network says in the daemon's place is none either.
  let asked = 0;
  let answer = '<title>Log in</title>';
  await page.route(
    (url) => url.pathname === '/',
    async (route) => {
      asked += 1;
      await route.fulfill({ contentType: 'text/html', body: answer });
    },
  );
  const again = page.getByRole('button', { name: 'Try again' });
  await again.click();
  await expect.poll(() => asked).toBeGreaterThan(0);
  await expect(again).toBeVisible();
  await expect(told).toHaveCount(0);
  answer = '<title>codeout</title><script type="module" src="/assets/other.js"></script>';
  await again.click();
  await expect(told).toBeVisible();
});

test('a part that did not come once comes when it is asked for again', async ({ desk, device }) => {
  const { page } = device;
  await pairsWithout([TERMINAL, ADD_DEVICE], desk, device);
  await page.getByRole('navigation', { name: 'Views' }).getByText('Devices').click();
  await device.button('Add a device').click();
  const sheet = page.getByRole('dialog', { name: 'Add a device' });
  await expect(sheet.getByRole('alert')).toContainText('could not be loaded');
  await sheet.getByRole('button', { name: 'Back' }).click();
  await expect(sheet).toBeHidden();
  await device.button('Add a device').click();
  await expect(sheet.getByRole('alert')).toContainText('could not be loaded');
  await page.unroute(ADD_DEVICE);
  let come = () => {};
  const held = new Promise<void>((resolve) => {
    come = resolve;
  });
  await page.route(ADD_DEVICE, async (route) => {
    await held;
    await route.continue();
  });
  await sheet.getByRole('button', { name: 'Try again' }).click();
  await expect(sheet.getByRole('status')).toContainText('Loading');
  await expect(sheet.getByRole('heading')).toBeFocused();
  come();
  await sheet.getByRole('button', { name: 'Show the code' }).click();
  // Nothing but the part's own styles says so.
  await expect(sheet.getByLabel(/^Pairing code/)).toHaveCSS('user-select', 'all');
  await sheet.getByRole('button', { name: 'Close' }).click();

  await page.goBack();
  await device.listed('parts').click();
  await expect(page.getByText('The terminal could not be loaded.')).toBeVisible();
  await page.unroute(TERMINAL);
  await device.button('Try again').click();
  await device.screen.attached();
  await expect(page.locator('.xterm-helpers')).toHaveCSS('position', 'absolute');
  await device.screen.enter('hello');
  await device.screen.shows(/^hello\nhello$/m);
});

test('a part of which a piece did not come is to be had by loading the page anew', async ({
  desk,
  device,
}) => {
  const { page } = device;
  await pairsWithout([XTERM], desk, device);
  await device.listed('parts').click();
  const missing = page.getByRole('alert');
  await expect(missing).toContainText('The terminal could not be loaded.');
  await expect(missing.getByRole('button')).toHaveText(['Reload', 'Try again', 'Back']);
  await page.unroute(XTERM);
  await device.button('Reload').click();
  await device.screen.attached();
});
