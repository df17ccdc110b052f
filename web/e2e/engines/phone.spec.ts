import { expect, test } from './fixtures';
import type { User } from './user';

/** The lower end of a button, in CSS pixels from the top of the page. */
function bottomOf(user: User, name: string): Promise<number> {
  return user.engine.evaluate((wanted) => {
    const all = [...document.querySelectorAll('button')];
    const one = all.find((button) => button.textContent?.trim() === wanted);
    return one?.getBoundingClientRect().bottom ?? Number.NaN;
  }, name);
}

/** An on-screen keyboard as on an iPhone: over the page, which keeps its size. */
function coverLowerPart(pixels: number): void {
  const visual = window.visualViewport;
  if (!visual) throw new Error('no visual viewport');
  const height = visual.height - pixels;
  Object.defineProperty(visual, 'height', { configurable: true, get: () => height });
  visual.dispatchEvent(new Event('resize'));
}

test.beforeEach(async ({ user }) => {
  await user.engine.resize(390, 780);
});

test('what is written in a sheet is sent with the keyboard over the page', async ({
  desk,
  user,
}) => {
  await user.pairs(desk);
  await user.clicks('button', 'New session…');
  await user.sees('button', 'Open session');
  const height = await user.engine.evaluate(() => window.innerHeight);
  const bottom = () => bottomOf(user, 'Open session');
  expect(await bottom()).toBeGreaterThan(height - 100);
  await user.engine.evaluate(coverLowerPart, 300);
  await expect.poll(bottom).toBeLessThanOrEqual(height - 300);
  await user.clicks('button', 'Open session');
  // The terminal has what is left of the page, too.
  await user.has('.xterm-screen');
  const session = () =>
    user.engine.evaluate(() => document.querySelector('.session')?.getBoundingClientRect().bottom);
  expect(await session()).toBeLessThanOrEqual(height - 300);
});

test('no field makes a phone zoom into the page, and neither do two taps', async ({
  desk,
  user,
}) => {
  await desk.must('open', '-d', '--name', 'ann');
  await user.engine.goto(desk.address);
  await user.sees('textbox', 'Pairing code');
  const small = () =>
    user.engine.evaluate(() =>
      [
        ...document.querySelectorAll(
          'textarea, select, input:not([type="radio"], [type="checkbox"], [type="file"])',
        ),
      ]
        .filter((field) => parseFloat(getComputedStyle(field).fontSize) < 16)
        .map((field) => field.outerHTML),
    );
  expect(await small()).toEqual([]);
  await user.pairs(desk);
  await user.opens('ann');
  await user.clicks('button', 'Session menu');
  await user.clicks('button', 'Paste');
  await user.has('textarea');
  expect(await small()).toEqual([]);
  const taps = () => getComputedStyle(document.documentElement).touchAction;
  expect(await user.engine.evaluate(taps)).toBe('manipulation');
});
