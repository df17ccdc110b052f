import { expect, test } from './fixtures';

test('what is typed in a shell is answered', async ({ desk, user }) => {
  await desk.must('open', '-d', '--name', 'ann');
  await user.pairs(desk);
  await user.opens('ann');
  await user.screen(/^\$ ?$/m);
  await user.enters('echo $((6 * 7)) "A: ü 表"');
  await user.screen(/^42 A: ü 表$/m);
  await user.enters('sleep 1000');
  await user.presses('Control+c');
  await user.screen(/^\^C\n\$ ?$/m);
});

test('a file is edited in vim and saved', async ({ desk, user }) => {
  await desk.must('open', '-d', '--name', 'edit');
  await user.pairs(desk);
  await user.opens('edit');
  await user.enters('vim note.txt');
  await user.screen(/note\.txt/);
  await user.types('iwritten in a browser');
  await user.presses('Enter', 'ArrowUp', 'End');
  await user.types(', with keys');
  await user.presses('Escape');
  await user.enters(':wq');
  await expect.poll(() => desk.read('note.txt')).toBe('written in a browser, with keys\n\n');
});

test('a large output arrives whole, and the wheel scrolls through it', async ({ desk, user }) => {
  // Some 3 MiB, of which every line says which it is.
  const program = 'stty -echo; read go; seq -f "%06g of what was counted" 1 110000; echo counted';
  await desk.must('open', '-d', '--name', 'much', '--', 'sh', '-c', `${program}; sleep 1000`);
  await user.pairs(desk);
  await user.opens('much');
  await user.presses('Enter');
  await user.screen(/^counted$/m, 30_000);
  const rows = (await user.rows()).filter((row) => row !== '');
  const last = Array.from({ length: rows.length - 1 }, (_, at) => 110_000 - rows.length + 2 + at);
  expect(rows).toEqual([...last.map((line) => `${String(line).padStart(6, '0')} of what was counted`), 'counted']);

  await user.wheels(-2_000);
  await user.sees('button', 'Back to the end');
  const numbers = async (): Promise<number[]> => (await user.rows()).map((row) => parseInt(row, 10));
  await expect.poll(async () => (await numbers())[0]).toBeLessThan(109_950);
  const shown = await numbers();
  expect(shown).toEqual(shown.map((_, at) => (shown[0] ?? 0) + at));
  await user.clicks('button', 'Back to the end');
  await user.screen(/^counted$/m);
});

test('a line is pasted by its key', async ({ desk, user }) => {
  await desk.must('open', '-d', '--name', 'paste', '--', 'sh', '-c', 'stty -echo; cat > paste.txt');
  await user.pairs(desk);
  await user.copies('größer ☕ 表');
  await user.opens('paste');
  await user.presses('Control+Shift+V');
  await user.presses('Enter');
  await expect.poll(() => desk.read('paste.txt')).toBe('größer ☕ 表\n');
});

test('a session is opened on the page, and its end is told', async ({ desk, user }) => {
  await user.pairs(desk);
  await user.clicks('button', 'New session…');
  await user.clicks('button', 'Open…');
  await user.screen(/^\$ ?$/m);
  await user.enters('exit 3');
  await user.reads('The program ended with status 3.');
});
