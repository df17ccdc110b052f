import { expect, test } from './fixtures';

test('over plain http, by a name: all works but the clipboard', async ({
  plainDesk: desk,
  user,
}) => {
  await desk.must(
    'open',
    '-d',
    '--name',
    'plain',
    '--',
    'sh',
    '-c',
    "stty -echo; echo; echo 'größer ☕'; cat > paste.txt",
  );
  const { code } = await desk.offer();
  await user.engine.goto(desk.address);
  expect(await user.engine.evaluate(() => [isSecureContext, typeof crypto.subtle])).toEqual([
    false,
    'undefined',
  ]);
  await user.clicks('textbox', 'Pairing code');
  await user.types(code);
  await user.presses('Enter');
  await user.clicks('button', 'They match…');
  await user.clicks('button', 'Open sessions');
  await user.engine.reload();
  await user.copies('one line');
  await user.opens('plain');
  await user.presses('Control+Shift+V', 'Enter');
  await expect.poll(() => desk.read('paste.txt')).toBe('one line\n');
  await user.selects(await user.cell(2, 1));
  await user.presses('Control+Shift+C', 'Control+Shift+V', 'Enter');
  await expect.poll(() => desk.read('paste.txt')).toBe('one line\ngrößer\n');

  await user.clicks('button', 'Session menu');
  await user.clicks('button', 'Paste');
  await user.reads('Over plain http a page cannot read the clipboard');
  await user.clicks('textbox', 'Text to paste');
  await user.types('second');
  await user.presses('Enter');
  await user.types('third');
  await user.clicks('button', 'Paste 2 lines');
  await user.presses('Enter');
  await expect.poll(() => desk.read('paste.txt')).toBe('one line\ngrößer\nsecond\nthird\n');
});
