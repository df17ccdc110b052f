import { decodePng } from '../png';
import { expect, test } from './fixtures';

test.use({ webgl: true });

/** A line of red blocks, and a text below it. */
const PROGRAM = `stty -echo; printf '\\033[?25l\\033[38;2;255;0;0m'
for i in 1 2 3 4 5 6 7 8 9 10; do printf '\\342\\226\\210'; done
printf '\\033[0m\\n\\nbelow the blocks\\n'; sleep 1000`;

test('WebGL draws where the browser has it', async ({ desk, user, expected }) => {
  // xterm.js says so of a processor that is slower than a GPU.
  expected.push(/task queue exceeded allotted deadline/);
  await desk.must('open', '-d', '--name', 'red', '--', 'sh', '-c', PROGRAM);
  await user.pairs(desk);
  await user.opens('red');
  await user.has('.xterm-screen canvas:not([class])');
  const state = await user.engine.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>('.xterm-screen canvas:not([class])');
    return {
      lost: canvas?.getContext('webgl2')?.isContextLost(),
      rows: document.querySelectorAll('.xterm-rows').length,
    };
  });
  expect(state).toEqual({ lost: false, rows: 0 });
  const red = async (): Promise<number> => {
    const { pixels } = decodePng(await user.engine.screenshot());
    let count = 0;
    for (let at = 0; at < pixels.length; at += 4) {
      const [r = 0, g = 0, b = 0] = pixels.subarray(at, at + 3);
      if (r > 200 && g < 60 && b < 60) count += 1;
    }
    return count;
  };
  // Ten cells of some 8 by 17 pixels.
  await expect.poll(red, { intervals: [200] }).toBeGreaterThan(1_000);
});
