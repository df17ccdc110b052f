import { Builds, MARK } from './builds';
import type { BrowserDevice } from './device';
import { expect, test } from './fixtures';

/** Waits until the service worker has the page. */
async function kept({ page }: BrowserDevice): Promise<void> {
  await expect
    .poll(() => page.evaluate(() => navigator.serviceWorker.controller?.state))
    .toBe('activated');
}

/** Lets the page think that nobody sees it: a driven browser keeps each page in sight. */
async function hide({ page }: BrowserDevice): Promise<void> {
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { get: () => true });
    Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' });
    document.dispatchEvent(new Event('visibilitychange'));
  });
}

test('what a program tells while nobody sees the page is a notification', async ({
  desk,
  device,
}) => {
  const { page } = device;
  await device.context.grantPermissions(['notifications'], { origin: desk.address });
  await device.pairWith(desk);
  await kept(device);
  await page.getByRole('navigation', { name: 'Views' }).getByText('Settings').click();
  const wanted = page.getByRole('switch', { name: 'Notifications' });
  await wanted.click();
  await expect(wanted).toBeChecked();
  const asking = (name: string, question: string): Promise<string> => {
    const program = `printf '\\033]9;${question}\\a'; sleep 1000`;
    return desk.must('open', '-d', '--name', name, '--', 'sh', '-c', program);
  };
  const told = (): Promise<string[]> =>
    page.evaluate(async () => {
      const registration = await navigator.serviceWorker.ready;
      const shown = await registration.getNotifications();
      return shown.map(({ title, body }) => `${title}: ${body}`);
    });

  await asking('seen', 'May I look?');
  await expect(page).toHaveTitle(/^\(1\)/);
  expect(await told()).toEqual([]);
  await hide(device);
  await asking('agent', 'May I write?');
  await expect.poll(told).toEqual(['agent: May I write?']);
});

test('a new build is offered, and takes the place of the page when its user says so', async ({
  desk,
  device,
  origin,
}) => {
  const { page } = device;
  const builds = await Builds.start(desk.port);
  device.watch.mayReach(`${origin}:${builds.port}`);
  device.watch.expectFault(/WebSocket connection/);
  await desk.must('open', '-d', '--name', 'kept', '--', 'cat');
  await device.pairByLink((await desk.offer()).link.replace(`:${desk.port}`, `:${builds.port}`));
  await kept(device);
  const offered = page.getByText('A new version of codeout is ready.');

  builds.next();
  // It is looked for when the page is shown again.
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await expect(offered).toBeVisible();
  await expect(page.locator(MARK)).toHaveCount(0);

  // Loaded anew without having been accepted it is the same page, with the same offer.
  await page.reload();
  await expect(device.listed('kept')).toBeVisible();
  await expect(offered).toBeVisible();
  await expect(page.locator(MARK)).toHaveCount(0);

  await device.button('Reload').click();
  await expect(page.locator(MARK)).toHaveCount(1);
  await expect(device.listed('kept')).toBeVisible();
  await expect(offered).toHaveCount(0);
  const stores = (): Promise<number> => page.evaluate(async () => (await caches.keys()).length);
  await expect.poll(stores).toBe(1);
  builds.stop();
});
