/** An on-screen keyboard over a phone's page. */

import type { Page } from '@playwright/test';
import { expect, test } from './fixtures';

/** How much of the screen such a keyboard takes, in CSS pixels. */
const KEYBOARD = 330;

/**
 * Lets the page see what a keyboard does that covers the layout viewport instead of shrinking it:
 * the visual viewport alone becomes smaller, as on iOS, and in Chromium unless told otherwise.
 */
function coverable(): void {
  const { visualViewport } = window;
  if (!visualViewport) throw new Error('this browser has no visual viewport');
  const covered = { height: 0, top: 0 };
  const kind = Object.getPrototypeOf(visualViewport);
  const own = (name: string): (() => number) =>
    Object.getOwnPropertyDescriptor(kind, name)?.get?.bind(visualViewport) ?? (() => 0);
  const [height, top] = [own('height'), own('offsetTop')];
  Object.defineProperty(visualViewport, 'height', { get: () => height() - covered.height });
  Object.defineProperty(visualViewport, 'offsetTop', { get: () => top() + covered.top });
  Object.assign(window, {
    cover: (pixels: number, offset = 0) => {
      Object.assign(covered, { height: pixels, top: offset });
      visualViewport.dispatchEvent(new Event('resize'));
      visualViewport.dispatchEvent(new Event('scroll'));
    },
  });
}

function cover(page: Page, pixels: number, offset = 0): Promise<void> {
  return page.evaluate(
    ([height, top]) => {
      (window as unknown as { cover: (height: number, top: number) => void }).cover(height, top);
    },
    [pixels, offset] as const,
  );
}

/** Where the cursor's row, the header and the last key are, from the top of the layout viewport. */
async function places(page: Page): Promise<{ cursor: number[]; bar: number[]; head: number }> {
  const edges = async (selector: string): Promise<number[]> => {
    const box = await page.locator(selector).last().boundingBox();
    return box ? [box.y, box.y + box.height] : [Number.NaN, Number.NaN];
  };
  const cursor = await edges('.xterm-rows > div:has(.xterm-cursor)');
  const bar = await edges('[role="toolbar"][aria-label="Terminal keys"]');
  const [head = Number.NaN] = await edges('section[aria-label^="Session "] > header');
  return { cursor, bar, head };
}

/** Waits until all of them are within the visible part. */
async function allWithin(page: Page, top: number, bottom: number): Promise<void> {
  await expect
    .poll(async () => {
      const { cursor, bar, head } = await places(page);
      const [up = Number.NaN, down = Number.NaN] = cursor;
      const [first = Number.NaN, last = Number.NaN] = bar;
      return {
        header: head >= top - 0.5,
        cursor: up >= head && down <= first + 0.5,
        keys: last <= bottom + 0.5,
      };
    })
    .toEqual({ header: true, cursor: true, keys: true });
}

test('what is typed and the keys stay above a keyboard that covers the page', async ({
  desk,
  device,
}) => {
  const { page } = device;
  await page.addInitScript(coverable);
  await desk.must('open', '-d', '--name', 'covered');
  await device.pairWith(desk);
  const screen = await device.openSession('covered');
  // The cursor is on the last of 24 rows.
  await screen.enter('seq 1 100');
  await screen.shows(/^100$/m);
  const height = page.viewportSize()?.height ?? 0;
  await allWithin(page, 0, height);
  const before = await places(page);

  await cover(page, KEYBOARD);
  await allWithin(page, 0, height - KEYBOARD);
  const during = await places(page);
  expect(during.bar[1]).toBeLessThan((before.bar[0] ?? 0) - 100);
  await screen.type('echo abo""ve');
  await page.keyboard.press('Enter');
  await screen.shows(/^above$/m);
  await allWithin(page, 0, height - KEYBOARD);

  // iOS scrolls what is covered: the visible part begins further down.
  await cover(page, KEYBOARD, 80);
  await allWithin(page, 80, 80 + height - KEYBOARD);

  // At the top of an empty screen, the cursor is there too.
  await screen.enter('clear');
  await screen.shows(/^\$ ?\n\n/);
  await allWithin(page, 80, 80 + height - KEYBOARD);

  await cover(page, 0);
  await allWithin(page, 0, height);
  expect((await places(page)).bar[1]).toBeCloseTo(before.bar[1] ?? 0, 0);
  // Nobody asked for another size.
  const { columns, rows } = await desk.session('covered');
  expect([columns, rows]).toEqual([80, 24]);
});

test('what is typed and the keys stay above a keyboard that makes the page smaller', async ({
  desk,
  device,
}) => {
  const { page } = device;
  await desk.must('open', '-d', '--name', 'smaller');
  await device.pairWith(desk);
  const screen = await device.openSession('smaller');
  await screen.enter('seq 1 100');
  await screen.shows(/^100$/m);
  const { width = 0, height = 0 } = page.viewportSize() ?? {};
  const metrics = await device.context.newCDPSession(page);
  const sized = (visible: number) =>
    metrics.send('Emulation.setDeviceMetricsOverride', {
      width,
      height: visible,
      deviceScaleFactor: 2,
      mobile: true,
    });
  await sized(height - KEYBOARD);
  await expect.poll(() => page.evaluate(() => innerHeight)).toBe(height - KEYBOARD);
  await allWithin(page, 0, height - KEYBOARD);
  await screen.type('echo abo""ve');
  await allWithin(page, 0, height - KEYBOARD);
  await page.keyboard.press('Enter');
  await screen.shows(/^above$/m);
  await sized(height);
  await allWithin(page, 0, height);
  const { columns, rows } = await desk.session('smaller');
  expect([columns, rows]).toEqual([80, 24]);
});
