import { describe, expect, test } from 'vitest';
import type { SessionEntry } from '../../src/protocol/message';
import { splitArguments } from '../../src/views/sessions/arguments';
import { openingSize } from '../../src/views/sessions/opening-size';
import { parts, recentDirectories } from '../../src/views/sessions/order';

function entry(session: number, more: Partial<SessionEntry> = {}): SessionEntry {
  return {
    session,
    name: `s${session}`,
    program: 'shell',
    directory: '/srv',
    columns: 80,
    rows: 24,
    opened_at: 1,
    watching: 0,
    watchers: [],
    ...more,
  };
}

describe('arguments', () => {
  test.each([
    ['', []],
    ['  ', []],
    ['-c x', ['-c', 'x']],
    [`say "two words" 'and three'`, ['say', 'two words', 'and three']],
    [`a"b c"d`, ['ab cd']],
    [`""`, ['']],
    [`a\\ b`, ['a b']],
    [`"a\\"b"`, ['a"b']],
    [`'a\\b'`, ['a\\b']],
    ['$HOME | x', ['$HOME', '|', 'x']],
  ])('%j', (text, words) => {
    expect(splitArguments(text)).toEqual(words);
  });

  test('a quote that is open is none', () => {
    expect(splitArguments(`"a`)).toBeUndefined();
    expect(splitArguments(`it's`)).toBeUndefined();
  });
});

describe('the list', () => {
  const attention = { at: 1, reason: 'bell' } as const;
  const ended = { at: 1, exit: 0 };

  test('what wants somebody comes first, what has ended last', () => {
    const listed = [entry(4), entry(3, { attention }), entry(2, { ended, attention }), entry(1)];
    const shown = parts(listed).map(({ title, sessions }) => [
      title,
      sessions.map((s) => s.session),
    ]);
    expect(shown).toEqual([
      ['Wants you', [3]],
      ['Running', [4, 1]],
      ['Ended', [2]],
    ]);
  });

  test('parts without sessions are left out', () => {
    expect(parts([])).toEqual([]);
    expect(parts([entry(1)]).map((part) => part.title)).toEqual(['Running']);
  });

  test('each directory once', () => {
    const listed = [
      entry(3, { directory: '/b' }),
      entry(2, { directory: '/a' }),
      entry(1, { directory: '/b' }),
    ];
    expect(recentDirectories(listed, 5)).toEqual(['/b', '/a']);
    expect(recentDirectories(listed, 1)).toEqual(['/b']);
  });
});

describe('the size of a new session', () => {
  test('fits a phone and a wide screen', () => {
    expect(openingSize(360, 780)).toEqual({ columns: 42, rows: 39 });
    expect(openingSize(912, 800).columns).toBeGreaterThan(100);
  });

  test('is never one that a program cannot draw in', () => {
    expect(openingSize(10, 10)).toEqual({ columns: 20, rows: 8 });
    expect(openingSize(1e6, 1e6)).toEqual({ columns: 500, rows: 200 });
  });
});
