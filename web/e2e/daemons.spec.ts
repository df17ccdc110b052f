import { expect, test } from './fixtures';

test('two daemons are on the list, and each is shown by its own page', async ({
  desk,
  device,
  newDesk,
}) => {
  const { page } = device;
  const other = await newDesk({ name: 'tower' });
  device.watch.mayReach(other.address);
  await desk.must('open', '-d', '--name', 'here', '--', 'cat');
  await other.must('open', '-d', '--name', 'there', '--', 'cat');
  await device.pairWith(desk);
  await device.button(/All daemons$/).click();
  await device.button('Add another daemon').click();
  const sheet = page.getByRole('dialog', { name: 'Add another daemon' });
  const { link } = await other.offer();
  device.watch.mustHide(link.split('#')[1] ?? link);
  await sheet.getByRole('textbox', { name: 'Address or pairing link' }).fill(link);
  await sheet.getByRole('button', { name: /^Open / }).click();
  await expect(device.heading('Paired with tower')).toBeVisible();
  await device.button('Open sessions').click();
  await expect(device.listed('there')).toBeVisible();

  await page.goto(desk.address);
  await expect(device.listed('here')).toBeVisible();
  await expect(device.listed('there')).toHaveCount(0);
  await device.button(/All daemons$/).click();
  const entries = page.getByRole('list', { name: 'Daemons' }).getByRole('listitem');
  await expect(entries).toHaveCount(2);
  await expect(entries.nth(0)).toContainText(new URL(desk.address).host);
  await expect(entries.nth(0)).toContainText('connected');
  await entries.nth(1).getByRole('link').click();
  await expect(page).toHaveURL(`${other.address}/`);
  await expect(device.listed('there')).toBeVisible();
  await expect(device.listed('here')).toHaveCount(0);
  expect((await other.devices())[0]?.connected).toBe(true);
});
