import { drag } from './fingers';
import { expect, test } from './fixtures';

test('Ctrl of the key bar holds for one key, or stays', async ({ desk, device }) => {
  await desk.must('open', '-d', '--name', 'keys');
  await device.pairWith(desk);
  const screen = await device.openSession('keys');
  await screen.enter('sleep 1000');
  await screen.key('Control').tap();
  await expect(screen.key('Control')).toHaveAttribute('aria-pressed', 'true');
  await screen.type('c');
  await screen.shows(/\^C/);
  await expect(screen.key('Control')).toHaveAttribute('aria-pressed', 'false');
  await screen.enter('sleep 1000');
  await screen.key('Control C').tap();
  await screen.shows(/\^C[^]*\^C/);

  await screen.enter('cat -v');
  await screen.key('Control').dblclick();
  await expect(screen.key('Control, locked')).toHaveAttribute('aria-pressed', 'true');
  await screen.type('ab');
  await screen.key('Control, locked').tap();
  await screen.key('Alt').tap();
  await screen.type('x');
  await screen.key('Tilde').tap();
  await screen.shows(/\^A\^B\^\[x~/);
});

test('Esc, arrows and the others work in vim', async ({ desk, device }) => {
  await desk.must('open', '-d', '--name', 'vim', '--', 'vim', 'keys.txt');
  await device.pairWith(desk);
  const screen = await device.openSession('vim');
  await screen.shows(/keys\.txt/);
  await screen.type('ione two');
  for (const key of ['Left', 'Left', 'Left', 'Home']) await screen.key(key).tap();
  await screen.type('>');
  await screen.key('End').tap();
  await screen.type('<');
  await screen.key('Escape').tap();
  await screen.key('Slash').tap();
  await screen.enter('two');
  await screen.type('x');
  await screen.enter(':wq');
  const text = (): string => desk.read('keys.txt');
  await expect.poll(text).toBe('>one wo<\n');
});

test('an arrow that is held repeats', async ({ desk, device }) => {
  await desk.must('open', '-d', '--name', 'held', '--', 'sh', '-c', 'stty -icanon; cat -v');
  await device.pairWith(desk);
  const screen = await device.openSession('held');
  const box = await screen.key('Up').boundingBox();
  if (!box) throw new Error('no key');
  await device.page.mouse.move(box.x + 5, box.y + 5);
  await device.page.mouse.down();
  await screen.shows(/(\^\[\[A){5}/);
  await device.page.mouse.up();
});

test('behind a long line the view is back where lines begin', async ({ desk, device }) => {
  const prompts = "while printf 'a prompt> '; do read line; done";
  await desk.must('open', '-d', '--name', 'long', '--', 'sh', '-c', prompts);
  await device.pairWith(desk);
  const screen = await device.openSession('long');
  await screen.shows(/a prompt>/);
  const left = async (): Promise<number> =>
    (await device.page.locator('.xterm-screen').boundingBox())?.x ?? Number.NaN;
  const start = await left();
  await screen.type('x'.repeat(70));
  await expect.poll(left).toBeLessThan(start - 100);
  await screen.enter('');
  await expect.poll(left).toBe(start);
});

test('a message is written apart and sent in one piece', async ({ desk, device }) => {
  await desk.must('open', '-d', '--name', 'box', '--', 'sh', '-c', 'stty -echo; cat > box.txt');
  await device.pairWith(desk);
  const screen = await device.openSession('box');
  await screen.key('Write a message').tap();
  const form = device.page.getByRole('form', { name: 'Message' });
  await form.getByRole('textbox').fill('two words, “quoted”, ünïcode');
  await form.getByRole('button', { name: 'Send with Enter' }).tap();
  const text = (): string => desk.read('box.txt');
  await expect.poll(text).toBe('two words, “quoted”, ünïcode\n');
  await expect(form.getByRole('textbox')).toHaveValue('');
});

test('a finger scrolls through what has gone by, and typing comes back', async ({
  desk,
  device,
}) => {
  await desk.must('open', '-d', '--name', 'scroll');
  await device.pairWith(desk);
  const screen = await device.openSession('scroll');
  await screen.enter('seq 1 300');
  await screen.shows(/^300$/m);
  await drag(device.page, { x: 180, y: 250 }, { x: 180, y: 550 });
  await expect.poll(async () => (await screen.rows()).includes('300')).toBe(false);
  await screen.stands();
  await screen.type('echo');
  await screen.shows(/^\$ echo/m);
});

test('a finger turns the wheel of a program that asked for the mouse', async ({ desk, device }) => {
  const program = "stty -echo -icanon; printf '\\033[?1000h\\033[?1006h'; cat -v";
  await desk.must('open', '-d', '--name', 'mouse', '--', 'sh', '-c', program);
  await device.pairWith(desk);
  const screen = await device.openSession('mouse');
  await drag(device.page, { x: 180, y: 250 }, { x: 180, y: 400 });
  await screen.shows(/\^\[\[<64;/);
});

test('the text has the size that its user chose, after a reload too', async ({ desk, device }) => {
  await desk.must('open', '-d', '--name', 'size');
  await device.pairWith(desk);
  const screen = await device.openSession('size');
  const menu = await screen.menu();
  const size = menu.getByLabel('Text size in pixels');
  const before = Number(await size.textContent());
  await menu.getByRole('button', { name: 'Larger text' }).click();
  await expect(size).toHaveText(`${before + 1}`);
  const heights = () =>
    device.page.evaluate(() =>
      ['.xterm-screen', '.xterm-scrollable-element > .scrollbar.vertical'].map(
        (part) => document.querySelector(part)?.clientHeight,
      ),
    );
  await expect.poll(async () => new Set(await heights()).size).toBe(1);
  await device.page.reload();
  await screen.shows(/^\$ ?$/m);
  await screen.menu();
  await expect(size).toHaveText(`${before + 1}`);
});

test('the session and its parts fit a narrow phone', async ({ desk, device }) => {
  await desk.must('open', '-d', '--name', 'fits');
  await device.pairWith(desk);
  const overflow = (): Promise<number> =>
    device.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(await overflow()).toBeLessThanOrEqual(0);
  const screen = await device.openSession('fits');
  await expect(screen.key('Escape')).toBeInViewport({ ratio: 1 });
  expect(await overflow()).toBeLessThanOrEqual(0);
});
