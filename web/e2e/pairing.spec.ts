import { expect, test } from './fixtures';
import { encodeSmallPng } from './png';
import { Wire } from './wire';

test('by the link in the QR of the daemon’s terminal', async ({ desk, device, origin }) => {
  await desk.freshCode();
  await device.openLink(await desk.link());
  await expect(device.heading('Paired with desk')).toBeVisible();
  await expect(device.page.getByText('Checked by the QR')).toBeVisible();

  const [, name, fingerprint] = await desk.terminal.shows(
    /device paired: (.+)\n\s*daemon fingerprint: (\S{4}-\S{4})/,
  );
  expect(await device.fingerprint()).toBe(fingerprint);
  await expect(device.page.getByText(`This device is called ${name}`)).toBeVisible();
  expect(await device.page.evaluate(() => isSecureContext)).toBe(origin !== 'http://desk.test');

  await device.button('Open sessions').click();
  await expect(device.heading('Sessions')).toBeVisible();
});

test('by a link, in a tab that shows the page already', async ({ desk, device }) => {
  await desk.freshCode();
  await device.page.goto(desk.address);
  await expect(device.codeField).toBeVisible();
  await device.openLink((await desk.link()).toLowerCase());
  await expect(device.heading('Paired with desk')).toBeVisible();
});

test('by the code in lower case, after the fingerprint was compared', async ({ desk, device }) => {
  const code = await desk.freshCode();
  await device.typeCode(desk.address, code.toLowerCase().replaceAll('-', ' '));
  await expect(device.heading('Does the daemon show the same?')).toBeVisible();
  expect(await device.fingerprint()).toBe(await desk.fingerprint());
  await device.button(/^They match/).click();
  await expect(device.heading('Paired with desk')).toBeVisible();
  await expect(device.page.getByText('Compared by you')).toBeVisible();
  expect(await desk.devices()).toHaveLength(1);
});

test('a code gets its dashes while it is typed', async ({ desk, device }) => {
  await device.page.goto(desk.address);
  await device.codeField.pressSequentially('k7qm3fbro1il');
  await expect(device.codeField).toHaveValue('K7QM-3FBR-0111');
  await device.codeField.fill('K7QM-3FBR-9TZU');
  await expect(device.page.getByText('No code has “U”.')).toBeVisible();
  await expect(device.button('Pair')).toBeDisabled();
});

test('a pasted link checks the key by itself', async ({ desk, device }) => {
  await desk.freshCode();
  await device.typeCode(desk.address, ` ${await desk.link()}\n`);
  await expect(device.heading('Paired with desk')).toBeVisible();
  await expect(device.page.getByText('Checked by the QR')).toBeVisible();
});

test('a wrong code is refused, and the right one is still good', async ({ desk, device }) => {
  const code = await desk.freshCode();
  await device.typeCode(
    desk.address,
    code.startsWith('A') ? `B${code.slice(1)}` : `A${code.slice(1)}`,
  );
  await expect(device.page.getByRole('alert')).toContainText('Wrong code');
  await expect(device.page.getByText('Complete.')).toBeHidden();
  await desk.terminal.shows(/wrong pairing code from 127\.0\.0\.1/);
  expect(await device.keptDaemons()).toBe(0);
  await device.codeField.fill(code);
  await device.button('Pair').click();
  await device.button(/^They match/).click();
  await expect(device.heading('Paired with desk')).toBeVisible();
});

test('a used code lets nobody else in', async ({ desk, device, newDevice }) => {
  const { code, link } = await desk.offer();
  await device.pairByLink(link);
  const other = await newDevice();
  await other.typeCode(desk.address, code);
  await expect(other.page.getByText('This code was already used')).toBeVisible();
  expect(await other.keptDaemons()).toBe(0);
  expect(await desk.devices()).toHaveLength(1);
});

test('a name that is taken gets a number, and the page says so', async ({
  desk,
  device,
  newDevice,
}) => {
  await device.pairByLink((await desk.offer()).link);
  const [first] = await desk.devices();
  const other = await newDevice();
  await other.openLink((await desk.offer()).link);
  await expect(
    other.page.getByText(`This device is called ${first?.name}-2. You can`),
  ).toBeVisible();
});

test('a code that was replaced is wrong', async ({ desk, device }) => {
  const old = await desk.freshCode();
  await desk.freshCode();
  await device.typeCode(desk.address, old);
  await expect(device.page.getByRole('alert')).toContainText('Wrong code');
  await expect(device.page.getByText('Complete.')).toBeHidden();
  await device.codeField.clear();
});

test('a code that ends while it is proved has expired', async ({ desk, device, origin }) => {
  const wire = await Wire.start(desk.port);
  const address = `${origin}:${wire.port}`;
  device.watch.mayReach(address);
  const { held, release } = wire.holdSecondMessage();
  await device.typeCode(address, await desk.freshCode());
  await held;
  await desk.freshCode();
  release();
  await expect(device.page.getByText('This code has expired')).toBeVisible();
  expect(await device.keptDaemons()).toBe(0);
  await wire.stop();
});

test('they differ: everything is forgotten', async ({ desk, device }) => {
  await device.typeCode(desk.address, await desk.freshCode());
  await device.button(/^They differ/).click();
  await expect(device.heading('Not paired: the fingerprints differ')).toBeVisible();
  expect(await device.keptDaemons()).toBe(0);
  // The daemon drops what was never finished when the code's five minutes are over.
  const [entry] = await desk.devices();
  expect(entry?.unfinished).toBe(true);
  await expect.poll(async () => (await desk.devices())[0]?.connected).toBe(false);
  await device.page.reload();
  await expect(device.codeField).toHaveValue('');
});

test('a reload keeps the pairing, and one whose fingerprint is still to be compared', async ({
  desk,
  device,
}) => {
  await device.typeCode(desk.address, await desk.freshCode());
  await expect(device.heading('Does the daemon show the same?')).toBeVisible();
  await device.page.reload();
  await expect(device.heading('Does the daemon show the same?')).toBeVisible();
  expect(await device.fingerprint()).toBe(await desk.fingerprint());
  await device.button(/^They match/).click();
  await device.button('Open sessions').click();
  await expect(device.heading('Sessions')).toBeVisible();
  await device.page.reload();
  await expect(device.heading('Sessions')).toBeVisible();
  await expect.poll(async () => (await desk.devices())[0]?.connected).toBe(true);
});

test('a link that breaks half-way: the same code goes on', async ({ desk, device, origin }) => {
  const wire = await Wire.start(desk.port);
  const address = `${origin}:${wire.port}`;
  device.watch.mayReach(address);
  device.watch.expectFault(/WebSocket connection|ERR_CONNECTION/);
  const { held } = wire.holdSecondMessage();
  await device.typeCode(address, await desk.freshCode());
  await held;
  await wire.cut();
  await expect(device.heading('The link broke off half-way')).toBeVisible();
  await wire.restore();
  await device.button('Try again').click();
  await device.button(/^They match/).click();
  await expect(device.heading('Paired with desk')).toBeVisible();
  expect(await desk.devices()).toHaveLength(1);
  await wire.stop();
});

test('a photo of the QR', async ({ desk, device }) => {
  await desk.freshCode();
  await device.page.goto(desk.address);
  const buffer = encodeSmallPng(await desk.picture());
  const photo = { name: 'photo.png', mimeType: 'image/png', buffer };
  await device.page.getByLabel('Photo of the QR').setInputFiles(photo);
  await expect(device.heading('Paired with desk')).toBeVisible();
});

test('a link for another address opens there', async ({ desk, device }) => {
  const { link } = await desk.offer();
  await device.typeCode(desk.address, link.replace(/:\d+/, ':9'));
  await expect(device.heading('This link is for another address')).toBeVisible();
  await expect(device.button(/^Open it at /)).toBeVisible();
});

test('a browser that keeps nothing says so, and pairs for as long as the page is open', async ({
  desk,
  device,
}) => {
  await device.page.addInitScript(() => {
    IDBFactory.prototype.open = () => {
      throw new DOMException('blocked', 'SecurityError');
    };
  });
  await desk.freshCode();
  await device.openLink(await desk.link());
  await expect(device.heading('Paired with desk')).toBeVisible();
  await expect(device.page.getByText('This will not last')).toBeVisible();
  await device.button('Open sessions').click();
  await expect.poll(async () => (await desk.devices())[0]?.connected).toBe(true);
});
