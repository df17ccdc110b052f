import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DaemonLink } from '../../src/device/link';
import { ready } from '../../src/protocol/sodium';
import { Screen } from './screen';
import { Clock, type Established, Stage } from './scripted';
import { linkIs, until } from './wait';

const HOUR = 3_600_000;

let stage: Stage;
let clock: Clock;
let link: DaemonLink;

beforeAll(() => ready);

beforeEach(async () => {
  clock = new Clock();
  stage = new Stage();
  stage.environment.clock = clock;
  link = await stage.link();
});

afterEach(() => stage.close());

/** A connection whose first list was given. */
async function connected(): Promise<Established> {
  const daemon = await stage.connected();
  const { request } = await daemon.next();
  expect(request?.request).toBe('sessions');
  daemon.say(2, { id: request?.id, ok: { sessions: [], more: false } });
  await linkIs(link, 'connected');
  return daemon;
}

async function pinged(daemon: Established): Promise<number> {
  const { request } = await daemon.next();
  expect(request?.request).toBe('ping');
  return request?.id ?? 0;
}

describe('a connection', () => {
  it('on which nothing comes is asked for a sign of life, and given up without one', async () => {
    const daemon = await connected();
    clock.advance(14_000);
    expect(daemon.line.waits).toBe(false);
    clock.advance(1_500);
    await pinged(daemon);
    clock.advance(7_500);
    expect(link.state.state).toBe('connected');
    clock.advance(1_000);
    await linkIs(link, 'waiting');
    expect(link.state).toMatchObject({ problem: 'cut' });
    expect(daemon.line.closed).toBe(true);
  });

  it('was heard when its last news came, however late its end is noticed', async () => {
    expect(link.heard).toBeUndefined();
    const daemon = await connected();
    const heard = clock.now;
    expect(link.heard).toBe(heard);
    // The computer slept.
    clock.now += 2 * HOUR;
    daemon.line.cut();
    await linkIs(link, 'waiting');
    expect(link.heard).toBe(heard);
  });

  it('that answers is kept', async () => {
    const daemon = await connected();
    for (let times = 0; times < 3; times += 1) {
      clock.advance(15_500);
      daemon.say(2, { id: await pinged(daemon), ok: {} });
    }
    clock.advance(14_000);
    expect(link.state.state).toBe('connected');
  });

  it('that is busy is not asked, and one that answers late is alive', async () => {
    const daemon = await connected();
    for (let times = 0; times < 10; times += 1) {
      clock.advance(10_000);
      daemon.say(3, { event: 'news' });
    }
    expect(daemon.line.waits).toBe(false);
    clock.advance(15_500);
    await pinged(daemon);
    clock.advance(5_000);
    daemon.say(3, { event: 'news' });
    clock.advance(5_000);
    expect(link.state.state).toBe('connected');
    clock.advance(8_000);
    await linkIs(link, 'waiting');
  });

  it('is asked soon when what was typed is not answered', async () => {
    const daemon = await connected();
    const attachment = link.attach(1, new Screen(), {});
    await daemon.next();
    attachment.type(Uint8Array.of(120));
    clock.advance(3_500);
    expect(daemon.line.waits).toBe(false);
    clock.advance(1_000);
    await pinged(daemon);
  });

  it('is asked at once when the page wakes, and does not get long', async () => {
    const daemon = await connected();
    clock.advance(100);
    stage.environment.tell('woke');
    await pinged(daemon);
    clock.advance(3_100);
    await linkIs(link, 'waiting');
  });

  it('that is held up with the page is not given up for it', async () => {
    const daemon = await connected();
    stage.environment.tell('woke');
    const id = await pinged(daemon);
    // The page stood still: its timers run late, before what came is told.
    const held = clock.now;
    clock.now += 60_000;
    clock.advance(1);
    expect(link.state.state).toBe('connected');
    daemon.say(2, { id, ok: {} });
    clock.advance(5_000);
    expect(link.state.state).toBe('connected');
    expect(clock.now).toBeGreaterThan(held);
  });

  it('of a page that nobody sees is asked rarely', async () => {
    const daemon = await connected();
    stage.environment.isVisible = false;
    stage.environment.tell('hidden');
    clock.advance(59_000);
    expect(daemon.line.waits).toBe(false);
    clock.advance(1_500);
    await pinged(daemon);
  });

  it('is replaced before it is a day old', async () => {
    stage.environment.isVisible = false;
    stage.environment.tell('hidden');
    const daemon = await connected();
    let hours = 0;
    while (!daemon.line.closed) {
      clock.advance(55_000);
      daemon.say(3, { event: 'news' });
      hours += 55_000 / HOUR;
      if (daemon.line.waits) break;
    }
    expect(hours).toBeGreaterThan(19);
    expect(hours).toBeLessThan(23);
    expect(await daemon.next()).toEqual({ kind: 'final' });
    daemon.last('goodbye');
    await linkIs(link, 'waiting');
    clock.advance(100);
    await stage.connected();
    await linkIs(link, 'connected');
  });
});

describe('a link that cannot be made', () => {
  /** Lets the next attempt fail. @returns how long the wait behind it is */
  async function fail(): Promise<number> {
    const line = await until('it connects', () => stage.environment.lines.shift());
    line.cut();
    const { state } = link;
    return until('it waits', () => {
      const now = link.state;
      return now !== state && now.state === 'waiting' && now.until - clock.now;
    });
  }

  it('is tried for ever, with waits that grow to half a minute', async () => {
    const waits: number[] = [];
    for (let times = 0; times < 12; times += 1) {
      const wait = await fail();
      waits.push(wait);
      clock.advance(wait);
    }
    const bounds = [...Array(4).fill(2_000), 4_000, 8_000, 16_000, ...Array(5).fill(30_000)];
    for (const [at, wait] of waits.entries()) {
      expect(wait).toBeGreaterThanOrEqual(bounds[at] / 2);
      expect(wait).toBeLessThanOrEqual(bounds[at]);
    }
    const late = await fail();
    expect(late).toBeGreaterThan(10_000);
    stage.environment.tell('woke');
    expect(await fail()).toBeLessThanOrEqual(2_000);
  });

  it('sleeps when nobody has seen the page for long, and wakes with it', async () => {
    stage.environment.isVisible = false;
    stage.environment.tell('hidden');
    clock.advance(6 * 60_000);
    (await until('it connects', () => stage.environment.lines.shift())).cut();
    await linkIs(link, 'asleep');
    clock.advance(4 * 60_000);
    expect(stage.environment.lines).toEqual([]);
    clock.advance(60_000);
    (await until('it tries', () => stage.environment.lines.shift())).cut();
    await linkIs(link, 'asleep');
    stage.environment.isVisible = true;
    stage.environment.tell('woke');
    await stage.connected();
    await linkIs(link, 'connected');
  });

  it('is begun anew when the page wakes in the middle of it', async () => {
    const stale = await until('it connects', () => stage.environment.lines.shift());
    clock.advance(500);
    stage.environment.tell('woke');
    expect(stale.closed).toBe(false);
    clock.advance(5_000);
    stage.environment.tell('woke');
    expect(stale.closed).toBe(true);
    await stage.connected();
    await linkIs(link, 'connected');
  });

  it('is given ten seconds to open, and as many for each answer', async () => {
    const silent = await until('it connects', () => stage.environment.lines.shift());
    clock.advance(10_000);
    await linkIs(link, 'waiting');
    expect(silent.closed).toBe(true);
    clock.advance(2_000);
    const line = await stage.line();
    await line.receive();
    clock.advance(10_000);
    await linkIs(link, 'waiting');
    expect(link.state).toMatchObject({ problem: 'unreachable' });
    expect(line.closed).toBe(true);
  });
});
