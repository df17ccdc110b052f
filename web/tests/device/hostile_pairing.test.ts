import { IDBFactory } from 'fake-indexeddb';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type BrowserDevice, openDevice } from '../../src/device/device';
import type { PairedByCode, PairFailure, PairProblem } from '../../src/device/types';
import { type KeyPair, kxKeyPair, ready } from '../../src/protocol/sodium';
import { accept, pskOf, readM1, readP1, refuse, type Verdict } from '../protocol/daemon';
import { Clock, Established, type Line, plaintext, ScriptedEnvironment, WELCOME } from './scripted';
import { until } from './wait';

const CODE = 'K7QM3FBR9TZX';
const ADDRESS = 'http://desk.test:8400';

let environment: ScriptedEnvironment;
let device: BrowserDevice;
let daemon: KeyPair;

beforeAll(() => ready);

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory();
  environment = new ScriptedEnvironment();
  daemon = kxKeyPair();
  device = await openDevice(environment);
});

afterEach(async () => {
  const ended = device.end();
  for (const line of environment.opened) line.cut();
  await ended;
});

const pair = (): Promise<PairedByCode> => device.pairByCode(ADDRESS, CODE, 'phone', () => {});

function problem(pairing: Promise<unknown>): Promise<PairProblem | undefined> {
  return pairing.then(
    () => undefined,
    (failure: PairFailure) => failure.problem,
  );
}

async function line(): Promise<Line> {
  const next = await until('the page connects', () => environment.lines.shift());
  next.open();
  return next;
}

type Presented = Verdict & { token: Uint8Array; line: Line };

/** Reads P1 and P3. */
async function presented(code = CODE): Promise<Presented> {
  const next = await line();
  const { p2, readP3 } = readP1(code, daemon, await next.receive());
  next.tell(p2);
  return { ...readP3(await next.receive()), line: next };
}

/** Reads M1 and M3 of a device with that token. */
async function claimed(token: Uint8Array): Promise<Verdict & { proved: boolean; line: Line }> {
  const next = await line();
  const { m2, readM3 } = readM1(daemon, await next.receive());
  next.tell(m2);
  return { ...readM3(await next.receive(), pskOf(token)), line: next };
}

function letIn(verdict: Verdict, to: Line): Established {
  const { channel, message } = accept(verdict, plaintext(3, WELCOME));
  to.tell(message);
  return new Established(to, channel);
}

describe('a pairing', () => {
  it.each([
    [1, 'version'],
    [3, 'no-offer'],
    [4, 'handshake'],
    [99, 'handshake'],
  ])('that alert %d ends', async (alert, expected) => {
    const pairing = problem(pair());
    const next = await line();
    await next.receive();
    next.tell(Uint8Array.of(0xff, alert));
    expect(await pairing).toBe(expected);
    expect(next.closed).toBe(true);
    expect(await device.daemons()).toEqual([]);
  });

  it('that comes at a busy time is tried again', async () => {
    const pairing = pair();
    const busy = await line();
    await busy.receive();
    busy.tell(Uint8Array.of(0xff, 2));
    const verdict = await presented();
    letIn(verdict, verdict.line);
    expect((await pairing).fingerprint).toMatch(/^[0-9A-Z]{4}-[0-9A-Z]{4}$/);
  });

  it('with a daemon that holds another code sends nothing further', async () => {
    const pairing = problem(pair());
    const next = await line();
    next.tell(readP1('K7QM3FBR9TZY', daemon, await next.receive()).p2);
    expect(await pairing).toBe('wrong-code');
    expect(next.waits).toBe(false);
  });

  it('whose P2 was changed on the way sends nothing further', async () => {
    const pairing = problem(pair());
    const next = await line();
    const { p2 } = readP1(CODE, daemon, await next.receive());
    p2[1_200] = (p2[1_200] ?? 0) ^ 1;
    next.tell(p2);
    expect(await pairing).toBe('tampered');
    expect(next.waits).toBe(false);
    expect(await device.daemons()).toEqual([]);
  });

  it('is on disk before P3 is sent', async () => {
    void problem(pair());
    const { token } = await presented();
    const [record] = await device.daemons();
    expect(record).toMatchObject({ state: 'pending', unconfirmed: true });
    expect(JSON.stringify(record)).not.toContain([...token].join());
  });

  it.each<[string, (presented: Presented) => Uint8Array]>([
    ['an alert', () => Uint8Array.of(0xff, 3)],
    [
      'a verdict that was changed',
      (verdict) => {
        const { message } = accept(verdict, plaintext(3, WELCOME));
        message[60] = (message[60] ?? 0) ^ 1;
        return message;
      },
    ],
    ['a refusal that does not open', () => new Uint8Array(18).fill(1)],
    ['a refusal of another kind', (verdict) => refuse(verdict, Uint8Array.of(200))],
  ])('that ends in %s finds out by connecting', async (_, p4) => {
    const pairing = pair();
    const verdict = await presented();
    verdict.line.tell(p4(verdict));
    const claim = await claimed(verdict.token);
    expect(claim.proved).toBe(true);
    const daemon = letIn(claim, claim.line);
    const waiting = await pairing;
    expect(daemon.line.waits).toBe(false);
    const matched = waiting.match();
    await daemon.answerPing();
    expect(await matched).toMatchObject({ state: 'paired', name: 'desk' });
  });

  it('opens records while the user compares, and sends and shows nothing', async () => {
    const pairing = pair();
    const verdict = await presented();
    const daemon = letIn(verdict, verdict.line);
    const waiting = await pairing;
    for (let n = 0; n < 100; n += 1) daemon.say(3, { event: 'news', n });
    expect(daemon.line.waits).toBe(false);
    expect((await device.daemons())[0]?.name).toBe('desk.test');
    const matched = waiting.match();
    await daemon.answerPing();
    expect((await matched).state).toBe('paired');
  });

  it('that was refused as used looks for an attempt that landed late', async () => {
    const pairing = pair();
    const first = await presented();
    first.line.cut();
    const unknown = await claimed(first.token);
    unknown.line.tell(refuse(unknown, Uint8Array.of(1)));
    const second = await presented();
    second.line.tell(refuse(second, Uint8Array.of(1)));
    const late = await claimed(first.token);
    expect(late.proved).toBe(true);
    const daemon = letIn(late, late.line);
    const waiting = await pairing;
    const matched = waiting.match();
    await daemon.answerPing();
    await matched;
    expect(await device.daemons()).toMatchObject([{ state: 'paired' }]);
  });

  it.each([
    [1, 'used'],
    [2, 'expired'],
    [3, 'declined'],
  ])('that refusal %d ends is forgotten', async (reason, expected) => {
    const pairing = problem(pair());
    const verdict = await presented();
    verdict.line.tell(refuse(verdict, Uint8Array.of(reason)));
    expect(await pairing).toBe(expected);
    expect(await device.daemons()).toEqual([]);
  });

  it('that the daemon dropped before it was confirmed is forgotten', async () => {
    const pairing = pair();
    const verdict = await presented();
    letIn(verdict, verdict.line);
    const waiting = await pairing;
    verdict.line.cut();
    const matched = problem(waiting.match());
    const claim = await claimed(verdict.token);
    claim.line.tell(refuse(claim, Uint8Array.of(1)));
    expect(await matched).toBe('expired');
    expect(await device.daemons()).toEqual([]);
  });

  it('is kept when what lets it in is of another version', async () => {
    const pairing = problem(pair());
    const verdict = await presented();
    const newer = plaintext(3, { ...WELCOME, protocol: 2 });
    verdict.line.tell(accept(verdict, newer).message);
    const claim = await claimed(verdict.token);
    claim.line.tell(accept(claim, newer).message);
    expect(await pairing).toBe('version');
    expect(await device.daemons()).toMatchObject([{ state: 'pending' }]);
  });

  it('that goes on later is kept for as long as it may still land', async () => {
    const clock = new Clock();
    environment.clock = clock;
    const pairing = pair();
    const verdict = await presented();
    letIn(verdict, verdict.line);
    await pairing;
    const id = (await device.daemons())[0]?.id ?? '';
    const resumed = async () => {
      const again = problem(device.resumePending(id));
      const claim = await claimed(verdict.token);
      claim.line.tell(refuse(claim, Uint8Array.of(1)));
      return again;
    };
    expect(await resumed()).toBe('cut');
    expect(await device.daemons()).toMatchObject([{ id }]);
    clock.advance(331_000);
    expect(await resumed()).toBe('expired');
    expect(await device.daemons()).toEqual([]);
  });

  it('that was forgotten while its user compared is cut', async () => {
    const pairing = pair();
    const verdict = await presented();
    letIn(verdict, verdict.line);
    const waiting = await pairing;
    const id = (await device.daemons())[0]?.id ?? '';
    await device.forget(id);
    expect(await problem(waiting.match())).toBe('expired');
    expect(verdict.line.closed).toBe(true);
  });

  it('takes the place of what another daemon left at its address', async () => {
    const first = pair();
    const verdict = await presented();
    letIn(verdict, verdict.line);
    await first;
    daemon = kxKeyPair();
    const pairing = pair();
    const left = await line();
    await left.receive();
    left.tell(Uint8Array.of(0xff, 5));
    const second = await presented();
    const established = letIn(second, second.line);
    const matched = (await pairing).match();
    await established.answerPing();
    await matched;
    expect(await device.daemons()).toMatchObject([{ state: 'paired' }]);
  });

  it('whose record cannot be written is not presented', async () => {
    const pairing = problem(pair());
    const next = await line();
    const p1 = await next.receive();
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
      throw new DOMException('no room', 'QuotaExceededError');
    });
    next.tell(readP1(CODE, daemon, p1).p2);
    expect(await pairing).toBe('storage');
    expect(next.waits).toBe(false);
    vi.restoreAllMocks();
  });

  it('at an address that a browser does not even try is unreachable', async () => {
    // `http://[f:1]:8400` is an address by its form; so is what a page's policy forbids.
    vi.spyOn(environment, 'openSocket').mockImplementation(() => {
      throw new DOMException("The URL 'ws://[f:1]:8400/ws' is invalid.", 'SyntaxError');
    });
    expect(await problem(pair())).toBe('unreachable');
    vi.restoreAllMocks();
  });
});
