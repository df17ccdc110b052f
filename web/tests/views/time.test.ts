import { expect, test } from 'vitest';
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

test('a moment of another day has its day with it', () => {
  const now = new Date(2026, 5, 3, 0, 20).getTime();
  expect(moment(now - 60_000, now)).toMatch(/^\D*12:19\D*$|^0?0:19$/);
  expect(moment(now - 3_600_000, now)).toMatch(/2026.*, .*:20/);
});
