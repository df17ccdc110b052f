import fc from 'fast-check';
import { expect, test } from 'vitest';
import { boundText, sizeToFit, textForWidth } from '../../src/terminal/fitting';

test('as many whole cells as there is room for', () => {
  expect(sizeToFit(360, 640, { width: 8.43, height: 17 })).toEqual({ columns: 42, rows: 37 });
});

test('every size is one that the protocol allows', () => {
  const side = fc.integer({ min: 0, max: 100_000 });
  const cell = fc.double({ min: 0.5, max: 40, noNaN: true });
  fc.assert(
    fc.property(side, side, cell, cell, (w, h, width, height) => {
      const { columns, rows } = sizeToFit(w, h, { width, height });
      for (const one of [columns, rows]) {
        expect(Number.isInteger(one) && one >= 1 && one <= 2000).toBe(true);
      }
      expect(columns * rows).toBeLessThanOrEqual(500_000);
    }),
  );
});

test('text sizes are halves within bounds', () => {
  expect(boundText(13.3)).toBe(13.5);
  expect(boundText(1)).toBe(6);
  expect(boundText(99)).toBe(32);
});

test('the text at which all columns fit does not overflow', () => {
  expect(textForWidth(360, 45, 14, { width: 8, height: 16 })).toBe(14);
  expect(textForWidth(360, 80, 14, { width: 8, height: 16 })).toBe(7.5);
  expect(textForWidth(360, 400, 14, { width: 8, height: 16 })).toBe(6);
});
