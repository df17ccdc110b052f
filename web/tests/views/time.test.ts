import { afterEach, expect, test, vi } from 'vitest';
import { ago, countdown, moment, span, words } from '../../src/views/time';

test.each([
  [-5, '0s'],
  [59.9, '59s'],
  [60, '1m'],
  [3_599, '59m'],
  [3_600, '1h'],
  [47 * 3_600, '47h'],
  [48 * 3_600, '2d'],
])('%d s last %s', (seconds, text) => {
  expect(span(seconds)).toBe(text);
});

test('a clock that is ahead is just now', () => {
  expect(ago(100, 90)).toBe('just now');
  expect(ago(100, 101)).toBe('just now');
  expect(ago(100, 103)).toBe('3s ago');
});

test.each([
  [300, '5:00'],
  [299.2, '5:00'],
  [61, '1:01'],
  [9, '0:09'],
  [-1, '0:00'],
])('%d s are left as %s', (seconds, text) => {
  expect(countdown(seconds)).toBe(text);
});

test.each([
  [7_200, '2 hours'],
  [3_600, '1 hour'],
  [86_400, '1 day'],
  [604_800, '7 days'],
  [1_800, '30 minutes'],
  [30, 'less than a minute'],
])('%d s in words: %s', (seconds, text) => {
  expect(words(seconds)).toBe(text);
});

afterEach(() => vi.restoreAllMocks());

/** The reader's own way to write times, whatever this machine's is. */
function writesAs(locale: string): void {
  for (const method of ['toLocaleDateString', 'toLocaleTimeString'] as const) {
    const own = Date.prototype[method];
    vi.spyOn(Date.prototype, method).mockImplementation(function (this: Date, locales, options) {
      expect(locales ?? []).toEqual([]);
      return own.call(this, locale, options);
    });
  }
}

test.each([
  ['en-GB', '00:19', '02/06/2026, 23:20'],
  ['de-DE', '00:19', '2.6.2026, 23:20'],
  ['en-US', '12:19 AM', '6/2/2026, 11:20 PM'],
])('a moment of another day has its day with it: %s', (locale, today, yesterday) => {
  writesAs(locale);
  const now = new Date(2026, 5, 3, 0, 20).getTime();
  const written = (ago: number) => moment(now - ago, now).replaceAll('\u202f', ' ');
  expect(written(60_000)).toBe(today);
  expect(written(3_600_000)).toBe(yesterday);
});
