import { describe, expect, test } from 'vitest';
import type { LinkEnd, LinkProblem, LinkState, PairProblem } from '../../src/device/types';
import { attentionWords, endWords } from '../../src/views/attention';
import { limitWords, seenWords } from '../../src/views/devices/device-words';
import {
  isRefused,
  linkSentence,
  listSentence,
  offersToForget,
  secondsUntil,
} from '../../src/views/link-words';
import { pairProblem, pairSentence } from '../../src/views/pair-words';

const PROBLEMS: Record<PairProblem, true> = {
  'bad-link': true,
  'bad-code': true,
  'other-address': true,
  unreachable: true,
  'not-codeout': true,
  version: true,
  'too-many': true,
  'no-offer': true,
  'wrong-code': true,
  'other-key': true,
  used: true,
  expired: true,
  declined: true,
  tampered: true,
  cut: true,
  handshake: true,
  storage: true,
};

const ENDS: Record<LinkEnd, true> = {
  revoked: true,
  expired: true,
  'not-paired': true,
  'other-key': true,
  version: true,
  protocol: true,
  unconfirmed: true,
  forgotten: true,
};

const WAITS: Record<LinkProblem, true> = {
  unreachable: true,
  cut: true,
  stopping: true,
  restarting: true,
  'too-many': true,
  handshake: true,
  tampered: true,
};

function keys<Key extends string>(all: Record<Key, true>): Key[] {
  return Object.keys(all) as Key[];
}

describe('a pairing that failed', () => {
  test('each reason has a sentence of its own and a next step', () => {
    const sentences = keys(PROBLEMS).map(pairSentence);
    expect(new Set(sentences.map((one) => one.title)).size).toBe(sentences.length);
    expect(new Set(sentences.map((one) => one.next)).size).toBe(sentences.length);
    for (const { next } of sentences) expect(next).toMatch(/[.?]$/);
  });

  test('codes that are gone name the command for a new one', () => {
    for (const gone of ['expired', 'declined', 'no-offer'] as const) {
      expect(pairSentence(gone).command).toBe('codeout pair');
    }
  });

  test('a failure without a known reason is a failed pairing', () => {
    expect(pairProblem(Object.assign(new Error(), { problem: 'used' }))).toBe('used');
    for (const other of [new Error('x'), undefined, { problem: 'toString' }, { problem: 7 }]) {
      expect(pairProblem(other)).toBe('handshake');
    }
  });
});

describe('the link', () => {
  test('each state has a title of its own', () => {
    const states: LinkState[] = [
      { state: 'connecting' },
      { state: 'connected' },
      { state: 'asleep' },
      ...keys(WAITS).map((problem) => ({ state: 'waiting', until: 0, problem }) as const),
      ...keys(ENDS).map((end) => ({ state: 'ended', end }) as const),
    ];
    const titles = states.map((state) => linkSentence(state, 'desk').title);
    expect(new Set(titles).size).toBe(states.length);
  });

  test('only a connected link is good', () => {
    expect(linkSentence({ state: 'connected' }, 'desk').tone).toBe('good');
    expect(linkSentence({ state: 'connecting' }, 'desk').tone).toBe('busy');
    for (const end of keys(ENDS)) {
      expect(linkSentence({ state: 'ended', end }, 'desk').tone).toBe('bad');
    }
  });

  test('of all ends, those by the daemon’s word on this device are refusals', () => {
    const refused = keys(ENDS).filter((end) => isRefused({ state: 'ended', end }));
    expect(refused).toEqual(['revoked', 'expired', 'not-paired']);
    expect(isRefused({ state: 'waiting', until: 0, problem: 'handshake' })).toBe(false);
  });

  test('who forgets a daemon hears whether that one lists it', () => {
    const words = (state: LinkState | undefined) => listSentence(state, false);
    expect(listSentence({ state: 'connected' }, true).listed).toBe(false);
    for (const end of ['revoked', 'not-paired'] as const) {
      const { text, listed } = words({ state: 'ended', end });
      expect(listed).toBe(false);
      expect(text).not.toMatch(/still list/);
    }
    expect(words({ state: 'connected' }).text).toMatch(/ still lists this device/);
    expect(words({ state: 'ended', end: 'expired' }).text).toMatch(/ still lists this device/);
    // What cannot be known is not told as if it were.
    const unknown: (LinkState | undefined)[] = [
      undefined,
      { state: 'asleep' },
      { state: 'waiting', until: 0, problem: 'unreachable' },
      { state: 'ended', end: 'other-key' },
    ];
    for (const state of unknown) expect(words(state).text).toMatch(/ may still list /);
  });

  test('what is left of a wait is counted in whole seconds, and never below none', () => {
    expect(secondsUntil(3_000, 0)).toBe(3);
    expect(secondsUntil(3_001, 0)).toBe(4);
    expect(secondsUntil(0, 5_000)).toBe(0);
  });
});

describe('sessions', () => {
  test('attention in words', () => {
    expect(attentionWords({ at: 100, reason: 'bell' }, 220)).toBe('bell 2m ago');
    expect(attentionWords({ at: 100, reason: 'quiet' }, 120)).toBe('quiet for 20s');
    expect(attentionWords({ at: 100, reason: 'unknown' }, 130)).toBe('wants you, 30s ago');
    const note = { at: 100, reason: 'notification', title: 'Claude', text: 'done' } as const;
    expect(attentionWords(note, 130)).toBe('Claude: done');
    expect(attentionWords({ at: 100, reason: 'notification' }, 130)).toBe('notification 30s ago');
  });

  test('the end in words', () => {
    expect(endWords({ at: 1, exit: 2 })).toBe('ended with status 2');
    expect(endWords({ at: 1, signal: 9 })).toBe('ended by signal 9');
    expect(endWords({ at: 1, signal: 0 })).toBe('ended by a signal');
  });
});

describe('devices', () => {
  const device = {
    id: '3m9k7qaz',
    name: 'iPad',
    paired_at: 0,
    connected: false,
    unfinished: false,
    watch_only: false,
    this: false,
  };

  test('whether and when they were there', () => {
    expect(seenWords(device, 10)).toBe('never seen');
    expect(seenWords({ ...device, last_seen: 10 }, 40)).toBe('last seen 30s ago');
    expect(seenWords({ ...device, connected: true }, 10)).toBe('connected');
    expect(seenWords({ ...device, unfinished: true }, 10)).toBe('pairing not finished yet');
  });

  test('their limits', () => {
    expect(limitWords(device, 0)).toEqual([]);
    const limited = { ...device, watch_only: true, expires_at: 7200 };
    expect(limitWords(limited, 0)).toEqual(['watch only', '2h left']);
    expect(limitWords(limited, 7200)).toEqual(['watch only', 'time is over']);
  });
});

test('the sealed word of the daemon alone is a reason to offer to forget it', () => {
  expect(keys(ENDS).filter((end) => offersToForget(end))).toEqual(['not-paired']);
});
