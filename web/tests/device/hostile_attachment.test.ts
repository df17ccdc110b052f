import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DaemonLink } from '../../src/device/link';
import type { Attachment, AttachOptions } from '../../src/device/types';
import { ready } from '../../src/protocol/sodium';
import { Screen } from './screen';
import { ENTRY, type Established, Stage } from './scripted';
import { until } from './wait';

const bytes = (text: string) => new TextEncoder().encode(text);

let stage: Stage;
let link: DaemonLink;

beforeAll(() => ready);

beforeEach(async () => {
  stage = new Stage();
  link = await stage.link();
});

afterEach(async () => {
  vi.restoreAllMocks();
  await stage.close();
});

describe('an attachment', () => {
  let screen: Screen;
  let attachment: Attachment;

  beforeEach(() => {
    screen = new Screen();
  });

  /** Attaches; the daemon answers so. */
  async function attach(
    daemon: Established,
    reply: object = {},
    options: AttachOptions = {},
  ): Promise<Record<string, unknown>> {
    attachment = link.attach(1, screen, options);
    return answered(daemon, reply);
  }

  /** Answers the next request, which is `attach`. */
  async function answered(daemon: Established, reply: object): Promise<Record<string, unknown>> {
    const { request } = await daemon.hear();
    if (request?.request !== 'attach') throw new Error(`not attach: ${request?.request}`);
    daemon.say(2, { id: request.id, ok: { attached: ENTRY, resumed: false, input: 0, ...reply } });
    return request;
  }

  function snapshot(daemon: Established, text: string, offset: number): void {
    daemon.say(3, { event: 'snapshot', session: 1, columns: 80, rows: 24, history: true });
    daemon.bytes(0x14, 0, bytes(text));
    daemon.say(3, { event: 'snapshot_end', session: 1, offset });
  }

  it('asks as it was told to, and has a random keyboard', async () => {
    const daemon = await stage.connected();
    const request = await attach(daemon, {}, { history: 50 });
    expect(request).toMatchObject({ session: 1, history: 50 });
    expect(request).not.toHaveProperty('after');
    expect(Number.isSafeInteger(request.keyboard)).toBe(true);
    attachment.detach();
    await daemon.hear();
  });

  it.each<[string, object, (daemon: Established) => void]>([
    ['another session', { attached: { ...ENTRY, session: 2 } }, () => {}],
    ['resumed without an offset', { resumed: true }, () => {}],
    ['an answer without its entry', { attached: undefined }, () => {}],
    ['output before a snapshot', {}, (daemon) => daemon.bytes(0x10, 0, bytes('x'))],
    [
      'a snapshot that ends before it begins',
      {},
      (daemon) => daemon.say(3, { event: 'snapshot_end', session: 1, offset: 0 }),
    ],
    [
      'a gap in a snapshot',
      {},
      (daemon) => {
        daemon.say(3, { event: 'snapshot', session: 1, columns: 80, rows: 24 });
        daemon.bytes(0x14, 1, bytes('x'));
      },
    ],
    [
      'output inside a snapshot',
      {},
      (daemon) => {
        daemon.say(3, { event: 'snapshot', session: 1, columns: 80, rows: 24 });
        daemon.bytes(0x10, 0, bytes('x'));
      },
    ],
    [
      'a snapshot of no size',
      {},
      (daemon) => daemon.say(3, { event: 'snapshot', session: 1, columns: 0, rows: 24 }),
    ],
    [
      'a gap in the output',
      {},
      (daemon) => {
        snapshot(daemon, 'x', 7);
        daemon.bytes(0x10, 8, bytes('x'));
      },
    ],
    ['input written that was not sent', {}, (daemon) => daemon.bytes(0x13, 1)],
    [
      'more than the window',
      {},
      (daemon) => {
        screen.stuck = true;
        snapshot(daemon, 'x', 0);
        for (let n = 0; n < 32; n += 1) daemon.bytes(0x10, n * 32_768, new Uint8Array(32_768));
      },
    ],
  ])('ends the link at %s', async (_, reply, act) => {
    const daemon = await stage.connected();
    await attach(daemon, reply);
    act(daemon);
    await until('it ends', () => link.state.state === 'ended');
    expect(link.state).toMatchObject({ end: 'protocol' });
  });

  it('acknowledges at 4 KiB when all is dealt with, and at 64 KiB while more waits', async () => {
    const now = vi.spyOn(performance, 'now').mockReturnValue(1_000);
    const daemon = await stage.connected();
    await attach(daemon);
    snapshot(daemon, 'x'.repeat(4_095), 0);
    await until('it is shown', () => screen.text.length === 4_095);
    daemon.bytes(0x10, 0, bytes('y'));
    expect(await daemon.hear()).toEqual({ kind: 0x11, offset: 4_096, text: '' });
    screen.stuck = true;
    daemon.bytes(0x10, 1, bytes('z'.repeat(32_768)));
    daemon.bytes(0x10, 32_769, bytes('z'.repeat(32_767)));
    daemon.bytes(0x10, 65_536, bytes('z'));
    daemon.bytes(0x10, 65_537, bytes('z'));
    now.mockReturnValue(1_016);
    screen.free();
    expect(await daemon.hear()).toEqual({ kind: 0x11, offset: 4_096 + 65_536, text: '' });
  });

  it('acknowledges no more than once in 16 ms, up to 512 KiB', async () => {
    const now = vi.spyOn(performance, 'now').mockReturnValue(1_000);
    const daemon = await stage.connected();
    await attach(daemon);
    snapshot(daemon, 'x'.repeat(4_096), 0);
    expect(await daemon.hear()).toEqual({ kind: 0x11, offset: 4_096, text: '' });
    screen.stuck = true;
    for (let n = 0; n < 17; n += 1) daemon.bytes(0x10, n * 32_768, bytes('z'.repeat(32_768)));
    now.mockReturnValue(1_015.9);
    screen.free();
    expect(await daemon.hear()).toEqual({ kind: 0x11, offset: 4_096 + 524_288, text: '' });
    expect(await daemon.hear()).toEqual({ kind: 0x11, offset: 4_096 + 17 * 32_768, text: '' });
  });

  it('drops what the terminal was not given when a snapshot begins, as dealt with', async () => {
    const daemon = await stage.connected();
    await attach(daemon);
    screen.stuck = true;
    snapshot(daemon, 'x', 0);
    for (let n = 0; n < 8; n += 1) daemon.bytes(0x10, n * 32_768, bytes('z'.repeat(32_768)));
    expect(screen.given).toBeLessThan(200_000);
    snapshot(daemon, 'now', 300_000);
    expect((await daemon.hear()).offset).toBeGreaterThanOrEqual(65_536);
    screen.free();
    await until('it is shown', () => screen.text === 'now');
    let dealt = 0;
    while (dealt <= 8 * 32_768 - 4_096) dealt = (await daemon.hear()).offset ?? 0;
    expect(dealt).toBeLessThanOrEqual(1 + 8 * 32_768 + 3);
  });

  it('types no more than the window, and again only what did not arrive', async () => {
    const daemon = await stage.connected();
    const { keyboard } = await attach(daemon);
    attachment.type(bytes('a'.repeat(100_000)));
    let sent = 0;
    while (sent < 65_536) sent += (await daemon.hear()).text?.length ?? 0;
    expect(sent).toBe(65_536);
    expect(daemon.line.waits).toBe(false);
    daemon.bytes(0x13, 10);
    expect(await daemon.hear()).toEqual({ kind: 0x12, offset: 65_536, text: 'a'.repeat(10) });
    daemon.line.cut();
    const second = await stage.connected();
    expect((await answered(second, { input: 40_000 })).keyboard).toBe(keyboard);
    expect((await second.hear()).offset).toBe(40_000);
    expect(attachment.unsent).toBe(60_000);
    expect(attachment.inputUncertain).toBe(false);
  });

  it('sends what was typed key by key while the link was down as one piece', async () => {
    attachment = link.attach(1, screen, {});
    for (const key of 'echo hello') expect(attachment.type(bytes(key))).toBe(true);
    const daemon = await stage.connected();
    await answered(daemon, {});
    expect(await daemon.hear()).toEqual({ kind: 0x12, offset: 0, text: 'echo hello' });
    daemon.bytes(0x13, 7);
    await until('some is written', () => attachment.unsent === 3);
    daemon.line.cut();
    const second = await stage.connected();
    await answered(second, { input: 8 });
    expect(await second.hear()).toEqual({ kind: 0x12, offset: 8, text: 'lo' });
  });

  it.each([
    ['more than was sent', 6],
    ['less than it had', 2],
  ])('types nothing more when the daemon has %s', async (_, input) => {
    const daemon = await stage.connected();
    await attach(daemon);
    attachment.type(bytes('hello'));
    await daemon.hear();
    daemon.bytes(0x13, 3);
    await until('some is written', () => attachment.unsent === 2);
    daemon.line.cut();
    const second = await stage.connected();
    const { keyboard } = await answered(second, { input });
    await until('it is uncertain', () => attachment.inputUncertain);
    expect(screen.states.at(-1)).toEqual({ state: 'attached' });
    expect(attachment.type(bytes('x'))).toBe(false);
    expect(attachment.mayType).toBe(true);
    snapshot(second, 'shown', 9);
    await until('it is shown all the same', () => screen.text === 'shown');
    attachment.resetInput();
    const detach = await second.hear();
    expect(detach.request?.request).toBe('detach');
    // What crosses it is nobody's.
    second.bytes(0x10, 9, bytes('crossed'));
    second.say(2, { id: detach.request?.id, ok: {} });
    const again = await answered(second, { resumed: true });
    expect(again).toMatchObject({ after: 9, history: 0 });
    expect(again.keyboard).not.toBe(keyboard);
    second.bytes(0x10, 9, bytes('crossed'));
    await until('it goes on', () => screen.text === 'showncrossed');
    expect(attachment.inputUncertain).toBe(false);
    expect(attachment.type(bytes('x'))).toBe(true);
    expect(await second.hear()).toEqual({ kind: 0x12, offset: 0, text: 'x' });
  });

  it('asks for history again while it has shown nothing whole', async () => {
    const daemon = await stage.connected();
    await attach(daemon);
    daemon.say(3, { event: 'snapshot', session: 1, columns: 80, rows: 24, history: true });
    daemon.bytes(0x14, 0, bytes('half'));
    daemon.line.cut();
    const second = await stage.connected();
    const request = await answered(second, {});
    expect(request).not.toHaveProperty('after');
    expect(request).not.toHaveProperty('history');
  });

  it('asks for no history when it was cut inside a later snapshot', async () => {
    const daemon = await stage.connected();
    await attach(daemon);
    snapshot(daemon, 'whole', 5);
    daemon.say(3, { event: 'snapshot', session: 1, columns: 90, rows: 24 });
    daemon.bytes(0x14, 0, bytes('half'));
    daemon.line.cut();
    const second = await stage.connected();
    const request = await answered(second, {});
    expect(request).not.toHaveProperty('after');
    expect(request).toHaveProperty('history', 0);
  });

  it('that was refused says why', async () => {
    const daemon = await stage.connected();
    attachment = link.attach(1, screen, {});
    const { request } = await daemon.hear();
    const error = { code: 'limit', message: 'too \u001b[31mmany\u202e' };
    daemon.say(2, { id: request?.id, error });
    await until('it has failed', () => attachment.state.state === 'failed');
    expect(attachment.state).toEqual({ state: 'failed', message: 'too [31mmany' });
    daemon.line.cut();
    const second = await stage.connected();
    second.say(3, { event: 'session_dismissed', session: 1 });
    expect(attachment.state.state).toBe('failed');
  });

  it('to more sessions than a connection may have is refused here', async () => {
    const daemon = await stage.connected();
    await until('it is up', () => link.line);
    for (let session = 1; session <= 16; session += 1) link.attach(session, new Screen(), {});
    const one = link.attach(17, screen, {});
    expect(one.state).toMatchObject({ state: 'failed' });
    expect(daemon.line.closed).toBe(false);
  });
});
