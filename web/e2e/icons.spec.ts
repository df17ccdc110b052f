/**
 * The icons as PNG, for systems that take no SVG, are what Chromium makes of the SVG. With
 * CODEOUT_WRITE_ICONS in the environment (`npm run icons`) they are written anew.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Page } from '@playwright/test';
import { expect, test } from './fixtures';
import { decodePng, type Picture } from './png';

/** What each is made of; the maskable ones fill their square, which the system cuts to its shape. */
const ICONS = [
  { file: 'icon-180.png', from: 'icon-maskable.svg', side: 180 },
  { file: 'icon-192.png', from: 'icon.svg', side: 192 },
  { file: 'icon-512.png', from: 'icon.svg', side: 512 },
  { file: 'icon-maskable-512.png', from: 'icon-maskable.svg', side: 512 },
];

/** How much of a channel's 255 a pixel on an edge may differ: Chromiums smooth edges differently. */
const SMOOTHING = 40;
/** Differences up to this are none. */
const ROUNDING = 2;
/** The share of pixels that may differ: less than the arrow has, in another colour or place. */
const EDGES = 0.02;

function path(file: string): string {
  return fileURLToPath(new URL(`../public/${file}`, import.meta.url));
}

async function drawn(page: Page, svg: string, side: number): Promise<Buffer> {
  await page.setViewportSize({ width: side, height: side });
  const source = `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`;
  await page.setContent(`<body style="margin: 0"><img src="${source}" width="${side}"></body>`);
  await page.locator('img').evaluate((image) => (image as HTMLImageElement).decode());
  const clip = { x: 0, y: 0, width: side, height: side };
  return page.screenshot({ omitBackground: true, scale: 'css', clip });
}

/** The largest difference of a channel, and the share of pixels that differ. */
function difference(one: Picture, other: Picture): { most: number; share: number } {
  let [most, pixels] = [0, 0];
  for (let at = 0; at < one.pixels.length; at += 4) {
    let here = 0;
    for (let channel = at; channel < at + 4; channel += 1) {
      here = Math.max(here, Math.abs((one.pixels[channel] ?? 0) - (other.pixels[channel] ?? 0)));
    }
    most = Math.max(most, here);
    if (here > ROUNDING) pixels += 1;
  }
  return { most, share: pixels / (one.width * one.height) };
}

for (const { file, from, side } of ICONS) {
  test(`${file} is made of ${from}`, async ({ page }) => {
    const png = await drawn(page, readFileSync(path(from), 'utf8'), side);
    if (process.env.CODEOUT_WRITE_ICONS) writeFileSync(path(file), png);
    const [made, kept] = [decodePng(png), decodePng(readFileSync(path(file)))];
    expect([kept.width, kept.height]).toEqual([side, side]);
    const { most, share } = difference(made, kept);
    expect(most).toBeLessThanOrEqual(SMOOTHING);
    expect(share).toBeLessThan(EDGES);
  });
}
