/** Fingers on a touch screen. */

import type { Page } from '@playwright/test';

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Puts a finger down at `from`, draws it to `to`, and lifts it. */
export async function drag(page: Page, from: Point, to: Point): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', points: Point[]) =>
    session.send('Input.dispatchTouchEvent', { type, touchPoints: points });
  await touch('touchStart', [from]);
  for (let step = 1; step <= 10; step += 1) {
    const part = (start: number, end: number): number => start + ((end - start) * step) / 10;
    await touch('touchMove', [{ x: part(from.x, to.x), y: part(from.y, to.y) }]);
  }
  await touch('touchEnd', []);
  await session.detach();
}
