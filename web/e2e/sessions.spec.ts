import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Desk } from './desk';
import { expect, test } from './fixtures';

/** Puts a program on the PATH of the desk's user: it prints where it is, and its arguments. */
function addProgram(desk: Desk, name: string): void {
  const directory = join(desk.home, 'bin');
  mkdirSync(directory, { recursive: true });
  const file = join(directory, name);
  writeFileSync(file, `#!/bin/sh\npwd\nprintf '<%s>\\n' "$@"\nread -r line\necho "got $line"\n`);
  chmodSync(file, 0o755);
}

test('a list of sessions that is always up to date', async ({ desk, device }) => {
  await device.pairWith(desk);
  await expect(device.heading('No sessions yet')).toBeVisible();
  await desk.must('open', '-d', '--name', 'build', '--', 'sh', '-c', 'echo at work; sleep 1000');
  const item = device.page.getByRole('listitem').filter({ hasText: 'build' });
  await expect(item).toContainText('at work');
  await expect(item).toContainText(/running \d+s/);
  const terminal = await desk.inTerminal(['attach', 'build']);
  await expect(item).toContainText('the computer itself');
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

test('a message covers no session, and moves none that it lies beside', async ({
  desk,
  device,
  newDevice,
}) => {
  await desk.must('open', '-d', '--name', 'first', '--', 'cat');
  await device.pairWith(desk);
  const item = device.listed('first');
  await expect(item).toBeVisible();
  const before = await item.boundingBox();
  await (await newDevice()).pairWith(desk);
  const message = device.page.getByText('was paired just now');
  await expect(message).toBeVisible();
  const gap = async (): Promise<number> => {
    const [over, under] = [await message.boundingBox(), await item.boundingBox()];
    if (!over || !under) return Number.NaN;
    const isBeside = over.x >= under.x + under.width;
    return isBeside ? (before?.y ?? 0) - under.y : Math.min(0, under.y - over.y - over.height);
  };
  await expect.poll(gap).toBe(0);
});

test('why a session is not opened is in sight, above the button', async ({ desk, device }) => {
  await desk.must('open', '-d', '--name', 'web1', '--', 'true');
  await device.pairWith(desk);
  await expect(device.page.getByText('ended with status 0')).toBeVisible();
  await device.page.setViewportSize({ width: 360, height: 740 });
  await device.button('New session').click();
  const sheet = device.page.getByRole('dialog', { name: 'New session' });
  await sheet.getByText('Name and arguments').click();
  await sheet.getByRole('textbox', { name: 'Name' }).fill('web1');
  const why = sheet.getByRole('alert');
  // Again with the sheet scrolled back: what it says then is news as well.
  for (let time = 0; time < 2; time += 1) {
    await sheet.getByRole('heading').scrollIntoViewIfNeeded();
    await sheet.getByRole('button', { name: 'Open session' }).click();
    await expect(why).toContainText('a session is called web1 already');
    await expect(why).toBeInViewport({ ratio: 1 });
    await sheet.getByRole('group', { name: 'Program' }).scrollIntoViewIfNeeded();
  }
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

test('a session is opened with a program and a directory, renamed, ended and dismissed, all on the page', async ({
  desk,
  device,
}) => {
  // One of the agents that are listed by themselves.
  addProgram(desk, 'claude');
  mkdirSync(join(desk.home, 'two words'), { recursive: true });
  await device.pairWith(desk);
  await device.button('New session').click();
  const sheet = device.page.getByRole('dialog', { name: 'New session' });
  await sheet.getByRole('radio', { name: 'claude' }).check({ force: true });
  await sheet.getByRole('textbox', { name: 'Directory' }).fill('~/two words');
  await sheet.getByText('Name and arguments').click();
  await sheet.getByRole('textbox', { name: 'Name' }).fill('task');
  const words = sheet.getByRole('textbox', { name: 'Arguments' });
  await words.fill(`--say "open`);
  await expect(sheet).toContainText('A quote is not closed.');
  await expect(sheet.getByRole('button', { name: 'Open session' })).toBeDisabled();
  await words.fill(`--say "two  words" ''`);
  await sheet.getByRole('button', { name: 'Open session' }).click();
  await expect(sheet).toBeHidden();
  const { screen } = device;
  await screen.attached();
  await screen.shows(/two words\n<--say>\n<two {2}words>\n<>/);
  await screen.enter('hello');
  await screen.shows(/^got hello$/m);
  await expect(screen.state).toContainText('The program ended without an error.');

  // Another process of the daemon knows the words as well.
  device.watch.expectFault(/WebSocket connection|ERR_CONNECTION/);
  await desk.must('restart');
  await expect.poll(async () => (await desk.devices())[0]?.connected).toBe(true);
  await device.button('Open again').click();
  await expect.poll(async () => (await desk.sessions()).length).toBe(2);
  await screen.attached();
  await screen.shows(/two words\n<--say>\n<two {2}words>\n<>/);

  await (await screen.menu()).getByRole('button', { name: 'Rename session' }).click();
  const naming = device.page.getByRole('dialog', { name: 'Rename session' });
  // Of characters that are few, and many bytes.
  await naming.getByRole('textbox').fill('\u{1f98a}'.repeat(17));
  await expect(naming.getByRole('alert')).toHaveText('Too long: 64 bytes at most.');
  await expect(naming.getByRole('button', { name: 'Rename' })).toBeDisabled();
  await naming.getByRole('textbox').fill('renamed');
  await naming.getByRole('button', { name: 'Rename' }).click();
  await expect(device.page.getByRole('region', { name: 'Session renamed' })).toBeVisible();
  await (await screen.menu()).getByRole('button', { name: 'End session' }).click();
  const sure = device.page.getByRole('dialog', { name: 'End renamed?' });
  await sure.getByRole('button', { name: 'Cancel' }).click();
  await expect(sure).toBeHidden();
  expect((await desk.session('renamed')).ended).toBeUndefined();
  await (await screen.menu()).getByRole('button', { name: 'End session' }).click();
  await sure.getByRole('button', { name: 'End session' }).click();
  await expect(screen.state).toContainText('The program was ended by signal 1.');
  await device.button('Dismiss').click();
  await expect.poll(async () => (await desk.sessions()).map(({ name }) => name)).toEqual(['task']);
  await expect(device.listed('renamed')).toHaveCount(0);
  await expect(device.listed('task')).toBeVisible();
});

test('a program or directory that is not there is said so, and nothing typed is lost', async ({
  desk,
  device,
}) => {
  await device.pairWith(desk);
  await device.button('New session').click();
  const sheet = device.page.getByRole('dialog', { name: 'New session' });
  await sheet.getByRole('radio', { name: 'other…' }).check({ force: true });
  const program = sheet.getByRole('textbox', { name: 'Name or path of the program' });
  await program.fill('no-such-program');
  await sheet.getByRole('button', { name: 'Open session' }).click();
  await expect(sheet.getByRole('alert')).toContainText('no program no-such-program on PATH');
  await program.fill('cat');
  const directory = sheet.getByRole('textbox', { name: 'Directory' });
  await directory.fill('~/not-there');
  await sheet.getByRole('button', { name: 'Open session' }).click();
  await expect(sheet.getByRole('alert')).toContainText('there is no directory');
  await expect(program).toHaveValue('cat');
  await directory.fill('');
  await sheet.getByRole('button', { name: 'Open session' }).click();
  await device.screen.attached();
  await expect.poll(async () => (await desk.sessions()).length).toBe(1);
});
