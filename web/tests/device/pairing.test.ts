import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PairedByCode, PairFailure, PairProblem, PairStep } from '../../src/device/types';
import type { Code } from '../../src/protocol/code';
import { formatLink, parseLink } from '../../src/protocol/link';
import { Desk } from './desk';
import { Browser, type Page } from './page';
import { Proxy } from './proxy';
import { linkIs } from './wait';

let desk: Desk;
let proxy: Proxy;
let browser: Browser;
let page: Page;
let devices = 0;

beforeAll(async () => {
  desk = await Desk.start();
  proxy = await Proxy.to(desk.port);
});

afterAll(async () => {
  await proxy.close();
  await desk.close();
});

beforeEach(async () => {
  browser = new Browser();
  page = await browser.open(desk.address, proxy.port);
});

afterEach(async () => {
  proxy.holdUp = undefined;
  proxy.cutNext = undefined;
  proxy.shut = false;
  await browser.close();
});

const ignore = () => {};

/** A name that no device had before. */
function newName(): string {
  devices += 1;
  return `device ${devices}`;
}

async function fails(pairing: Promise<unknown>): Promise<PairProblem | undefined> {
  return pairing.then(
    () => undefined,
    ({ problem }: PairFailure) => problem,
  );
}

describe('by a link', () => {
  it('pairs, and connects from then on', async () => {
    const { link, fingerprint } = await desk.offer();
    const steps: PairStep[] = [];
    const daemon = await page.device.pairByLink(link, 'Pixel 9', (step) => steps.push(step));
    expect(daemon).toMatchObject({
      state: 'paired',
      name: 'desk',
      fingerprint,
      unconfirmed: false,
    });
    expect(steps).toEqual(['connecting', 'proving', 'finishing', 'fingerprint']);
    expect(await page.device.daemons()).toEqual([daemon]);
    const before = proxy.connections;
    const known = page.device.link(daemon.id);
    await linkIs(known, 'connected');
    // It goes on with the connection of the pairing.
    expect(proxy.connections).toBe(before);
    expect(known.me?.name).toBe('Pixel 9');
    await expect(known.devices()).resolves.toContainEqual(
      expect.objectContaining({ name: 'Pixel 9', this: true, unfinished: false }),
    );
  });

  it('keeps what it is paired with, and uses no second offer for it', async () => {
    const name = newName();
    const { id } = await page.device.pairByLink((await desk.offer()).link, name, ignore);
    const offer = await desk.offer();
    const later = await browser.open(desk.address, proxy.port);
    expect(await later.device.daemons()).toHaveLength(1);
    expect((await later.device.pairByLink(offer.link, newName(), ignore)).id).toBe(id);
    const other = await new Browser().open(desk.address, proxy.port);
    await other.device.pairByLink(offer.link, newName(), ignore);
    await other.device.end();
  });

  it('pairs anew when it was revoked', async () => {
    const name = newName();
    const { id } = await page.device.pairByLink((await desk.offer()).link, name, ignore);
    await desk.run('devices', 'revoke', name);
    const again = await page.device.pairByLink((await desk.offer()).link, name, ignore);
    expect(again.id).not.toBe(id);
    expect(await page.device.daemons()).toEqual([again]);
  });

  it('keeps a pairing that was revoked until another has taken its place', async () => {
    const name = newName();
    const { id } = await page.device.pairByLink((await desk.offer()).link, name, ignore);
    await desk.run('devices', 'revoke', name);
    const parsed = parseLink((await desk.offer()).link);
    if (!parsed) throw new Error('the offer has no link');
    const code = parsed.code.replace(/^./, (first) => (first === '0' ? '1' : '0')) as Code;
    const link = formatLink({ ...parsed, code });
    expect(await fails(page.device.pairByLink(link, name, ignore))).toBe('wrong-code');
    expect(await page.device.daemons()).toMatchObject([{ id, state: 'paired' }]);
  });

  it('refuses what is no link, or another address', async () => {
    const { link } = await desk.offer();
    expect(await fails(page.device.pairByLink('http://desk:8400/', 'x', ignore))).toBe('bad-link');
    expect(await fails(page.device.pairByLink(`${link}0`, 'x', ignore))).toBe('bad-link');
    const other = link.replace('localhost', 'other');
    expect(await fails(page.device.pairByLink(other, 'x', ignore))).toBe('other-address');
    expect(page.environment.sent).toEqual([]);
  });

  it("refuses a daemon that holds the code and has not the link's key", async () => {
    const parsed = parseLink((await desk.offer()).link);
    if (!parsed) throw new Error('the offer has no link');
    const daemonKey = parsed.daemonKey.slice();
    daemonKey[0] = (daemonKey[0] ?? 0) ^ 1;
    const link = formatLink({ ...parsed, daemonKey });
    expect(await fails(page.device.pairByLink(link, 'x', ignore))).toBe('other-key');
    // P1 alone went out, and nothing is kept.
    expect(page.environment.sent).toHaveLength(1);
    expect(await page.device.daemons()).toEqual([]);
  });
});

describe('by a typed code', () => {
  it('shows the fingerprint, and sends nothing before it is confirmed', async () => {
    const name = newName();
    const { code, fingerprint } = await desk.offer();
    const typed = ` ${code.toLowerCase().replaceAll('0', 'o').replaceAll('1', 'l')} `;
    const steps: PairStep[] = [];
    const waiting = await page.device.pairByCode(desk.address, typed, name, (step) =>
      steps.push(step),
    );
    expect(waiting.fingerprint).toBe(fingerprint);
    expect(steps).toEqual(['connecting', 'proving', 'finishing', 'fingerprint']);
    expect(page.environment.sent).toHaveLength(2);
    const [pending] = await page.device.daemons();
    expect(pending).toMatchObject({ state: 'pending', unconfirmed: true, name: 'localhost' });
    expect(await desk.unfinished(name)).toBe(true);
    const daemon = await waiting.match();
    expect(daemon).toMatchObject({ state: 'paired', name: 'desk', fingerprint });
    expect(await page.device.daemons()).toEqual([daemon]);
    expect(await desk.unfinished(name)).toBe(false);
  });

  it('hangs up without a record when they differ, and forgets', async () => {
    const name = newName();
    const { code } = await desk.offer();
    const waiting = await page.device.pairByCode(desk.address, code, name, ignore);
    await waiting.differ();
    expect(page.environment.sent).toHaveLength(2);
    expect(await page.device.daemons()).toEqual([]);
    expect(await fails(waiting.match())).toBe('expired');
    // The daemon heard nothing, and drops it when the offer's time is over.
    expect(await desk.unfinished(name)).toBe(true);
  });

  it('goes on after the page was closed', async () => {
    const { code, fingerprint } = await desk.offer();
    await page.device.pairByCode(desk.address, code, newName(), ignore);
    const later = await browser.open(desk.address, proxy.port);
    const [pending] = await later.device.daemons();
    if (!pending) throw new Error('nothing is pending');
    const link = later.device.link(pending.id);
    await linkIs(link, 'ended');
    expect(link.state).toEqual({ state: 'ended', end: 'unconfirmed' });
    const waiting = await later.device.resumePending(pending.id);
    expect(waiting.fingerprint).toBe(fingerprint);
    expect(later.environment.sent).toHaveLength(2);
    expect((await waiting.match()).id).toBe(pending.id);
    await linkIs(link, 'connected');
  });

  it('goes on when the link breaks while the fingerprint is compared', async () => {
    const { code } = await desk.offer();
    const waiting = await page.device.pairByCode(desk.address, code, newName(), ignore);
    proxy.cut();
    expect((await waiting.match()).state).toBe('paired');
  });

  it('refuses what is no code, and a wrong one', async () => {
    const pair = (code: string) =>
      fails(page.device.pairByCode(desk.address, code, newName(), ignore));
    const { code } = await desk.offer();
    expect(await pair('K7QM-3FBR-9TZ')).toBe('bad-code');
    expect(await pair('K7QM-3FBR-9TZU')).toBe('bad-code');
    expect(page.environment.sent).toEqual([]);
    expect(await pair(code.startsWith('2') ? `3${code.slice(1)}` : `2${code.slice(1)}`)).toBe(
      'wrong-code',
    );
    expect(page.environment.sent).toHaveLength(1);
    expect(await page.device.daemons()).toEqual([]);
    expect(await pair(code)).toBeUndefined();
  });

  it('pairs one device with one code', async () => {
    const { code } = await desk.offer();
    await page.device.pairByCode(desk.address, code, newName(), ignore);
    const other = await new Browser().open(desk.address, proxy.port);
    expect(await fails(other.device.pairByCode(desk.address, code, 'x', ignore))).toBe('used');
    expect(await other.device.daemons()).toEqual([]);
    await other.device.end();
  });

  it('refuses a code that was replaced meanwhile', async () => {
    const { code } = await desk.offer();
    proxy.holdUp = async (piece) => {
      if (piece === 3) await desk.offer();
    };
    expect(await fails(page.device.pairByCode(desk.address, code, 'x', ignore))).toBe('expired');
    expect(await page.device.daemons()).toEqual([]);
  });
});

describe('a link that is cut', () => {
  const cuts = (['up', 'down'] as const).flatMap((way) =>
    [1, 2, 3, 4].flatMap((piece) => [true, false].map((arrives) => ({ way, piece, arrives }))),
  );
  // Pieces are, in turn, HTTP, P1 and P2, P3 and P4, the first request and its reply.

  it.each(cuts)('while pairing by a link ends well: %o', async (cut) => {
    const name = newName();
    const { link } = await desk.offer();
    proxy.cutNext = cut;
    await page.device.pairByLink(link, name, ignore);
    expect(await page.device.daemons()).toMatchObject([{ state: 'paired', name: 'desk' }]);
    expect((await desk.devices()).filter((known) => known === name)).toHaveLength(1);
  });

  it.each(cuts.filter((cut) => cut.piece === 3))(
    'while pairing by a code ends well: %o',
    async (cut) => {
      const name = newName();
      const { code, fingerprint } = await desk.offer();
      proxy.cutNext = cut;
      const waiting = await page.device.pairByCode(desk.address, code, name, ignore);
      expect(waiting.fingerprint).toBe(fingerprint);
      expect((await waiting.match()).state).toBe('paired');
      expect(await page.device.daemons()).toHaveLength(1);
      expect((await desk.devices()).filter((known) => known === name)).toHaveLength(1);
    },
  );

  it('and does not come back leaves a pairing that goes on later', async () => {
    const name = newName();
    const { link } = await desk.offer();
    proxy.holdUp = async (piece) => {
      if (piece === 3) proxy.shut = true;
    };
    proxy.cutNext = { way: 'up', piece: 3, arrives: true };
    expect(await fails(page.device.pairByLink(link, name, ignore))).toBe('cut');
    expect(await page.device.daemons()).toMatchObject([{ state: 'pending', unconfirmed: false }]);
    proxy.shut = false;
    expect((await page.device.pairByLink(link, name, ignore)).state).toBe('paired');
    expect(await page.device.daemons()).toHaveLength(1);
    expect(await desk.devices()).toContain(name);
  }, 20_000);
});

describe('another daemon', () => {
  it('that shows no offer says so', async () => {
    const other = await Desk.detached();
    const there = await browser.open(other.address);
    expect(await fails(there.device.pairByCode(other.address, 'K7QM-3FBR-9TZX', 'x', ignore))).toBe(
      'no-offer',
    );
    await other.close();
  });

  it('whose user is asked lets in, or declines', async () => {
    const { desk: other, press } = await Desk.asking();
    const there = await browser.open(other.address);
    const pair = async (key: string): Promise<PairedByCode> => {
      const { code } = await other.offer();
      return there.device.pairByCode(other.address, code, 'x', (step) => {
        if (step === 'waiting-for-daemon') press(key);
      });
    };
    expect(await fails(pair('d'))).toBe('declined');
    expect(await there.device.daemons()).toEqual([]);
    const waiting = await pair('y');
    expect((await waiting.match()).state).toBe('paired');
    await other.close();
  }, 20_000);

  it('that is none, or nothing, is told apart', async () => {
    let status = 200;
    const server = createServer((_, response) => response.writeHead(status).end('hello'));
    await new Promise<void>((listening) => {
      server.listen(0, '127.0.0.1', listening);
    });
    const { port } = server.address() as AddressInfo;
    const address = `http://localhost:${port}`;
    const there = await browser.open(address);
    const pair = () => fails(there.device.pairByCode(address, 'K7QM-3FBR-9TZX', 'x', ignore));
    expect(await pair()).toBe('not-codeout');
    status = 503;
    expect(await pair()).toBe('too-many');
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
    expect(await pair()).toBe('unreachable');
  });
});
