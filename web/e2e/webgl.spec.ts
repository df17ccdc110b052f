/** Drawing by WebGL, which other tests do without: a browser with a GPU made of software. */

import { type Browser, chromium, type Page } from '@playwright/test';
import { launchOptions } from './browser';
import { BrowserDevice } from './device';
import { expect, test } from './fixtures';
import { decodePng, type Picture } from './png';

/** The system's Chromium with its GPU in software, and none of what turns 3D off. */
async function withWebgl(): Promise<Browser> {
  const off = ['--disable-gpu', '--disable-3d-apis'];
  const args = (launchOptions.args ?? []).filter((one) => !off.includes(one));
  const software = [
    '--use-angle=swiftshader',
    '--enable-unsafe-swiftshader',
    '--ignore-gpu-blocklist',
  ];
  return chromium.launch({ ...launchOptions, args: [...args, ...software] });
}

/** What SwiftShader, and xterm.js, say of a processor that is slower than a GPU. */
const SLOW = /GPU stall due to ReadPixels|GL Driver Message|task queue exceeded allotted deadline/;

/** The canvas that WebGL draws text into: the addon's own has no class. */
const CANVAS = '.xterm-screen canvas:not([class])';

/**
 * Whether WebGL is what draws: its canvas is there and its context holds, and the rows of the DOM
 * renderer are gone.
 */
function drawnByWebgl(page: Page): Promise<boolean> {
  return page.evaluate((selector) => {
    const canvas = document.querySelector<HTMLCanvasElement>(selector);
    // An existing context of that kind is given out again; of another kind there is none.
    const context = canvas?.getContext('webgl2');
    return context?.isContextLost() === false && !document.querySelector('.xterm-rows');
  }, CANVAS);
}

/** A picture of what the page shows of the terminal's first rows. */
async function firstRows(page: Page, height: number): Promise<Picture> {
  const box = await page.locator('.xterm-screen').boundingBox();
  if (!box) throw new Error('no screen');
  const clip = { x: box.x, y: box.y, width: Math.min(box.width, 640), height };
  return decodePng(await page.screenshot({ clip, animations: 'disabled', caret: 'hide' }));
}

/** How many pixels are redder than they are anything else: of text in that colour. */
function red({ pixels }: Picture): number {
  let count = 0;
  for (let at = 0; at < pixels.length; at += 4) {
    const [r = 0, g = 0, b = 0] = pixels.subarray(at, at + 3);
    if (r > g + 60 && r > b + 60) count += 1;
  }
  return count;
}

/** Blocks whose pixels are known, a line of text, and then whatever is typed. */
const PROGRAM =
  "stty -echo; printf '\\033[?25l\\033[38;2;255;0;0m'; for i in 1 2 3 4 5 6 7 8 9 10; do printf '\\342\\226\\210'; done;" +
  "printf '\\033[0m TEXT\\r\\n'; cat";

const webgl = test.extend<{ glDevice: BrowserDevice }>({
  glDevice: async ({ desk, viewport, deviceScaleFactor }, use) => {
    const browser = await withWebgl();
    const context = await browser.newContext({
      viewport,
      ...(deviceScaleFactor && { deviceScaleFactor }),
      colorScheme: 'light',
    });
    const device = await BrowserDevice.start(context, desk);
    device.watch.expectFault(SLOW);
    await use(device);
    await device.watch.check();
    await browser.close();
  },
});

webgl('WebGL draws the text', async ({ desk, glDevice: device }) => {
  await desk.must('open', '-d', '--name', 'drawn', '--', 'sh', '-c', PROGRAM);
  await device.pairWith(desk);
  await device.listed('drawn').click();
  await expect.poll(() => drawnByWebgl(device.page)).toBe(true);

  const cell = await device.page.locator('.xterm-screen').evaluate((screen) => ({
    width: screen.clientWidth / 80,
    height: screen.clientHeight / 24,
  }));
  // Ten full blocks are ten cells of red, give or take what edges are smoothed by.
  const blocks = 10 * cell.width * cell.height;
  const shown = async (): Promise<number> =>
    red(await firstRows(device.page, cell.height)) / blocks;
  await expect.poll(shown).toBeGreaterThan(0.9);
  expect(await shown()).toBeLessThan(1.1);
  // Text is drawn too: there is ink behind the blocks, and none on the row below yet.
  const dark = async (from: number, height: number): Promise<number> => {
    const { pixels, width } = await firstRows(device.page, height);
    let count = 0;
    for (let at = 0; at < pixels.length; at += 4) {
      const [x, y] = [(at / 4) % width, Math.floor(at / 4 / width)];
      const [r = 0, g = 0, b = 0] = pixels.subarray(at, at + 3);
      if (y >= from && x > 10.5 * cell.width && r + g + b < 3 * 110) count += 1;
    }
    return count;
  };
  expect(await dark(0, cell.height)).toBeGreaterThan(20);
  expect(await dark(cell.height + 1, 2 * cell.height)).toBe(0);
  await device.screen.type('and what is typed is drawn');
  await device.page.keyboard.press('Enter');
  await expect.poll(() => dark(cell.height + 1, 2 * cell.height)).toBeGreaterThan(20);
  expect(await drawnByWebgl(device.page)).toBe(true);
});

webgl('a context that is lost is made up for by the DOM', async ({ desk, glDevice: device }) => {
  await desk.must('open', '-d', '--name', 'lost', '--', 'sh', '-c', PROGRAM);
  await device.pairWith(desk);
  await device.listed('lost').click();
  await expect.poll(() => drawnByWebgl(device.page)).toBe(true);
  device.watch.expectFault(/context lost|CONTEXT_LOST|context not restored/i);
  await device.page.evaluate((selector) => {
    const canvas = document.querySelector<HTMLCanvasElement>(selector);
    canvas?.getContext('webgl2')?.getExtension('WEBGL_lose_context')?.loseContext();
  }, CANVAS);
  const { screen } = device;
  await screen.shows(/^█{10} TEXT$/m);
  await expect(device.page.locator(CANVAS)).toHaveCount(0);
  await screen.enter('and on it goes');
  await screen.shows(/^and on it goes$/m);

  // One failure is enough: the next terminal of the page begins with the DOM.
  await desk.must('open', '-d', '--name', 'next', '--', 'sh', '-c', PROGRAM);
  await device.listed('next').click();
  await screen.shows(/TEXT/);
  await expect(device.page.locator(CANVAS)).toHaveCount(0);
});
