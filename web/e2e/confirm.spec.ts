import { expect, test } from './fixtures';

/** What the daemon's terminal asks when a device has proved the code. */
const QUESTION = /at 127\.0\.0\.1 has the code: let it in\? y or d \(decline\)/;

test('the daemon’s user declines: the page says so and keeps nothing', async ({
  device,
  newDesk,
}) => {
  const desk = await newDesk({ options: ['--confirm'] });
  device.watch.mayReach(desk.address);
  await device.typeCode(desk.address, await desk.code());
  await expect(device.page.getByText('say yes')).toBeVisible();
  await desk.terminal.shows(QUESTION);
  await desk.terminal.press('d');
  const alert = device.page.getByRole('alert');
  await expect(alert).toContainText('Declined at the daemon');
  await expect(alert).toContainText('Somebody said no there, and the code is spent.');
  await expect(alert).toContainText('codeout pair');
  await expect(device.codeField).toHaveValue('');
  expect(await device.keptDaemons()).toBe(0);
  expect(await desk.devices()).toEqual([]);

  // Nothing is left of it: a reload begins anew, and a fresh code pairs.
  await device.page.reload();
  await expect(device.codeField).toHaveValue('');
  await device.openLink((await desk.offer()).link);
  await desk.terminal.shows(new RegExp(`${QUESTION.source}[^]*${QUESTION.source}`));
  await desk.terminal.press('y');
  await expect(device.heading('Paired with desk')).toBeVisible();
});

test('the daemon’s user declines a link: the page says so and keeps nothing', async ({
  device,
  newDesk,
}) => {
  const desk = await newDesk({ options: ['--confirm'] });
  device.watch.mayReach(desk.address);
  await device.openLink(await desk.link());
  await desk.terminal.shows(QUESTION);
  await desk.terminal.press('d');
  await expect(device.heading('Declined at the daemon')).toBeVisible();
  await expect(device.page.getByRole('alert')).toContainText('Ask for a new one.');
  await expect(device.button('Try again')).toHaveCount(0);
  await device.button('Type a code instead').click();
  await expect(device.codeField).toBeVisible();
  expect(await device.keptDaemons()).toBe(0);
  expect(await desk.devices()).toEqual([]);
});

test('the daemon’s user accepts: paired', async ({ device, newDesk }) => {
  const desk = await newDesk({ options: ['--confirm'] });
  device.watch.mayReach(desk.address);
  await device.typeCode(desk.address, await desk.code());
  await desk.terminal.shows(QUESTION);
  await expect(device.heading('Does the daemon show the same?')).toBeHidden();
  await desk.terminal.press('y');
  await expect(device.heading('Does the daemon show the same?')).toBeVisible();
  expect(await device.fingerprint()).toBe(await desk.fingerprint());
  await device.button(/^They match/).click();
  await expect(device.heading('Paired with desk')).toBeVisible();
  expect(await desk.devices()).toHaveLength(1);
  await device.button('Open sessions').click();
  await expect(device.heading('No sessions yet')).toBeVisible();
});

test('a code where no offer is open has a sentence of its own', async ({ device, newDesk }) => {
  const desk = await newDesk();
  device.watch.mayReach(desk.address);
  const old = await desk.code();
  await desk.must('stop');
  await desk.startDetached();
  await device.typeCode(desk.address, old);
  const alert = device.page.getByRole('alert');
  await expect(alert).toContainText('No pairing is open at the daemon');
  await expect(alert).toContainText('Ask the daemon for a code, then type that.');
  await expect(alert).toContainText('codeout pair');
  expect(await device.keptDaemons()).toBe(0);

  await device.codeField.fill((await desk.offer()).code);
  await device.button('Pair').click();
  await device.button(/^They match/).click();
  await expect(device.heading('Paired with desk')).toBeVisible();
});
