import { expect, test } from './fixtures';
import { lasting } from './wait';
import { Wire } from './wire';

/** Counts aloud, and writes down what is typed. */
const COUNTING = `
stty -echo
(n=1; while [ $n -le 2000 ]; do echo "tick $n"; n=$((n + 1)); sleep 0.1; done) &
cat > typed.txt
kill $!
`;

/** What a browser itself says of a WebSocket that breaks. */
const BROKEN = /WebSocket connection|ERR_(CONNECTION|INTERNET|NETWORK|EMPTY)/;

test('thirty seconds without a network, and nothing is lost', async ({ desk, device, origin }) => {
  const wire = await Wire.start(desk.port);
  device.watch.mayReach(`${origin}:${wire.port}`);
  device.watch.expectFault(BROKEN);
  await desk.must('open', '-d', '--name', 'long', '--', 'sh', '-c', COUNTING);
  await device.pairByLink((await desk.offer()).link.replace(`:${desk.port}`, `:${wire.port}`));
  const screen = await device.openSession('long');
  const latest = async (): Promise<number> =>
    Number(/tick (\d+)\n*$/.exec((await screen.rows()).join('\n'))?.[1]);
  await expect.poll(latest).toBeGreaterThan(0);
  await screen.enter('before');
  await expect.poll(() => desk.read('typed.txt')).toBe('before\n');

  wire.freeze();
  await device.context.setOffline(true);
  await expect(screen.state).toContainText(/Asleep|cannot be reached|was cut|stands still/);
  const last = await latest();
  await screen.enter('meanwhile');
  await lasting(30_000);
  await device.context.setOffline(false);
  wire.thaw();

  await expect.poll(latest).toBeGreaterThan(last + 250);
  await screen.enter('after');
  await screen.press('Control+d');
  await expect(screen.state).toContainText('The program ended');
  expect(desk.read('typed.txt')).toBe('before\nmeanwhile\nafter\n');
  const ticks = [...(await screen.wholeText()).matchAll(/^tick (\d+)$/gm)].map(([, n]) =>
    Number(n),
  );
  expect(ticks).toEqual(ticks.map((_, index) => index + 1));
  expect(ticks.length).toBeGreaterThan(last + 250);
  await wire.stop();
});

test('a link that is cut again and again takes what is typed once', async ({
  desk,
  device,
  origin,
}) => {
  const wire = await Wire.start(desk.port);
  device.watch.mayReach(`${origin}:${wire.port}`);
  device.watch.expectFault(BROKEN);
  await desk.must('open', '-d', '--name', 'cuts', '--', 'sh', '-c', 'stty -echo; cat > cuts.txt');
  await device.pairByLink((await desk.offer()).link.replace(`:${desk.port}`, `:${wire.port}`));
  const screen = await device.openSession('cuts');
  let expected = '';
  for (let round = 0; round < 4; round += 1) {
    await screen.enter(`up ${round}`);
    await wire.cut();
    await screen.enter(`down ${round}`);
    await expect(screen.state).not.toBeEmpty();
    await wire.restore();
    expected += `up ${round}\ndown ${round}\n`;
    await expect.poll(() => desk.read('cuts.txt')).toBe(expected);
  }
  await wire.stop();
});

test('what waits for a link and is left behind is told', async ({ desk, device, origin }) => {
  const wire = await Wire.start(desk.port);
  device.watch.mayReach(`${origin}:${wire.port}`);
  device.watch.expectFault(BROKEN);
  await desk.must('open', '-d', '--name', 'left', '--', 'cat');
  await device.pairByLink((await desk.offer()).link.replace(`:${desk.port}`, `:${wire.port}`));
  const screen = await device.openSession('left');
  await screen.enter('up');
  await screen.shows(/^up$/m);
  await wire.cut();
  await expect(screen.state).not.toBeEmpty();
  await screen.enter('promised');
  await expect(screen.state).toContainText('9 bytes that you typed will be sent');
  await device.page.goBack();
  await expect(
    device.page.getByText('9 bytes that you typed in left may not have arrived.'),
  ).toBeVisible();
  await wire.restore();
  await wire.stop();
});

test('a daemon that restarts keeps its sessions and the page its screen', async ({
  desk,
  device,
}) => {
  device.watch.expectFault(BROKEN);
  await desk.must('open', '-d', '--name', 'kept');
  await device.pairWith(desk);
  const screen = await device.openSession('kept');
  await screen.enter('echo be""fore');
  await screen.shows(/^before$/m);
  await desk.must('restart');
  await screen.enter('echo af""ter');
  await screen.shows(/^after$/m);
});

test('a revoked device is told, and does not come back', async ({ desk, device }) => {
  await desk.must('open', '-d', '--name', 'stream', '--', 'sh', '-c', 'while :; do date; done');
  await device.pairWith(desk);
  const screen = await device.openSession('stream');
  await screen.shows(/\d\d:\d\d:\d\d/);
  const [{ name = '' } = {}] = await desk.devices();
  // By the daemon's last word, and not by an attempt to come back.
  let attempts = 0;
  device.page.on('websocket', () => {
    attempts += 1;
  });
  await desk.must('devices', 'revoke', name);
  const told = device.page.getByText('This device was revoked');
  await expect(told.first()).toBeVisible();
  expect(attempts).toBe(0);
  expect(await desk.devices()).toEqual([]);
  // Nothing takes what could not arrive.
  await expect(device.page.getByRole('toolbar')).toHaveCount(0);
  await screen.enter('lost');
  await expect(screen.state).not.toContainText('that you typed');

  await device.page.reload();
  await expect(device.page.getByText('desk does not know this device').first()).toBeVisible();
  expect((await desk.session('stream')).columns).toBe(80);
  await expect(device.page.getByText(/\d\d:\d\d:\d\d/)).toHaveCount(0);
});

test('a list of sessions without a link is as of then, and the link is told of once', async ({
  desk,
  device,
  origin,
}) => {
  const wire = await Wire.start(desk.port);
  const { page } = device;
  device.watch.mayReach(`${origin}:${wire.port}`);
  device.watch.expectFault(BROKEN);
  await desk.must('open', '-d', '--name', 'stale', '--', 'cat');
  await device.pairByLink((await desk.offer()).link.replace(`:${desk.port}`, `:${wire.port}`));
  // With the link goes what the page has not loaded yet.
  await device.openSession('stale');
  await page.goBack();
  const item = page.getByRole('listitem').filter({ hasText: 'stale' });
  await expect(item).toContainText(/running \d+s/);
  const asOf = page.getByText(/^This list is as of .*\d\d:\d\d/);
  await expect(asOf).toHaveCount(0);
  await wire.cut();
  await expect(asOf).toBeVisible();
  const then = await item.textContent();
  const banner = page.getByRole('status', { name: 'Link' });
  await expect(banner).toContainText(/cannot be reached|was cut/);
  // Seconds go by meanwhile.
  await expect(banner).toContainText(/reconnecting in [1-9]/);
  await lasting(3_000);
  expect(await item.textContent()).toBe(then);

  await item.getByText('stale', { exact: true }).click();
  await expect(device.screen.state).not.toBeEmpty();
  await expect(page.getByText(/cannot be reached|was cut/)).toHaveCount(1);
  await wire.restore();
  await expect(device.screen.state).toBeEmpty();
  await expect(asOf).toHaveCount(0);
  await wire.stop();
});
