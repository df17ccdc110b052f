import { expect, test } from './fixtures';

test('a session is opened, typed into, and ends', async ({ desk, user }) => {
  await user.pairs(desk);
  await user.clicks('button', 'New session…');
  await user.clicks('button', 'Open session');
  await user.screen(/^\$ ?$/m);
  await user.enters('echo $((6 * 7)) "A: ü 表"');
  await user.screen(/^42 A: ü 表$/m);
  await user.enters('echo as""leep; sleep 1000');
  await user.screen(/^asleep$/m);
  await user.presses('Control+c');
  await user.screen(/^\^C\n\$ ?$/m);

  await user.enters('vim note.txt');
  await user.screen(/note\.txt/);
  await user.types('iwritten in a browser');
  await user.presses('Enter', 'ArrowUp', 'End');
  await user.types(', with keys');
  await user.presses('Escape');
  await user.enters(':wq');
  await expect.poll(() => desk.read('note.txt')).toBe('written in a browser, with keys\n\n');

  await user.enters('exit 3');
  await user.reads('The program ended with status 3.');
});

test('a large output is shown to its end, and the wheel scrolls through it', async ({
  desk,
  user,
}) => {
  // Some 3 MiB, of which every line says which it is.
  const program = 'stty -echo; read go; seq -f "%06g of what was counted" 1 110000; echo counted';
  await desk.must('open', '-d', '--name', 'much', '--', 'sh', '-c', `${program}; sleep 1000`);
  await user.pairs(desk);
  await user.opens('much');
  await user.presses('Enter');
  await user.screen(/^counted$/m);
  const rows = (await user.rows()).filter((row) => row !== '');
  const last = Array.from({ length: rows.length - 1 }, (_, at) => 110_000 - rows.length + 2 + at);
  expect(rows).toEqual([
    ...last.map((line) => `${String(line).padStart(6, '0')} of what was counted`),
    'counted',
  ]);

  await user.wheels(-2_000);
  await user.sees('button', 'Back to the end');
  const numbers = async (): Promise<number[]> =>
    (await user.rows()).map((row) => parseInt(row, 10));
  await expect.poll(async () => (await numbers())[0]).toBeLessThan(109_950);
  const shown = await numbers();
  expect(shown).toEqual(shown.map((_, at) => (shown[0] ?? 0) + at));
  await user.clicks('button', 'Back to the end');
  await user.screen(/^counted$/m);
});

test('a line is pasted, and a word copied, by their keys', async ({ desk, user }) => {
  const program = "stty -echo; echo; echo 'größer ☕ 表'; echo 'der Bär'; cat > paste.txt";
  await desk.must('open', '-d', '--name', 'paste', '--', 'sh', '-c', program);
  await user.pairs(desk);
  await user.copies('ein Bär');
  await user.opens('paste');
  await user.screen(/^größer/m);
  await user.presses('Control+Shift+V', 'Enter');
  await expect.poll(() => desk.read('paste.txt')).toBe('ein Bär\n');
  await user.selects(await user.cell(2, 1));
  await user.presses('Control+Shift+C', 'Control+Shift+V', 'Enter');
  await expect.poll(() => desk.read('paste.txt')).toBe('ein Bär\ngrößer\n');

  await user.clicks('button', 'Session menu');
  await user.clicks('button', 'Select text');
  await user.sees('heading', 'Select text');
  const word = await user.engine.evaluate(() => {
    const text = document.querySelector('pre.screen')?.firstChild;
    if (!text) throw new Error('no text');
    const range = document.createRange();
    const begin = text.textContent?.indexOf('Bär') ?? 0;
    range.setStart(text, begin);
    range.setEnd(text, begin + 3);
    const { left, top, width, height } = range.getBoundingClientRect();
    return { x: Math.round(left + width / 2), y: Math.round(top + height / 2) };
  });
  await user.selects(word);
  await user.clicks('button', 'Copy');
  await user.misses('heading', 'Select text');
  await user.presses('Control+Shift+V', 'Enter');
  await expect.poll(() => desk.read('paste.txt')).toBe('ein Bär\ngrößer\nBär\n');
});
