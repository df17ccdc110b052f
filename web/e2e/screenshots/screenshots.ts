import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from '@playwright/test';
import { Desk } from '../desk';
import type { BrowserDevice } from '../device';
import { test as base, expect } from '../fixtures';
import { decodePng, encodeSmallPng } from '../png';
import { Wire } from '../wire';
import { furnish } from './programs';

const PICTURES = fileURLToPath(new URL('../../../docs/pictures/', import.meta.url));

/** A desk with programs, at the port that a daemon has by itself. */
const test = base.extend<object, { sharedDesk: Desk }>({
  sharedDesk: [
    async ({ origin }, use) => {
      const home = join(tmpdir(), 'ann');
      const desk = await Desk.start({ origin, port: 8400, home });
      furnish(home);
      await use(desk);
      await desk.stop();
    },
    { scope: 'worker' },
  ],
});

test.beforeAll(() => {
  mkdirSync(PICTURES, { recursive: true });
});

/** Takes a picture of what is shown, and keeps it small. */
async function take(page: Page, name: string): Promise<void> {
  const { project } = test.info();
  await page.evaluate(() => document.fonts.ready);
  const png = await page.screenshot({ animations: 'disabled', caret: 'hide' });
  const file = join(PICTURES, `${name}-${project.name}.png`);
  writeFileSync(file, encodeSmallPng(decodePng(png)));
}

async function open(desk: Desk, name: string, directory: string, ...program: string[]) {
  await desk.must('open', '-d', '--name', name, join(desk.home, directory), '--', ...program);
}

async function close(page: Page): Promise<void> {
  await page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).click();
}

async function go(device: BrowserDevice, view: string): Promise<void> {
  await device.page.getByRole('navigation', { name: 'Views' }).getByText(view).click();
  await expect(device.page.getByRole('main', { name: new RegExp(`^${view}`) })).toBeVisible();
}

test('pairing', async ({ desk, device, newDevice }) => {
  const { page } = device;
  await page.goto(desk.address);
  await expect(device.codeField).toBeVisible();
  await take(page, 'pair');
  await device.codeField.fill('AAAA-AAAA-AAAA');
  await device.button('Pair').click();
  await expect(page.getByRole('alert')).toContainText('Wrong code');
  await take(page, 'pair-wrong-code');
  const code = await desk.freshCode();
  await device.codeField.fill(code);
  await device.button('Pair').click();
  await expect(device.heading('Does the daemon show the same?')).toBeVisible();
  await take(page, 'compare');
  await device.button(/^They differ/).click();
  await expect(device.heading('Not paired: the fingerprints differ')).toBeVisible();
  await take(page, 'differ');

  const other = await newDevice();
  await other.openLink((await desk.offer()).link);
  await expect(other.heading('Paired with desk')).toBeVisible();
  await take(other.page, 'paired');
});

test('sessions and devices', async ({ desk, device, newDevice }) => {
  const { page } = device;
  await device.pairWith(desk);
  await expect(device.heading('No sessions yet')).toBeVisible();
  await take(page, 'no-sessions');
  await open(desk, 'api', 'projects/api', 'claude');
  await open(desk, 'tests', 'projects/api', 'make', 'watch');
  await open(desk, 'notes', 'projects/notes', 'vim', 'release.md');
  await open(desk, 'push', 'projects/api', 'true');
  await expect(page.getByText('May I write')).toBeVisible();
  await expect(page.getByText(/watching for changes/)).toBeVisible();
  await expect(page.getByText(/ended with status 0/)).toBeVisible();
  await take(page, 'sessions');
  await device.button('New session').click();
  await expect(page.getByRole('dialog', { name: 'New session' })).toBeVisible();
  await take(page, 'new-session');
  await close(page);

  const screen = await device.openSession('api');
  await screen.shows(/Yes/);
  await take(page, 'session');
  await screen.menu();
  await take(page, 'session-menu');
  await close(page);
  await sheets(device);
  await page.goBack();

  const tablet = await newDevice();
  await tablet.pairWith(desk, '--watch-only');
  await tablet.openSession('tests');
  await take(tablet.page, 'watching');
  await go(device, 'Devices');
  await expect(page.getByRole('list', { name: 'Devices' }).getByRole('listitem')).toHaveCount(2);
  await take(page, 'devices');
  await device.button('Add a device').click();
  await take(page, 'add-device-limits');
  await device.button('Show the code').click();
  await expect(page.getByRole('img', { name: 'QR with the pairing link' })).toBeVisible();
  await take(page, 'add-device');
  await close(page);
  await go(device, 'Settings');
  await take(page, 'settings');
  await go(device, 'Sessions');
  await device.button(/All daemons$/).click();
  await expect(device.heading('Daemons')).toBeVisible();
  await take(page, 'daemons');
});

async function sheets({ page, screen }: BrowserDevice): Promise<void> {
  await (await screen.menu()).getByRole('button', { name: 'Select text' }).click();
  await expect(page.getByRole('dialog', { name: 'Select text' })).toBeVisible();
  await take(page, 'select');
  await close(page);
  await (await screen.menu()).getByRole('button', { name: 'Paste' }).click();
  await page
    .getByRole('textbox', { name: 'Text to paste' })
    .fill('git fetch\ngit rebase origin/main\n');
  await take(page, 'paste');
  await close(page);
  await (await screen.menu()).getByRole('button', { name: 'Edit the key bar' }).click();
  await expect(page.getByRole('dialog', { name: 'Key bar' })).toBeVisible();
  await take(page, 'key-bar');
  await close(page);
}

test('links that are down', async ({ desk, device, origin }) => {
  const { page } = device;
  const wire = await Wire.start(desk.port);
  device.watch.mayReach(`${origin}:${wire.port}`);
  device.watch.expectFault(/WebSocket connection|ERR_/);
  await open(desk, 'api', 'projects/api', 'claude');
  await device.pairByLink((await desk.offer()).link.replace(`:${desk.port}`, `:${wire.port}`));
  await device.openSession('api');
  await wire.cut();
  await expect(device.screen.state).toContainText(/cannot be reached|was cut|stands still/);
  await take(page, 'session-no-link');
  await wire.restore();
  await expect(device.screen.state).toBeEmpty({ timeout: 30_000 });
  const [{ id = '' } = {}] = await desk.devices();
  await desk.must('devices', 'revoke', id);
  await expect(page.getByText('This device was revoked').first()).toBeVisible();
  await page.goBack();
  await take(page, 'revoked');
  await wire.stop();
});
