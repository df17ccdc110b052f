import { expect, test } from './fixtures';

test('a list of sessions that is always up to date', async ({ desk, device }) => {
  await device.pairWith(desk);
  await expect(device.heading('No sessions yet')).toBeVisible();
  await desk.must('open', '-d', '--name', 'build', '--', 'sh', '-c', 'echo at work; sleep 1000');
  const item = device.page.getByRole('listitem').filter({ hasText: 'build' });
  await expect(item).toContainText('at work');
  await expect(item).toContainText(/running \d+s/);
  const terminal = await desk.inTerminal(['attach', 'build']);
  await expect(item).toContainText('this computer');
  await terminal.stop();
  await desk.must('rename', 'build', 'release');
  await expect(device.listed('release')).toBeVisible();
  await desk.must('end', 'release');
  const ended = device.page.getByRole('listitem').filter({ hasText: 'release' });
  await expect(ended).toContainText(/ended/);
  await desk.must('dismiss', 'release');
  await expect(device.heading('No sessions yet')).toBeVisible();
});

test('a session is renamed, ended and dismissed', async ({ desk, device }) => {
  await desk.must('open', '-d', '--name', 'first');
  await device.pairWith(desk);
  await device.button('More for first').click();
  await device.button('Rename').click();
  await device.page.getByRole('dialog').getByRole('textbox').fill('second');
  await device.page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click();
  await expect(device.listed('second')).toBeVisible();
  expect((await desk.session('second')).name).toBe('second');

  await device.button('More for second').click();
  await device.button('End session').click();
  const sure = device.page.getByRole('dialog', { name: 'End second?' });
  await sure.getByRole('button', { name: 'Cancel' }).click();
  expect((await desk.session('second')).ended).toBeUndefined();
  await device.button('More for second').click();
  await device.button('End session').click();
  await sure.getByRole('button', { name: 'End session' }).click();
  await expect.poll(async () => (await desk.session('second')).ended).toBeTruthy();

  await device.button('More for second').click();
  await device.button('Dismiss').click();
  await expect.poll(() => desk.sessions()).toEqual([]);
});

test('a program that wants somebody to look is marked, in the title too', async ({
  desk,
  device,
}) => {
  await desk.must('open', '-d', '--name', 'agent');
  await device.pairWith(desk);
  const terminal = await desk.inTerminal(['attach', '--keep-size', 'agent']);
  await terminal.type("printf '\\033]9;May I go on?\\a'");
  await terminal.press('Enter');
  const item = device.page.getByRole('listitem').filter({ hasText: 'agent' });
  await expect(item).toContainText('May I go on?');
  await expect(device.page).toHaveTitle(/^\(1\)|🔔|•/);
  await terminal.type('x');
  await expect(item).not.toContainText('May I go on?');
  await terminal.stop();
});
