import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from '@playwright/test';
import { launchOptions } from './browser';
import { BrowserDevice } from './device';
import { expect, test } from './fixtures';

/** Makes a profile whose user lets no page keep anything, as by “Block all cookies”. */
function blockingProfile(): string {
  const profile = mkdtempSync(join(tmpdir(), 'profile-'));
  mkdirSync(join(profile, 'Default'));
  const preferences = { profile: { default_content_setting_values: { cookies: 2 } } };
  writeFileSync(join(profile, 'Default', 'Preferences'), JSON.stringify(preferences));
  return profile;
}

test('a browser that blocks all storage: told what will not last, and all works until then', async ({
  desk,
  viewport,
}) => {
  const profile = blockingProfile();
  const context = await chromium.launchPersistentContext(profile, { ...launchOptions, viewport });
  const device = await BrowserDevice.start(context, desk);
  const { page } = device;
  await page.goto(desk.address);
  // The browser does block it.
  expect(
    await page.evaluate(() => {
      try {
        return window.localStorage.length;
      } catch (error) {
        return (error as DOMException).name;
      }
    }),
  ).toBe('SecurityError');
  await expect(page.getByText('This will not last')).toBeVisible();
  await expect(page.getByText(/Then its key is gone/)).toBeVisible();
  await device.codeField.fill(await desk.freshCode());
  await device.button('Pair').click();
  await device.button(/^They match/).click();
  await expect(device.heading('Paired with desk')).toBeVisible();
  await expect(page.getByText('This will not last')).toBeVisible();
  await device.button('Open sessions').click();
  await desk.must('open', '-d', '--name', 'ann');
  const screen = await device.openSession('ann');
  await screen.enter('echo $((6 * 7))');
  await screen.shows(/^42$/m);

  // As it said: nothing is left, and the daemon still lists it.
  await page.reload();
  await expect(device.codeField).toBeVisible();
  expect(await desk.devices()).toHaveLength(1);
  await context.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
});
