import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Link, LinkEvents, LinkState, RequestFailure } from '../../src/device/types';
import { Desk } from './desk';
import { Browser, type Page } from './page';
import { Proxy } from './proxy';
import { Screen } from './screen';
import { linkIs, until } from './wait';

const SIZE = { columns: 80, rows: 24 };

let desk: Desk;
let proxy: Proxy;
const browsers: Browser[] = [];

beforeAll(async () => {
  desk = await Desk.start();
  proxy = await Proxy.to(desk.port);
});

afterAll(async () => {
  await proxy.close();
  await desk.close();
});

afterEach(async () => {
  proxy.shut = false;
  for (const browser of browsers.splice(0)) await browser.close();
});

interface Phone {
  readonly browser: Browser;
  readonly page: Page;
  readonly link: Link;
}

/** A browser that is paired and connected, through the proxy. */
async function phone(name: string, ...limits: string[]): Promise<Phone> {
  const browser = new Browser();
  browsers.push(browser);
  const page = await browser.open(desk.address, proxy.port);
  const { link: offered } = await desk.offer(...limits);
  const daemon = await page.device.pairByLink(offered, name, () => {});
  const link = page.device.link(daemon.id);
  await linkIs(link, 'connected');
  return { browser, page, link };
}

function heard<E extends keyof LinkEvents>(link: Link, event: E): LinkEvents[E][] {
  const values: LinkEvents[E][] = [];
  link.on(event, (value) => values.push(value));
  return values;
}

function ended(link: Link): Promise<LinkState> {
  return until('the link has ended', () => link.state.state === 'ended' && link.state);
}

async function refusal(asked: Promise<unknown>): Promise<string | undefined> {
  return asked.then(
    () => undefined,
    ({ code }: RequestFailure) => code,
  );
}

describe('a link', () => {
  it('ends when this device is revoked, and hears for sure that it is not paired', async () => {
    const { page, link } = await phone('lost');
    const { session } = await link.open({ size: SIZE, program: '/bin/cat' });
    const screen = new Screen();
    link.attach(session, screen, {});
    await until('it is attached', () => screen.whole === 1);
    const began = Date.now();
    await desk.run('devices', 'revoke', 'lost');
    expect(await ended(link)).toEqual({ state: 'ended', end: 'revoked' });
    expect(Date.now() - began).toBeLessThan(2_000);
    expect(screen.states.at(-1)).toEqual({ state: 'waiting' });
    page.environment.tell('woke');
    expect(link.state).toEqual({ state: 'ended', end: 'revoked' });
    link.retry();
    await until('it was refused', () => 'end' in link.state && link.state.end === 'not-paired');
    // Forgetting is the user's to decide.
    expect(await page.device.daemons()).toHaveLength(1);
    await page.device.forget(link.daemon.id);
    expect(await page.device.daemons()).toEqual([]);
    expect(link.state).toEqual({ state: 'ended', end: 'forgotten' });
  });

  it('ends in every tab when one forgets the daemon', async () => {
    const { browser, page, link } = await phone('two tabs');
    const tab = await browser.open(desk.address, proxy.port);
    const other = tab.device.link(link.daemon.id);
    await linkIs(other, 'connected');
    let told = 0;
    tab.device.onDaemons(() => {
      told += 1;
    });
    await page.device.forget(link.daemon.id);
    expect(await ended(other)).toEqual({ state: 'ended', end: 'forgotten' });
    await until('the tab is told', () => told > 0);
    expect(await tab.device.daemons()).toEqual([]);
  });

  it('only watches when it may only watch', async () => {
    const owner = await phone('owner');
    const { session } = await owner.link.open({ size: SIZE, program: '/bin/cat' });
    const { link } = await phone('guest', '--watch-only');
    expect(link.me).toMatchObject({ name: 'guest', watch_only: true });
    const screen = new Screen();
    const attachment = link.attach(session, screen, {});
    await until('it is attached', () => screen.whole === 1);
    expect(attachment.mayType).toBe(false);
    expect(attachment.type(Uint8Array.of(120))).toBe(false);
    expect(await refusal(attachment.fit(SIZE))).toBe('not_allowed');
    expect(await refusal(link.open({ size: SIZE }))).toBe('not_allowed');
    expect(await refusal(link.offer({}))).toBe('not_allowed');
    const typing = owner.link.attach(session, new Screen(), {});
    typing.type(new TextEncoder().encode('seen\n'));
    await until('it is seen', () => screen.text.includes('seen'));
    expect(link.state.state).toBe('connected');
  });

  it('is back at once when it is cut', async () => {
    const { link } = await phone('cut');
    const states = heard(link, 'state');
    const began = Date.now();
    proxy.cut();
    await until('it is back', () => states.some(({ state }) => state === 'connected'));
    expect(states.map(({ state }) => state)).toEqual(['waiting', 'connecting', 'connected']);
    expect(states[0]).toMatchObject({ problem: 'cut' });
    expect(Date.now() - began).toBeLessThan(1_500);
  });

  it('waits longer each time while nothing answers, and tries at once when it is asked to', async () => {
    const { page, link } = await phone('waiting');
    const states = heard(link, 'state');
    proxy.shut = true;
    proxy.cut();
    const waits = await until('four attempts have failed', () => {
      const waiting = states.filter((state) => state.state === 'waiting');
      return waiting.length >= 5 && waiting;
    });
    expect(waits.map(({ problem }) => problem)).toEqual([
      'cut',
      ...Array(waits.length - 1).fill('unreachable'),
    ]);
    proxy.shut = false;
    const began = Date.now();
    link.retry();
    await linkIs(link, 'connected');
    expect(Date.now() - began).toBeLessThan(1_000);
    page.environment.tell('woke');
    expect(link.state.state).toBe('connected');
  });

  it('finds out that it is dead when the page wakes', async () => {
    const { page, link } = await phone('asleep');
    proxy.freeze();
    const states = heard(link, 'state');
    const began = Date.now();
    page.environment.tell('woke');
    page.environment.tell('woke');
    await until('it is back', () => states.some(({ state }) => state === 'connected'));
    expect(Date.now() - began).toBeLessThan(6_000);
  });

  it('refuses another daemon at its address, and forgets nothing for it', async () => {
    const { page, link } = await phone('careful');
    const other = await Desk.start();
    proxy.target = other.port;
    proxy.cut();
    expect(await ended(link)).toEqual({ state: 'ended', end: 'other-key' });
    expect(await page.device.daemons()).toMatchObject([{ state: 'paired' }]);
    const { link: offered } = await desk.offer();
    const fresh = new Browser();
    browsers.push(fresh);
    const victim = await fresh.open(desk.address, proxy.port);
    await expect(victim.device.pairByLink(offered, 'x', () => {})).rejects.toMatchObject({
      problem: 'wrong-code',
    });
    expect(victim.environment.sent).toHaveLength(1);
    proxy.target = desk.port;
    page.environment.tell('woke');
    expect(link.state.state).toBe('ended');
    link.retry();
    await linkIs(link, 'connected');
    await other.close();
  });

  it('sleeps while the browser is offline', async () => {
    const browser = new Browser();
    browsers.push(browser);
    const address = 'http://desk.test';
    const away = await browser.open(address, proxy.port);
    const { code } = await desk.offer();
    const waiting = await away.device.pairByCode(address, code, 'traveller', () => {});
    const daemon = await waiting.match();
    away.environment.isOnline = false;
    proxy.shut = true;
    const link = away.device.link(daemon.id);
    await linkIs(link, 'connected');
    proxy.cut();
    await linkIs(link, 'asleep');
    proxy.shut = false;
    away.environment.isOnline = true;
    away.environment.tell('woke');
    await linkIs(link, 'connected');
  });

  it('closes in order', async () => {
    const { page, link } = await phone('leaving');
    link.close();
    expect(link.state).toEqual({ state: 'asleep' });
    expect(await refusal(link.devices())).toBe('cut');
    const again = page.device.link(link.daemon.id);
    expect(again).not.toBe(link);
    await linkIs(again, 'connected');
  });
});

describe('the lists', () => {
  it('follow what happens to sessions', async () => {
    const { link } = await phone('lister');
    const other = await phone('other');
    const entry = await link.open({
      size: SIZE,
      program: '/bin/sh',
      arguments: ['-c', 'read it; printf "\\a"; read it'],
      name: 'first',
    });
    const entryOf = (of: Link) => of.sessions.get(entry.session);
    await until('the other knows it', () => entryOf(other.link)?.name === 'first');
    expect(await link.renameSession(entry.session, 'second')).toBe('second');
    await until('it is renamed', () => entryOf(other.link)?.name === 'second');
    const attention = heard(other.link, 'attention');
    const screen = new Screen();
    const attachment = link.attach(entry.session, screen, {});
    attachment.type(new TextEncoder().encode('\n'));
    await until('the bell rings', () => attention.length > 0);
    expect(attention[0]).toMatchObject({
      session: entry.session,
      name: 'second',
      attention: { reason: 'bell' },
    });
    expect(entryOf(other.link)?.attention?.reason).toBe('bell');
    await link.end(entry.session);
    await until('it has ended', () => entryOf(other.link)?.ended);
    await until('the screen knows', () => screen.status);
    await link.dismiss(entry.session);
    await until('it is gone', () => !entryOf(other.link));
    await until('it is gone here', () => !entryOf(link));
    expect(await refusal(link.end(entry.session))).toBe('not_found');
  });

  it('are asked for again after a cut', async () => {
    const { link } = await phone('absent');
    proxy.shut = true;
    proxy.cut();
    await until('it is down', () => link.state.state !== 'connected');
    const { session } = JSON.parse(await desk.run('open', '--json', 'cat'));
    expect(link.sessions.has(session)).toBe(false);
    proxy.shut = false;
    link.retry();
    await until('it is listed', () => link.sessions.has(session));
  });

  it('show what a session printed last', async () => {
    const { link } = await phone('reader');
    const { session } = await link.open({
      size: SIZE,
      program: '/bin/sh',
      arguments: ['-c', 'echo the last line; cat'],
    });
    await until('it is listed', async () => {
      await link.refresh();
      return link.sessions.get(session)?.last_line === 'the last line';
    });
  });

  it('tell of devices', async () => {
    const { link } = await phone('owner of all');
    const paired = heard(link, 'paired');
    const revoked = heard(link, 'deviceRevoked');
    const changes = heard(link, 'devices');
    const offer = await link.offer({ watchOnly: true, forSeconds: 600 });
    const browser = new Browser();
    browsers.push(browser);
    const page = await browser.open(desk.address, proxy.port);
    const waiting = await page.device.pairByCode(desk.address, offer.code, 'tablet', () => {});
    await waiting.match();
    await until('it is told', () => paired.length > 0);
    expect(paired[0]).toMatchObject({ name: 'tablet', watch_only: true });
    const id = paired[0]?.id ?? '';
    expect(await link.renameDevice(id, 'slate')).toBe('slate');
    await link.revoke(id);
    await until('it is told', () => revoked.length > 0);
    expect(revoked[0]).toEqual({ id, name: 'slate' });
    expect(changes.length).toBeGreaterThanOrEqual(3);
    const own = link.me?.id ?? '';
    await link.renameDevice(own, 'renamed');
    await until('it knows its name', () => link.me?.name === 'renamed');
  });
});
