import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CDPSession, Page } from '@playwright/test';
import type { ITerminalInitOnlyOptions, ITerminalOptions } from '@xterm/xterm';
import { FIRST_SETTINGS, FONTS, SCROLLBACK } from '../../src/terminal/settings';
import { LEAST_CONTRAST, LIGHT } from '../../src/terminal/theme';
import type { Desk } from '../desk';
import type { BrowserDevice } from '../device';
import { test as base } from '../fixtures';
import { feedDirectly } from './direct';
import { type Marks, watchMarks } from './marks';

/** Every device here is kept from its service worker, as the configuration says, and notes it. */
const test = base.extend({
  newDevice: async ({ newDevice }, use) => {
    await use(async (options) => {
      const device = await newDevice(options);
      device.watch.expectFault(/Service Worker registration blocked/);
      return device;
    });
  },
});

const SLOWER = 4;
const ROUNDS = 5;
const KEYS = 200;
const MEGABYTES = 50;

const PACED = fileURLToPath(new URL('paced.mjs', import.meta.url));

/** What a compiler or a test run prints: lines of some length, some of it in colour. */
const OUTPUT = Array.from(
  { length: 500 },
  (_, line) =>
    `${line} \x1b[3${line % 8}mcompiling\x1b[0m a module with a name of some length, again and again\r\n`,
).join('');

function say(what: string, figure: string): void {
  process.stdout.write(`\n${what.padEnd(56)} ${figure}\n`);
}

function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

function spread(values: readonly number[]): string {
  const [p50, p95] = [percentile(values, 0.5), percentile(values, 0.95)];
  return `p50 ${p50.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms, of ${values.length}`;
}

function marksOf(page: Page): Promise<Marks> {
  return page.evaluate(() => (window as unknown as { marks: Marks }).marks);
}

async function painted(page: Page, name: keyof Marks['painted']): Promise<number> {
  const found = await page.waitForFunction(
    (wanted) => (window as unknown as { marks: Marks }).marks.painted[wanted],
    name,
    { timeout: 300_000 },
  );
  return Number(await found.jsonValue());
}

/** Counts what travels until `until`, in KiB. */
async function travelled(session: CDPSession, until: () => Promise<unknown>): Promise<number> {
  let bytes = 0;
  const count = ({ encodedDataLength }: { encodedDataLength: number }): void => {
    bytes += encodedDataLength;
  };
  session.on('Network.loadingFinished', count);
  await session.send('Network.enable');
  await until();
  session.off('Network.loadingFinished', count);
  return bytes / 1024;
}

test('first load', async ({ desk, newDevice }) => {
  await desk.must('open', '-d', '--name', 'ann');
  const device = await newDevice();
  await device.page.addInitScript(watchMarks);
  const session = await device.context.newCDPSession(device.page);
  const form = await travelled(session, async () => {
    await device.page.goto(desk.address);
    await painted(device.page, 'form');
    await device.page.waitForLoadState('networkidle');
  });
  const rest = await travelled(session, async () => {
    await device.openLink((await desk.offer()).link);
    await device.button('Open sessions').click();
    await device.openSession('ann');
    await painted(device.page, 'terminal');
    await device.page.waitForLoadState('networkidle');
  });
  say('travelled until the pairing page stands', `${form.toFixed(0)} KiB`);
  say('travelled until a terminal is shown, in all', `${(form + rest).toFixed(0)} KiB`);
});

test('from the link to a terminal', async ({ desk, newDevice }) => {
  await desk.must('open', '-d', '--name', 'ann');
  const [paired, terminal, workers]: number[][] = [[], [], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    const device = await newDevice();
    const { page } = device;
    await page.addInitScript(watchMarks);
    const session = await device.context.newCDPSession(page);
    await session.send('Emulation.setCPUThrottlingRate', { rate: SLOWER });
    await device.openLink((await desk.offer()).link);
    paired?.push(await painted(page, 'paired'));
    await device.button('Open sessions').click();
    await device.listed('ann').click();
    terminal?.push(await painted(page, 'terminal'));
    workers?.push(...(await marksOf(page)).workers);
    await device.page.close();
  }
  const slowed = `CPU slowed ${SLOWER} times`;
  say(`link opened to "paired" painted, ${slowed}`, spread(paired ?? []));
  say(`link opened to terminal painted, ${slowed}`, spread(terminal ?? []));
  say('of it the fingerprint, in a worker that is not slowed', spread(workers ?? []));
});

test('key echo', async ({ desk, device }) => {
  await desk.must('open', '-d', '--name', 'echo', '--', 'sh', '-c', "printf '$ '; cat");
  await device.page.addInitScript(watchMarks);
  await device.pairWith(desk);
  const screen = await device.openSession('echo');
  await screen.shows(/\$/);
  await screen.field.focus();
  for (let key = 0; key < KEYS; key += 1) {
    await device.page.keyboard.press(key % 40 === 39 ? 'Enter' : 'a');
    const typed = key + 1;
    await device.page.waitForFunction(
      (count) => (window as unknown as { marks: Marks }).marks.echoes.length >= count,
      typed,
    );
  }
  const { echoes, answers } = await marksOf(device.page);
  say('key to its echo painted, by way of the daemon', spread(echoes));
  say('of it until the echo came; then the next frame is waited for', spread(answers));
});

/** The page's JavaScript heap after a collection, and its process in the system, in MiB. */
async function memory(page: Page): Promise<string> {
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  await session.send('Performance.enable');
  const { metrics } = await session.send('Performance.getMetrics');
  const heap = metrics.find(({ name }) => name === 'JSHeapUsedSize')?.value ?? 0;
  await session.detach();
  const whole = await residentRenderer(page);
  return `${(heap / (1 << 20)).toFixed(1)} MiB of heap, ${whole} of the process`;
}

async function residentRenderer(page: Page): Promise<string> {
  const session = await page.context().browser()?.newBrowserCDPSession();
  const { processInfo = [] } = (await session?.send('SystemInfo.getProcessInfo')) ?? {};
  await session?.detach();
  const sizes = processInfo
    .filter(({ type, id }) => type === 'renderer' && existsSync(`/proc/${id}/status`))
    .map(({ id }) => /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1]);
  const largest = Math.max(0, ...sizes.map(Number));
  return largest > 0 ? `${(largest / 1024).toFixed(0)} MiB` : 'unknown';
}

/** How long the page takes from `start` until it shows the end, and what it received meanwhile. */
async function untilShown(page: Page, start: () => Promise<void>): Promise<[number, number]> {
  const before = (await marksOf(page)).received;
  const began = await page.evaluate(() => performance.now());
  await start();
  const seconds = ((await painted(page, 'done')) - began) / 1000;
  return [seconds, ((await marksOf(page)).received - before) / (1 << 20)];
}

/** What the page gives its terminal, in a browser that prefers light. */
const OPTIONS: ITerminalOptions & ITerminalInitOnlyOptions = {
  cols: 80,
  rows: 24,
  scrollback: SCROLLBACK,
  fontFamily: FONTS,
  fontSize: FIRST_SETTINGS.textSize,
  minimumContrastRatio: LEAST_CONTRAST,
  theme: LIGHT,
};

/** Attaches a page to a session that waits for a key, then prints, and ends with ALL-SHOWN. */
async function watching(desk: Desk, device: BrowserDevice, name: string, program: string[]) {
  await desk.must('open', '-d', '--name', name, '--', ...program);
  await device.page.addInitScript(watchMarks);
  await device.pairWith(desk);
  const screen = await device.openSession(name);
  await screen.shows(/\$/);
  return screen;
}

test('bulk output', async ({ desk, device }) => {
  const whole = OUTPUT.repeat(Math.ceil((MEGABYTES << 20) / OUTPUT.length));
  writeFileSync(join(desk.home, 'output'), whole.slice(0, MEGABYTES << 20));
  const program =
    "stty -echo -icanon; printf '$ '; head -c 1 > /dev/null; cat output; echo; echo ALL-SHOWN; cat";
  const screen = await watching(desk, device, 'bulk', ['sh', '-c', program]);
  say('memory of the page before it', await memory(device.page));
  const [seconds, received] = await untilShown(device.page, () => screen.type('x'));
  const printed = MEGABYTES / seconds;
  say(`${MEGABYTES} MiB printed, until the page shows their end`, `${printed.toFixed(1)} MiB/s`);
  say('of them received; the rest gave way to the newest screen', `${received.toFixed(1)} MiB`);
  say('memory of the page after it', await memory(device.page));
});

/** Watches a page's main thread: returns what asks for the processor time that it took, in seconds. */
async function mainThread(page: Page): Promise<() => Promise<number>> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const time = async (): Promise<number> => {
    const { metrics } = await session.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'ThreadTime')?.value ?? Number.NaN;
  };
  const before = await time();
  return async () => (await time()) - before;
}

test('bulk output, all of it', async ({ desk, device }) => {
  writeFileSync(join(desk.home, 'piece'), OUTPUT.repeat(3));
  const program = [process.execPath, PACED, 'piece', `${MEGABYTES << 20}`];
  const screen = await watching(desk, device, 'paced', program);
  const pageTook = await mainThread(device.page);
  const [seconds, received] = await untilShown(device.page, () => screen.type('x'));
  const pageTime = await pageTook();
  if (received < MEGABYTES) {
    const came = `only ${received.toFixed(1)} MiB came: the page fell behind, and was given a snapshot`;
    throw new Error(came);
  }
  const beside = await device.context.newPage();
  await beside.addInitScript(watchMarks);
  const directTook = await mainThread(beside);
  const direct = await feedDirectly(beside, OUTPUT, MEGABYTES, OPTIONS);
  const directTime = await directTook();
  const shown = MEGABYTES / seconds;
  const times = [pageTime, directTime].map((time) => ((time * 1000) / MEGABYTES).toFixed(1));
  say(`${MEGABYTES} MiB received and parsed by the page`, `${shown.toFixed(1)} MiB/s`);
  say('xterm.js alone, with the same options, fed from memory', `${direct.toFixed(1)} MiB/s`);
  say('the page beside xterm.js alone, by the clock', (shown / direct).toFixed(2));
  say('processor time of both pages’ main threads', `${times.join(' and ')} ms/MiB`);
  say('the page beside xterm.js alone, by that time', (directTime / pageTime).toFixed(2));
});
