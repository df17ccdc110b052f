import { expect, test } from './fixtures';

test('fingers: the key bar, scrolling, and a hold to select', async ({ plainDesk: desk, user }) => {
  await user.engine.resize(390, 780);
  const program = "stty -echo; seq -f 'line %04g' 1 300; exec bash --norc";
  await desk.must('open', '-d', '--name', 'ann', '--', 'sh', '-c', program);
  await user.pairs(desk);
  await user.opens('ann');
  await user.screen(/^line 0300$/m);

  const { x, y } = await user.cell(10, 4);
  await user.drags({ x, y }, { x, y: y + 250 });
  await user.sees('button', 'Back to the end');
  const first = async (): Promise<string | undefined> => (await user.rows())[0];
  const shown = (await user.rows()).map((row) => parseInt(row.slice(5), 10));
  expect(shown).toEqual(shown.map((_, at) => (shown[0] ?? 0) + at));
  expect(shown[0]).toBeLessThan(270);
  // A finger that rested before it was lifted leaves no momentum.
  await user.engine.evaluate(async () => {
    for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
  });
  expect(await first()).toBe(`line 0${shown[0]}`);

  await user.taps(x, y);
  await user.types('echo ti""red; sleep 1000');
  await user.presses('Enter');
  await user.screen(/^tired$/m);
  const key = await user.sees('button', 'Control C');
  await user.taps(key.x, key.y);
  await user.types('echo a""wake');
  await user.presses('Enter');
  await user.screen(/^awake$/m);

  // A mouse leaves the focus where it is, too.
  await user.types('echo 42');
  await user.clicks('button', 'Left');
  await user.types('3');
  await user.presses('Enter');
  await user.screen(/^432$/m);

  await user.holds(x, y);
  await user.sees('heading', 'Select text');
  await user.reads('line 0001 line 0002');
});
