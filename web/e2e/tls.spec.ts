import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launchOptions } from './browser';
import { BrowserDevice } from './device';
import { film } from './film';
import { expect, test } from './fixtures';

test('pairs by the link and types, over the daemon’s own https', async ({ desk, device }) => {
  await desk.freshCode();
  await device.pairByLink(await desk.link());
  expect(await device.page.evaluate(() => isSecureContext)).toBe(true);
  await desk.must('open', '-d', '--name', 'ann');
  const screen = await device.openSession('ann');
  await screen.enter('echo $((6 * 7))');
  await screen.shows(/^42$/m);
});

test('pairs by the code', async ({ desk, device }) => {
  await device.typeCode(desk.address, await desk.freshCode());
  await device.button(/^They match/).click();
  await expect(device.heading('Paired with desk')).toBeVisible();
});

test('can be installed', async ({ desk, device }) => {
  await device.page.goto(desk.address);
  const session = await device.context.newCDPSession(device.page);
  const { data, errors } = await session.send('Page.getAppManifest');
  expect(errors).toEqual([]);
  const manifest = JSON.parse(data ?? '{}');
  expect(manifest).toMatchObject({ name: 'codeout', display: 'standalone', start_url: '/' });
  expect(manifest.icons.length).toBeGreaterThan(0);
  const kinds = await device.page.evaluate(
    (icons: string[]) =>
      Promise.all(
        icons.map(async (src) => {
          const image = new Image();
          image.src = src;
          await image.decode();
          return image.naturalWidth > 0;
        }),
      ),
    manifest.icons.map((icon: { src: string }) => icon.src),
  );
  expect(kinds).not.toContain(false);
  const { installabilityErrors } = await session.send('Page.getInstallabilityErrors');
  // The browser of a test has no profile to install anything into.
  const errorIds = installabilityErrors.map(({ errorId }) => errorId);
  expect(errorIds.filter((id) => id !== 'in-incognito')).toEqual([]);
});

test('opens without the daemon, and says that it is not there', async ({ desk, device }) => {
  device.watch.expectFault(/WebSocket connection|ERR_|Failed to fetch|Failed to update/);
  await device.pairWith(desk);
  await expect(device.heading('No sessions yet')).toBeVisible();
  await device.page.evaluate(async () => {
    await navigator.serviceWorker.ready;
  });
  await desk.must('stop');
  await device.page.reload();
  await expect(device.page.getByText('desk cannot be reached')).toBeVisible();
  await desk.startAgain();
  await expect(device.page.getByText('Connected to desk')).toBeAttached();
});

test('reads the QR with a live camera', async ({
  desk,
  playwright,
  certificate,
  contextOptions,
}) => {
  const directory = mkdtempSync(join(tmpdir(), 'camera-'));
  const file = join(directory, 'qr.y4m');
  await desk.freshCode();
  writeFileSync(file, film(await desk.picture()));
  const camera = ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'];
  const browser = await playwright.chromium.launch({
    ...launchOptions,
    args: [
      ...(launchOptions.args ?? []),
      ...camera,
      `--use-file-for-fake-video-capture=${file}`,
      `--ignore-certificate-errors-spki-list=${certificate?.spki}`,
    ],
  });
  const device = await BrowserDevice.start(await browser.newContext(contextOptions), desk);
  await device.page.goto(desk.address);
  await device.button('Scan the QR').click();
  await expect(device.heading('Paired with desk')).toBeVisible();
  await device.watch.check();
  await browser.close();
  rmSync(directory, { recursive: true });
});
