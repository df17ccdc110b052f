import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CDPSession, Page } from '@playwright/test';
import type { ITerminalInitOnlyOptions, ITerminalOptions } from '@xterm/xterm';
import { FIRST_SETTINGS, FONTS, SCROLLBACK } from '../../src/terminal/settings';
import { LEAST_CONTRAST, LIGHT } from '../../src/terminal/theme';
import { test as base } from '../fixtures';
import { lasting } from '../wait';
import { BarePage, watching } from './bare';
import { type Fed, feedDirectly } from './direct';
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
/** A frame, in milliseconds. */
const FRAME = 1000 / 60;
const BULK_ROUNDS = 3;
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

/** Has a bare page, which is closed whatever happens. */
async function withBarePage(what: (page: BarePage) => Promise<void>): Promise<void> {
  const page = await BarePage.open();
  try {
    await what(page);
  } finally {
    await page.close();
  }
}

test('key echo', async ({ desk }) => {
  await desk.must('open', '-d', '--name', 'echo', '--', 'sh', '-c', "printf '$ '; cat");
  await withBarePage(async (page) => {
    await watching(page, desk, 'echo');
    await page.run("document.querySelector('.xterm-helper-textarea').focus()");
    for (let key = 0; key < KEYS; key += 1) {
      // A hand knows nothing of frames: it strikes at any moment of one.
      await lasting(Math.random() * 2 * FRAME);
      await page.key(key % 40 === 39 ? 'Enter' : 'a');
      await page.until(`window.marks.echoes.length > ${key}`);
    }
    const { echoes, answers } = await page.marks();
    say('key to its echo painted, by way of the daemon', spread(echoes));
    say('of it until the echo came; then the next frame is waited for', spread(answers));
  });
});

test('a device that is revoked', async ({ desk, newDevice }) => {
  await desk.must('open', '-d', '--name', 'stream', '--', 'sh', '-c', 'while :; do date; done');
  const told: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const device = await newDevice();
    await device.pairWith(desk);
    const screen = await device.openSession('stream');
    await screen.shows(/\d\d:\d\d:\d\d/);
    const [{ name = '' } = {}] = await desk.devices();
    // Looked for in each frame; by the clock of this machine, on which both run.
    const seen = device.page.waitForFunction(() => {
      const says = document.body.innerText.includes('This device was revoked');
      return says && performance.timeOrigin + performance.now();
    });
    const began = performance.timeOrigin + performance.now();
    await desk.must('devices', 'revoke', name);
    told.push(Number(await (await seen).jsonValue()) - began);
    await device.page.close();
  }
  say('`devices revoke` to a streaming page that says so (to reach: 1 s)', spread(told));
});

async function sayMemory(page: BarePage, when: string): Promise<void> {
  const { heap, resident } = await page.memory();
  const words = `${heap.toFixed(1)} MiB of heap, ${resident.toFixed(0)} MiB of the process`;
  say(`memory of the page ${when}`, words);
}

/** What a page took to show the end of what a session prints as soon as it is typed into. */
interface Shown extends Fed {
  /** What came meanwhile, in MiB. */
  readonly received: number;
  /** In how many messages of the WebSocket. */
  readonly messages: number;
}

async function untilShown(page: BarePage): Promise<Shown> {
  const { received, messages } = await page.marks();
  const busy = await page.mainThread();
  await page.run("document.querySelector('.xterm-helper-textarea').focus()");
  const began = await page.run<number>('performance.now()');
  await page.key('x');
  const seconds = ((await page.willPaint('done')) - began) / 1000;
  const after = await page.marks();
  return {
    seconds,
    received: (after.received - received) / (1 << 20),
    messages: after.messages - messages,
    busy: (await page.mainThread()) - busy,
  };
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

test('bulk output', async ({ desk }) => {
  const whole = OUTPUT.repeat(Math.ceil((MEGABYTES << 20) / OUTPUT.length));
  writeFileSync(join(desk.home, 'output'), whole.slice(0, MEGABYTES << 20));
  const program =
    "stty -echo -icanon; printf '$ '; head -c 1 > /dev/null; cat output; echo; echo ALL-SHOWN; cat";
  await desk.must('open', '-d', '--name', 'bulk', '--', 'sh', '-c', program);
  await withBarePage(async (page) => {
    await watching(page, desk, 'bulk');
    await sayMemory(page, 'before it');
    const { seconds, received } = await untilShown(page);
    const printed = (MEGABYTES / seconds).toFixed(1);
    say(`${MEGABYTES} MiB printed, until the page shows their end`, `${printed} MiB/s`);
    say('of them received; the rest gave way to the newest screen', `${received.toFixed(1)} MiB`);
    await sayMemory(page, 'after it');
  });
});

test('bulk output, all of it', async ({ desk }) => {
  writeFileSync(join(desk.home, 'piece'), OUTPUT.repeat(6));
  const paced = [process.execPath, PACED, 'piece', `${MEGABYTES << 20}`];
  const program = ['sh', '-c', 'stty raw -echo; exec "$@"', 'sh', ...paced];
  const page: Shown[] = [];
  const direct: Fed[] = [];
  for (let round = 0; round < BULK_ROUNDS; round += 1) {
    const session = `paced ${round}`;
    await desk.must('open', '-d', '--name', session, '--', ...program);
    await withBarePage(async (shown) => {
      await watching(shown, desk, session);
      page.push(await untilShown(shown));
    });
    await withBarePage(async (beside) => {
      direct.push(await feedDirectly(beside, OUTPUT, MEGABYTES << 20, OPTIONS));
    });
  }
  const least = Math.min(...page.map(({ received }) => received));
  if (least < MEGABYTES) {
    const came = `only ${least.toFixed(1)} MiB came: the page fell behind, and was given a snapshot`;
    throw new Error(came);
  }
  const median = (values: readonly number[]) => percentile(values, 0.5);
  const rate = (all: readonly Fed[]) => MEGABYTES / median(all.map(({ seconds }) => seconds));
  const cost = (all: readonly Fed[]) => (median(all.map(({ busy }) => busy)) * 1000) / MEGABYTES;
  const size = (MEGABYTES * 1024) / median(page.map(({ messages }) => messages));
  const costs = [page, direct].map((all) => cost(all).toFixed(1));
  say(`${MEGABYTES} MiB received and parsed by the page`, `${rate(page).toFixed(1)} MiB/s`);
  say('of it in a message', `${size.toFixed(1)} KiB`);
  say('xterm.js alone, with the same options, fed from memory', `${rate(direct).toFixed(1)} MiB/s`);
  say('the page beside xterm.js alone, by the clock', (rate(page) / rate(direct)).toFixed(2));
  say('processor time of both pages’ main threads', `${costs.join(' and ')} ms/MiB`);
  say('the page beside xterm.js alone, by that time', (cost(direct) / cost(page)).toFixed(2));
});
