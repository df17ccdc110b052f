import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DaemonLink } from '../../src/device/link';
import type { LinkState } from '../../src/device/types';
import { Sealer } from '../../src/protocol/channel';
import { AwaitM2 } from '../../src/protocol/handshake';
import { ready } from '../../src/protocol/sodium';
import { accept, refuse } from '../protocol/daemon';
import { ENTRY, type Established, plaintext, Stage, WELCOME } from './scripted';
import { until } from './wait';

const bytes = (text: string) => new TextEncoder().encode(text);

let stage: Stage;
let link: DaemonLink;
let states: LinkState[];

beforeAll(() => ready);

beforeEach(async () => {
  stage = new Stage();
  link = await stage.link();
  states = [];
  link.on('state', (state) => states.push(state));
});

afterEach(async () => {
  vi.restoreAllMocks();
  await stage.close();
});

/** What the link comes to next when its attempt or its connection is over. */
async function outcome(): Promise<string> {
  return until('it is over', () => {
    const state = states.shift();
    if (state?.state === 'ended') return `ended: ${state.end}`;
    return state?.state === 'waiting' && `waiting: ${state.problem}`;
  });
}

describe('a handshake', () => {
  it.each([
    [1, 'ended: version'],
    [2, 'waiting: too-many'],
    [3, 'waiting: handshake'],
    [4, 'ended: protocol'],
    [5, 'ended: other-key'],
    [77, 'waiting: handshake'],
  ])('that alert %d ends', async (alert, expected) => {
    const line = await stage.line();
    await line.receive();
    line.tell(Uint8Array.of(0xff, alert));
    expect(await outcome()).toBe(expected);
    expect(line.closed).toBe(true);
  });

  it('that is cut leaves no keys behind', async () => {
    const abandoned = vi.spyOn(AwaitM2.prototype, 'abandon');
    const wiped = vi.spyOn(Sealer.prototype, 'close');
    const line = await stage.line();
    await line.receive();
    line.cut();
    expect(await outcome()).toBe('waiting: unreachable');
    expect(abandoned).toHaveBeenCalled();
    expect(wiped).not.toHaveBeenCalled();
    const { line: next } = await stage.proved();
    next.cut();
    await outcome();
    expect(wiped).toHaveBeenCalled();
  });

  it('whose first record is no welcome leaves no keys behind', async () => {
    const wiped = vi.spyOn(Sealer.prototype, 'close');
    await stage.connected({ event: 'session_dismissed', session: 1 });
    await outcome();
    expect(wiped).toHaveBeenCalled();
  });

  it('with too many attempts is not tried again for a second', async () => {
    const line = await stage.line();
    await line.receive();
    line.tell(Uint8Array.of(0xff, 2));
    await outcome();
    const { state } = link;
    expect(state.state === 'waiting' && state.until - Date.now()).toBeGreaterThan(1_000);
  });

  it('that is refused inside it ends for good', async () => {
    const { line, verdict } = await stage.proved();
    line.tell(refuse(verdict, Uint8Array.of(1)));
    expect(await outcome()).toBe('ended: not-paired');
  });

  it('whose refusal says something else, or was changed, says nothing of the pairing', async () => {
    const { line, verdict } = await stage.proved();
    line.tell(refuse(verdict, Uint8Array.of(9)));
    expect(await outcome()).toBe('waiting: handshake');
    const second = await stage.proved();
    const refusal = refuse(second.verdict, Uint8Array.of(1));
    refusal[5] = (refusal[5] ?? 0) ^ 1;
    second.line.tell(refusal);
    expect(await outcome()).toBe('waiting: tampered');
  });

  it('whose first record was changed was tampered with', async () => {
    const { line, verdict } = await stage.proved();
    const { message } = accept(verdict, plaintext(3, WELCOME));
    message[40] = (message[40] ?? 0) ^ 1;
    line.tell(message);
    expect(await outcome()).toBe('waiting: tampered');
  });

  it('whose first record is no welcome is none', async () => {
    await stage.connected({ event: 'closing', reason: 'goodbye' });
    expect(await outcome()).toBe('waiting: handshake');
  });

  it('with a daemon of another version ends', async () => {
    await stage.connected({ ...WELCOME, protocol: 2 });
    expect(await outcome()).toBe('ended: version');
  });

  it('does not begin without the subprotocol', async () => {
    stage.environment.subprotocol = '';
    const line = await stage.line();
    expect(await outcome()).toBe('waiting: unreachable');
    expect(line.waits).toBe(false);
  });

  it.each([
    ['text', 'hello'],
    ['more than any message', new Uint8Array(65_643)],
    ['nothing', new Uint8Array(0)],
    ['too little', new Uint8Array(1136)],
  ])('that is answered by %s ends', async (_, answer) => {
    const line = await stage.line();
    await line.receive();
    line.tell(answer);
    expect(await outcome()).toBe('waiting: handshake');
    expect(line.closed).toBe(true);
  });
});

describe('a connection', () => {
  it.each([
    ['revoked', 'ended: revoked'],
    ['expired', 'ended: expired'],
    ['protocol', 'ended: protocol'],
    ['stopping', 'waiting: stopping'],
    ['restarting', 'waiting: restarting'],
    ['goodbye', 'waiting: cut'],
    ['lunch', 'waiting: cut'],
  ])('that is closed with %s', async (reason, expected) => {
    const daemon = await stage.connected();
    await until('it is up', () => link.state.state === 'connected');
    daemon.last(reason);
    expect(await outcome()).toBe(expected);
  });

  it('ends at a record that was changed, and is tried again', async () => {
    const daemon = await stage.connected();
    const record = daemon.channel.sealer.seal(0, plaintext(3, { event: 'news' }));
    record[9] = (record[9] ?? 0) ^ 1;
    daemon.line.tell(record);
    expect(await outcome()).toBe('waiting: tampered');
  });

  it('does not mind what a later version says', async () => {
    const daemon = await stage.connected();
    daemon.say(3, { event: 'news', of: 'tomorrow' });
    daemon.say(3, { event: 'session_opened', session: { ...ENTRY, colour: 'red' } });
    await until('it is listed', () => link.sessions.get(1)?.name === 'api');
  });

  it('whose list of sessions has no end is listed in part', async () => {
    const daemon = await stage.connected();
    for (let page = 0; page < 11; page += 1) {
      const { request } = await daemon.next();
      const sessions = Array.from({ length: 100 }, (_, at) => ({
        ...ENTRY,
        session: page * 100 + at + 1,
      }));
      daemon.say(2, { id: request?.id, ok: { sessions, more: true } });
    }
    await until('it is listed', () => link.sessions.size === 1_100);
    expect(daemon.line.waits).toBe(false);
  });

  it.each<[string, (daemon: Established) => void]>([
    ['a reply to no request', (daemon) => daemon.say(2, { id: 999, ok: {} })],
    ['a second welcome', (daemon) => daemon.say(3, WELCOME)],
    [
      'a farewell that is not the last record',
      (daemon) => daemon.say(3, { event: 'closing', reason: 'revoked' }),
    ],
    ['an unknown kind', (daemon) => daemon.record(Uint8Array.of(0x55, 0))],
    ['a request', (daemon) => daemon.say(1, { id: 1, request: 'ping' })],
    ['what is no JSON', (daemon) => daemon.record(Uint8Array.of(3, 0x7b))],
    ['output of nothing', (daemon) => daemon.bytes(0x10, 0, bytes('x'))],
    [
      'a snapshot of nothing',
      (daemon) => daemon.say(3, { event: 'snapshot', session: 1, columns: 80, rows: 24 }),
    ],
    ['progress of nothing', (daemon) => daemon.bytes(0x13, 0)],
  ])('ends for good at %s', async (_, act) => {
    const daemon = await stage.connected();
    act(daemon);
    expect(await outcome()).toBe('ended: protocol');
    expect(daemon.line.closed).toBe(true);
  });
});
