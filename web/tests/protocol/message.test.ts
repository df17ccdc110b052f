import { beforeAll, describe, expect, it } from 'vitest';
import { readClosing, readWelcome, writeRequest } from '../../src/protocol/frame';
import * as message from '../../src/protocol/message';
import { ready } from '../../src/protocol/sodium';
import { answer, BARE, body, event, reply, SESSION, samples, VIOLATION, WELCOME } from './samples';
import { failure } from './support';

beforeAll(() => ready);

/** What is read: absent members as what their absence means. */
function complete(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(complete);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, member]) => [name, complete(member)]);
  const whole = Object.fromEntries(entries);
  return 'opened_at' in whole ? { watchers: [], ...whole } : whole;
}

describe('the daemon’s own samples', () => {
  /** The requests that each answer answers, by one of its members. */
  const asked: Record<string, message.RequestName[]> = {
    devices: ['devices'],
    code: ['offer'],
    sessions: ['sessions'],
    opened: ['open', 'open_again'],
    attached: ['attach'],
    programs: ['programs'],
    name: ['rename', 'rename_session'],
    none: ['ping', 'detach', 'resize', 'end', 'dismiss', 'revoke'],
  };

  it('are all its requests, which are written so', () => {
    for (const sample of samples.requests) {
      const written = writeRequest(7, sample);
      expect(written[0]).toBe(1);
      expect(JSON.parse(new TextDecoder().decode(written.subarray(1)))).toEqual({
        id: 7,
        ...sample,
      });
    }
    const names = new Set(samples.requests.map((sample: message.Request) => sample.request));
    expect([...names].sort()).toEqual(Object.values(asked).flat().sort());
  });

  it('are all its answers, which are read whole', () => {
    const left = new Set(Object.keys(asked));
    for (const sample of samples.answers) {
      const member = Object.keys(asked).find((name) => name in sample) ?? 'none';
      left.delete(member);
      for (const request of asked[member] ?? []) {
        expect(answer(request, sample)).toEqual(complete(sample));
        expect(answer(request, { ...sample, later: [{}] })).toEqual(complete(sample));
      }
    }
    expect(left).toEqual(new Set());
  });

  it('are all its events, which are read whole', () => {
    for (const sample of samples.events) {
      expect(event(sample)).toEqual(complete(sample));
      expect(event({ later: { x: null }, ...sample })).toEqual(complete(sample));
    }
  });

  it('are all its errors', () => {
    for (const code of samples.errors) {
      const error = { code, message: 'why' };
      expect(reply({ id: 7, error })).toEqual({ id: 7, error });
    }
    expect(reply({ id: 7, error: { code: 'later', message: '' } })).toMatchObject({
      error: { code: 'unknown' },
    });
  });

  it('are its limits', () => {
    expect(samples.limits).toEqual({
      version: message.VERSION,
      chunk: message.MAX_CHUNK,
      output_window: message.OUTPUT_WINDOW,
      acknowledge_after: message.ACKNOWLEDGE_AFTER,
      acknowledge_idle: message.ACKNOWLEDGE_IDLE,
      acknowledge_apart_ms: message.ACKNOWLEDGE_APART,
      acknowledge_at_latest: message.ACKNOWLEDGE_AT_LATEST,
      input_window: message.INPUT_WINDOW,
      attached: message.MAX_ATTACHED,
      keyboard: message.MAX_KEYBOARD,
      side: message.MAX_TERMINAL_SIDE,
      cells: message.MAX_TERMINAL_CELLS,
    });
  });

  it('need every member that is not optional, in its type', () => {
    const optional = new Set([
      'connected',
      'unfinished',
      'watch_only',
      'this',
      'last_seen',
      'expires_at',
      'size_by',
      'history',
      'title',
      'text',
      'last_output_at',
      'last_line',
      'watching',
      'watchers',
      'attention',
      'ended',
      'later',
    ]);
    const wrong = [null, [], {}, -1, 1.5, 2 ** 53, { later: 1 }];
    for (const sample of samples.events) {
      for (const name of Object.keys(sample)) {
        if (name === 'event') continue;
        const { [name]: value, ...without } = sample;
        if (!optional.has(name)) {
          expect(
            failure(() => event(without)),
            `${sample.event}.${name}`,
          ).toEqual(VIOLATION);
        }
        for (const other of wrong) {
          if (Array.isArray(other) && Array.isArray(value)) continue;
          const changed = { ...sample, [name]: other };
          expect(
            failure(() => event(changed)),
            `${sample.event}.${name}`,
          ).toEqual(VIOLATION);
        }
      }
    }
    for (const name of Object.keys(SESSION)) {
      for (const other of wrong) {
        if (name === 'watchers' && Array.isArray(other)) continue;
        const opened = { ...SESSION, [name]: other };
        expect(
          failure(() => answer('open', { opened })),
          name,
        ).toEqual(VIOLATION);
      }
    }
  });
});

describe('replies', () => {
  it('have exactly one of ok and error', () => {
    const error = { code: 'failed', message: '' };
    for (const content of [
      { id: 1 },
      { id: 1, ok: {}, error },
      { ok: {} },
      { id: '1', ok: {} },
      { id: -1, ok: {} },
      { id: 2 ** 32, ok: {} },
      { id: 1, ok: null },
      { id: 1, ok: [] },
      { id: 1, error: 'failed' },
      { id: 1, error: { code: 'failed' } },
      { id: 1, error: { message: '' } },
      { id: 1, error: { code: 1, message: '' } },
    ]) {
      expect(
        failure(() => reply(content)),
        JSON.stringify(content),
      ).toEqual(VIOLATION);
    }
  });

  it('must have what their request demands', () => {
    for (const request of [
      'sessions',
      'programs',
      'open',
      'attach',
      'devices',
      'offer',
      'rename',
    ] as const) {
      expect(
        failure(() => answer(request, {})),
        request,
      ).toEqual(VIOLATION);
    }
    expect(failure(() => answer('attach', { attached: BARE, input: 0 }))).toEqual(VIOLATION);
    expect(failure(() => answer('attach', { attached: BARE, resumed: true }))).toEqual(VIOLATION);
    expect(failure(() => answer('sessions', { sessions: [1] }))).toEqual(VIOLATION);
    const offer = samples.answers.find((sample: object) => 'code' in sample);
    expect(failure(() => answer('offer', { ...offer, code: 'K7QM' }))).toEqual(VIOLATION);
    expect(failure(() => answer('offer', { ...offer, links: ['javascript:1'] }))).toEqual(
      VIOLATION,
    );
  });
});

describe('what is absent', () => {
  it('means what the document says', () => {
    const { watching: _, ...bare } = BARE;
    expect(answer('open', { opened: bare }).opened).toMatchObject({ watching: 0, watchers: [] });
    expect(answer('sessions', { sessions: [] })).toEqual({ sessions: [], more: false });
    const device = { id: 'K7QM3FBR', name: 'A', paired_at: 3 };
    expect(event({ event: 'device_paired', device })).toEqual({
      event: 'device_paired',
      device: { ...device, connected: false, unfinished: false, watch_only: false, this: false },
    });
    const snapshot = { event: 'snapshot', session: 1, columns: 80, rows: 24 };
    expect(event(snapshot)).toEqual({ ...snapshot, history: false });
  });
});

describe('events', () => {
  it('are ignored when they are of a later version', () => {
    expect(event({ event: 'later', session: 'x' })).toBe('unknown-event');
    for (const content of [{}, { event: 1 }, { event: null }, { event: ['welcome'] }]) {
      expect(failure(() => event(content))).toEqual(VIOLATION);
    }
  });

  it('have sizes in range', () => {
    const snapshot = { event: 'snapshot', session: 1 };
    for (const [columns, rows] of [
      [1, 1],
      [2000, 250],
      [250, 2000],
    ]) {
      expect(event({ ...snapshot, columns, rows })).toMatchObject({ columns, rows });
    }
    for (const [columns, rows] of [
      [0, 1],
      [1, 0],
      [2001, 1],
      [1, 2001],
      [2000, 251],
    ]) {
      expect(failure(() => event({ ...snapshot, columns, rows }))).toEqual(VIOLATION);
    }
  });

  it('end with one of exit and signal', () => {
    const ended = { event: 'session_ended', session: 1 };
    for (const how of [{}, { exit: 0, signal: 9 }, { exit: 256 }, { signal: -1 }]) {
      expect(failure(() => event({ ...ended, ...how }))).toEqual(VIOLATION);
    }
  });

  it('have reasons of later versions', () => {
    const attention = { event: 'session_attention', session: 1, name: 'a', at: 1, reason: 'later' };
    expect(event(attention)).toMatchObject({ reason: 'unknown' });
    expect(event({ event: 'closing', reason: 'later' })).toMatchObject({ reason: 'unknown' });
  });

  it('begin with welcome', () => {
    expect(readWelcome(body(3, WELCOME)).daemon).toBe('desk');
    const others = [body(3, { event: 'closing', reason: 'goodbye' }), body(3, { event: 'later' })];
    for (const first of [...others, body(2, { id: 1, ok: {} }), new Uint8Array(0)]) {
      expect(failure(() => readWelcome(first))).toEqual(VIOLATION);
    }
  });

  it('end with closing, read kindly', () => {
    expect(readClosing(body(3, { event: 'closing', reason: 'revoked' }))).toBe('revoked');
    for (const content of [
      { event: 'closing' },
      { event: 'closing', reason: 1 },
      WELCOME,
      [],
      '{',
    ]) {
      expect(readClosing(body(3, content))).toBe('unknown');
    }
    expect(readClosing(new Uint8Array(0))).toBe('unknown');
  });
});

describe('texts of the daemon', () => {
  it('are cleaned and bounded', () => {
    const sly = 'a\u202eb\x1b[2J \n c';
    const clean = 'ab[2J c';
    const long = 'é'.repeat(2000);
    const opened = {
      ...SESSION,
      name: sly,
      program: long,
      directory: long,
      size_by: sly,
      title: long,
      last_line: '😀'.repeat(300),
      watchers: Array(20).fill(sly),
      attention: { at: 1, reason: 'bell', title: long, text: long },
    };
    expect(answer('open', { opened }).opened).toMatchObject({
      name: clean,
      program: 'é'.repeat(256),
      directory: 'é'.repeat(512),
      size_by: clean,
      title: 'é'.repeat(128),
      last_line: '😀'.repeat(200),
      watchers: Array(16).fill(clean),
      attention: { title: 'é'.repeat(128), text: 'é'.repeat(512) },
    });
    const error = { code: 'failed', message: long };
    expect(reply({ id: 1, error })).toMatchObject({ error: { message: 'é'.repeat(256) } });
    expect(event({ ...WELCOME, daemon: sly })).toMatchObject({ daemon: clean });
  });
});
