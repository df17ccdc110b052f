import { expect, test } from 'vitest';
import { DOUBLE_TAP, modifiers, NOTHING_HELD, spend, tap } from '../../src/terminal/sticky';

const LATER = DOUBLE_TAP + 1;

test('one tap holds for one key', () => {
  const held = tap(NOTHING_HELD, 'ctrl', Number.POSITIVE_INFINITY);
  expect(held).toEqual({ ctrl: 'once', alt: 'off' });
  expect(modifiers(held)).toEqual({ ctrl: true, alt: false });
  expect(spend(held)).toEqual(NOTHING_HELD);
});

test('a double tap locks until the next tap', () => {
  const once = tap(NOTHING_HELD, 'alt', LATER);
  const locked = tap(once, 'alt', DOUBLE_TAP);
  expect(locked.alt).toBe('locked');
  expect(spend(spend(locked)).alt).toBe('locked');
  expect(tap(locked, 'alt', DOUBLE_TAP)).toEqual(NOTHING_HELD);
});

test('a slow second tap lets go', () => {
  expect(tap(tap(NOTHING_HELD, 'ctrl', LATER), 'ctrl', LATER)).toEqual(NOTHING_HELD);
});

test('both are held together, and only what was held once is spent', () => {
  const locked = tap(tap(NOTHING_HELD, 'ctrl', LATER), 'ctrl', 100);
  const both = tap(locked, 'alt', LATER);
  expect(modifiers(both)).toEqual({ ctrl: true, alt: true });
  expect(spend(both)).toEqual({ ctrl: 'locked', alt: 'off' });
});
