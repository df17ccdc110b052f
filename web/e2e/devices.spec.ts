import type { BrowserDevice } from './device';
import { expect, test } from './fixtures';
import { decodePng } from './png';
import { readQr } from './qr';

/** Goes to one of the main views. */
async function go(device: BrowserDevice, view: 'Sessions' | 'Devices' | 'Settings'): Promise<void> {
  await device.page.getByRole('navigation', { name: 'Views' }).getByText(view).click();
  await expect(device.page.getByRole('main', { name: new RegExp(`^${view}`) })).toBeVisible();
}

test('a paired device adds another, which reads the QR from its screen', async ({
  desk,
  device,
  newDevice,
}) => {
  await device.pairWith(desk);
  await go(device, 'Devices');
  await device.button('Add a device').click();
  await device.page.getByText('Watch only').click();
  await device.button('Show the code').click();
  const qr = device.page.getByRole('img', { name: 'QR with the pairing link' });
  await expect(qr).toBeVisible();
  await expect(device.page.getByText(/expires in [45]:\d\d/)).toBeVisible();
  const picture = await device.page.screenshot({ scale: 'device' });
  const link = readQr(decodePng(picture));
  if (!link) throw new Error('the QR on the page cannot be read');
  device.watch.mustHide(link.slice(-64));

  const other = await newDevice();
  await other.pairByLink(link);
  await expect(device.page.getByText(/is paired$/)).toBeVisible();
  await device.button('Done').click();
  const toast = device.page.getByRole('status', { name: 'Messages' });
  await expect(toast).toContainText('was paired just now. Not you?');
  await expect(other.page.getByText('watch only')).toBeVisible();
  expect(await desk.devices()).toHaveLength(2);

  await toast.getByRole('button', { name: 'Revoke' }).click();
  await expect(other.page.getByText('This device was revoked')).toBeVisible();
  expect(await desk.devices()).toHaveLength(1);
  await expect(
    device.page.getByRole('list', { name: 'Devices' }).getByRole('listitem'),
  ).toHaveCount(1);
});

test('devices are renamed and revoked', async ({ desk, device, newDevice }) => {
  await device.pairWith(desk);
  const other = await newDevice();
  await other.pairWith(desk);
  await expect.poll(async () => (await desk.devices()).length).toBe(2);
  const [, second] = await desk.devices();
  await go(device, 'Devices');
  const list = device.page.getByRole('list', { name: 'Devices' });
  await expect(list.getByText('this device')).toHaveCount(1);

  await device.button(`More for ${second?.name}`).click();
  await device.button('Rename').click();
  await device.page.getByRole('dialog').getByRole('textbox', { name: 'Name' }).fill('Tablet');
  await device.page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click();
  await expect(list).toContainText('Tablet');
  await go(other, 'Settings');
  await expect(other.page.getByRole('region', { name: 'This device' })).toContainText('Tablet');

  await device.button('More for Tablet').click();
  await device.page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  const sure = device.page.getByRole('dialog', { name: 'Revoke Tablet?' });
  await sure.getByRole('button', { name: 'Revoke' }).click();
  await expect(list).not.toContainText('Tablet');
  const link = other.page.getByRole('status', { name: 'Link' });
  for (const view of ['Settings', 'Sessions', 'Devices'] as const) {
    await go(other, view);
    await expect(link).toContainText('This device was revoked');
  }
  await expect(other.page.getByText('is shown to those that are let in')).toBeVisible();
  await expect(other.page.getByText('What may reach')).toHaveCount(0);
  expect((await desk.devices()).map(({ name }) => name)).not.toContain('Tablet');

  await link.getByRole('button', { name: 'Ask again' }).click();
  await link.getByRole('button', { name: 'Forget and pair again' }).click();
  const leaving = other.page.getByRole('dialog', { name: 'Forget desk?' });
  await leaving.getByRole('button', { name: 'Forget and pair again' }).click();
  await expect(other.codeField).toBeVisible();
});

test('a device with limits can neither add nor revoke', async ({ desk, device }) => {
  await device.pairWith(desk, '--for', '2h');
  await go(device, 'Devices');
  await expect(device.page.getByText('it can neither add nor revoke others')).toBeVisible();
  await expect(device.page.getByRole('list', { name: 'Devices' })).toContainText('1h left');
  await expect(device.button('Add a device')).toHaveCount(0);
  await expect(device.page.getByRole('button', { name: /^More for/ })).toHaveCount(0);
});

test('only a device that may rename itself is told that it can', async ({
  desk,
  device,
  newDevice,
}) => {
  await device.openLink((await desk.offer()).link);
  await expect(device.page.getByText('You can rename it in the settings.')).toBeVisible();
  await device.button('Open sessions').click();
  await go(device, 'Settings');
  await expect(device.button('Rename')).toBeEnabled();
  for (const [limit, told] of [
    [['--watch-only'], /Its limits: watch only\.$/],
    [['--for', '2h'], /Its limits: [12]h left\.$/],
  ] as const) {
    const other = await newDevice();
    await other.openLink((await desk.offer(...limit)).link);
    await expect(other.page.getByText('This device is called')).toBeVisible();
    await expect.poll(async () => (await desk.devices()).at(-1)?.connected).toBe(true);
    await expect(other.page.getByText('You can rename it')).toHaveCount(0);
    await expect(other.page.getByText(told)).toBeVisible();
    await other.button('Open sessions').click();
    await go(other, 'Settings');
    await expect(other.button('Rename')).toHaveCount(0);
  }
});

test('a browser forgets the daemon, which forgets the browser', async ({ desk, device }) => {
  await device.pairWith(desk);
  await expect.poll(async () => (await desk.devices()).length).toBe(1);
  await go(device, 'Settings');
  await device.button('Forget this daemon').click();
  const sure = device.page.getByRole('dialog', { name: 'Forget desk?' });
  await sure.getByRole('button', { name: 'Forget this daemon' }).click();
  await expect(device.codeField).toBeVisible();
  expect(await device.keptDaemons()).toBe(0);
  expect(await desk.devices()).toEqual([]);
  await device.page.reload();
  await expect(device.codeField).toBeVisible();
});

test('a device that was revoked is not told that the daemon lists it', async ({ desk, device }) => {
  await device.pairWith(desk);
  const [own] = await desk.devices();
  await desk.must('devices', 'revoke', own?.name ?? '');
  await expect(device.page.getByText('This device was revoked')).toBeVisible();
  await go(device, 'Settings');
  await device.button('Forget this daemon').click();
  const sure = device.page.getByRole('dialog', { name: 'Forget desk?' });
  await expect(sure).toContainText('The daemon has revoked this device: it lists it no more.');
  await expect(sure).not.toContainText('codeout devices revoke');
});

test('a page over plain http says what is off, and why', async ({ desk, device }) => {
  await device.pairWith(desk);
  await go(device, 'Settings');
  const panel = device.page.getByText('What is off here');
  if (await device.page.evaluate(() => isSecureContext)) {
    await expect(panel).toHaveCount(0);
    return;
  }
  await panel.click();
  await expect(device.page.getByText('codeout --tls-cert FILE --tls-key FILE')).toBeVisible();
  for (const what of [/camera/i, /clipboard/i, /notif/i, /install/i]) {
    await expect(device.page.getByRole('heading', { level: 3, name: what })).toBeVisible();
  }
});

test('the back button goes back, and a reload stays', async ({ desk, device }) => {
  await device.pairWith(desk);
  await go(device, 'Devices');
  await device.page.reload();
  await expect(device.page.getByRole('main', { name: 'Devices' })).toBeVisible();
  await device.page.goBack();
  await expect(device.page.getByRole('main', { name: 'Devices' })).toHaveCount(0);
  await expect(device.page.getByRole('main', { name: /^Sessions/ })).toBeVisible();
  expect(new URL(device.page.url()).pathname).toBe('/');
});
