import { expect, test } from './fixtures';
import type { SessionScreen } from './screen';
import type { Terminal } from './terminal';

/** Waits until both show the same text, in every cell. */
async function showSame(screen: SessionScreen, terminal: Terminal): Promise<void> {
  const differing = async (): Promise<string[]> => {
    const [here, there] = [await screen.rows(), await terminal.rows()];
    const rows = here.map((row, at) => (row === there[at] ? '' : `${row} | ${there[at]}`));
    return rows.filter((row) => row !== '').concat(here.length === there.length ? [] : ['rows']);
  };
  await expect.poll(differing).toEqual([]);
}

/** Draws half a picture, stops within an escape sequence, and goes on at a key. */
const HALF_DRAWN = `
stty -echo -icanon
printf '\\033[?1049h\\033[2J\\033[H'
for row in 1 2 3 4 5 6 7 8 9 10 11 12; do
  printf '\\033[%d;%dH\\033[4%dm├─ 表 %02d ─┤\\033[0m' $row $((row * 3)) $((row % 8)) $row
done
printf '\\033[14;70Hwrapped around the edge\\033[20;5Hleft \\033[3'
head -c 1 > /dev/null
printf '1mred\\033[0m and on\\033[22;1H┌──┐ done'
sleep 1000
`;

test('what is typed in a shell is answered', async ({ desk, device }) => {
  await desk.must('open', '-d', '--name', 'ann');
  await device.pairWith(desk);
  const screen = await device.openSession('ann');
  await screen.shows(/^\$ ?$/m);
  await screen.enter('echo $((6 * 7)) "ü 表"');
  await screen.shows(/^42 ü 表$/m);
  expect((await desk.session('ann')).columns).toBe(80);
});

test('a file is edited in vim and saved', async ({ desk, device }) => {
  await desk.must('open', '-d', '--name', 'edit');
  await device.pairWith(desk);
  const screen = await device.openSession('edit');
  await screen.enter('vim note.txt');
  await screen.shows(/note\.txt/);
  await screen.type('iwritten on a device');
  await screen.shows(/^written on a device$/m);
  await screen.press('Escape');
  await screen.type('yyp0cwread');
  await screen.press('Escape');
  await screen.enter(':wq');
  const text = (): string => desk.read('note.txt');
  await expect.poll(text).toBe('written on a device\nread on a device\n');
});

test('a half drawn screen is the one that any other terminal shows', async ({ desk, device }) => {
  await desk.must('open', '-d', '--name', 'half', '--', 'sh', '-c', HALF_DRAWN);
  await device.pairWith(desk);
  const terminal = await desk.inTerminal(['attach', '--keep-size', 'half']);
  const screen = await device.openSession('half');
  await screen.shows(/left$/m);
  await terminal.shows(/left$/m);
  await showSame(screen, terminal);
  await screen.type('x');
  await screen.shows(/┌──┐ *done/);
  await terminal.shows(/┌──┐ *done/);
  await showSame(screen, terminal);
  await terminal.stop();
});

test('a program that draws all the time looks as on the desk', async ({ desk, device }) => {
  await desk.must('open', '-d', '--name', 'top', '--', 'htop', '-d', '100');
  await device.pairWith(desk);
  const terminal = await desk.inTerminal(['attach', '--keep-size', 'top']);
  await terminal.shows(/F10/);
  const screen = await device.openSession('top');
  await screen.shows(/F10/);
  await showSame(screen, terminal);
  await screen.press('q');
  await expect(screen.state).toContainText('The program ended without an error.');
  await terminal.stop();
});

test('two browsers share a session', async ({ desk, device, newDevice }) => {
  await desk.must('open', '-d', '--name', 'both');
  const other = await newDevice();
  await device.pairWith(desk);
  await other.pairWith(desk);
  const [here, there] = [await device.openSession('both'), await other.openSession('both')];
  await here.enter('echo from h""ere');
  await there.shows(/^from here$/m);
  await there.enter('echo from th""ere');
  await here.shows(/^from there$/m);
  expect(await here.rows()).toEqual(await there.rows());
});

test('a device does not resize a session until its user says so', async ({ desk, device }) => {
  await desk.must('open', '-d', '--name', 'wide');
  await device.pairWith(desk);
  const screen = await device.openSession('wide');
  await screen.enter('stty size');
  await screen.shows(/^24 80$/m);
  const { columns, rows } = await desk.session('wide');
  expect([columns, rows]).toEqual([80, 24]);
  await device.button('Fit to my screen').click();
  const fitted = async (): Promise<boolean> => {
    const now = await desk.session('wide');
    return now.columns !== columns && now.rows !== rows;
  };
  await expect.poll(fitted).toBe(true);
  const now = await desk.session('wide');
  await screen.enter('clear; stty size');
  await screen.shows(new RegExp(`^${now.rows} ${now.columns}$`, 'm'));
  await expect(device.page.getByText('· sized here')).toBeVisible();
});

test('a session that ends says how', async ({ desk, device }) => {
  await desk.must('open', '-d', '--name', 'short');
  await device.pairWith(desk);
  const screen = await device.openSession('short');
  await screen.enter('exit 3');
  await expect(screen.state).toContainText('The program ended with status 3.');
});

test('a device that may only watch cannot type', async ({ desk, device }) => {
  await desk.must('open', '-d', '--name', 'show');
  await device.pairWith(desk, '--watch-only');
  const screen = await device.openSession('show');
  await expect(device.page.getByText('Watching only')).toBeVisible();
  await expect(device.page.getByRole('toolbar', { name: 'Terminal keys' })).toHaveCount(0);
  await screen.enter('echo ty""ped');
  const terminal = await desk.inTerminal(['attach', '--keep-size', 'show']);
  await terminal.type('echo at the d""esk');
  await terminal.press('Enter');
  await screen.shows(/^at the desk$/m);
  expect((await screen.rows()).join('\n')).not.toContain('ty""ped');
  await terminal.stop();

  // On a narrow phone the header still says so, and nothing of it is cut.
  await device.page.setViewportSize({ width: 360, height: 740 });
  const line = device.page.getByRole('region', { name: 'Session show' }).locator('header p');
  await expect(line).toHaveText(/^\s*Watching only\s·\s80 × 24\s/);
  await expect.poll(() => line.evaluate((p) => p.scrollWidth - p.clientWidth)).toBe(0);
});
