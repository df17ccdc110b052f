import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  deepest,
  distance,
  type Extent,
  placeAt,
  reveal,
  revealInLine,
  tallest,
  widest,
} from '../../src/terminal/pan';

const PHONE: Extent = {
  cellWidth: 8,
  cellHeight: 16,
  columns: 120,
  rows: 40,
  viewWidth: 360,
  viewHeight: 400,
  history: 100,
};

test('what sticks out', () => {
  expect(widest(PHONE)).toBe(600);
  expect(tallest(PHONE)).toBe(240);
  expect(deepest(PHONE)).toBe(1840);
  expect(widest({ ...PHONE, columns: 10 })).toBe(0);
});

describe('places', () => {
  test('the bottom is the last line, shifted as far as the screen sticks out', () => {
    expect(placeAt(PHONE, 0, deepest(PHONE))).toEqual({ line: 100, left: 0, top: 240 });
  });

  test('up from there the screen moves first, then history comes line by line', () => {
    expect(placeAt(PHONE, 0, 1610)).toEqual({ line: 100, left: 0, top: 10 });
    expect(placeAt(PHONE, 0, 1590)).toEqual({ line: 99, left: 0, top: 6 });
  });

  test('a view that shows the whole screen moves by lines', () => {
    const roomy = { ...PHONE, viewHeight: 700 };
    expect(placeAt(roomy, 0, 7)).toEqual({ line: 0, left: 0, top: 0 });
    expect(placeAt(roomy, 0, 9)).toEqual({ line: 1, left: 0, top: 0 });
  });

  test('every place is in range, and one that moves by pixels is where it was asked for', () => {
    const side = fc.integer({ min: 1, max: 300 });
    const pixels = fc.integer({ min: -5000, max: 50_000 });
    fc.assert(
      fc.property(
        side,
        side,
        side,
        side,
        fc.nat(500),
        pixels,
        pixels,
        (c, r, w, h, history, x, y) => {
          const extent = {
            cellWidth: 8,
            cellHeight: 16,
            columns: c,
            rows: r,
            viewWidth: w * 4,
            viewHeight: h * 4,
            history,
          };
          const place = placeAt(extent, x, y);
          expect(place.line).toBeGreaterThanOrEqual(0);
          expect(place.line).toBeLessThanOrEqual(history);
          expect(place.left).toBeGreaterThanOrEqual(0);
          expect(place.left).toBeLessThanOrEqual(widest(extent));
          expect(place.top).toBeGreaterThanOrEqual(0);
          expect(place.top).toBeLessThanOrEqual(tallest(extent));
          if (tallest(extent) >= extent.cellHeight && y >= 0 && y <= deepest(extent)) {
            expect(distance(extent, place)).toBe(y);
          }
        },
      ),
    );
  });
});

describe('revealing', () => {
  test('what is in sight does not move', () => {
    expect(reveal(100, 200, 16, 400, 1000, 16)).toBe(100);
  });

  test('moves as little as it takes, with a margin', () => {
    expect(reveal(0, 500, 16, 400, 1000, 16)).toBe(132);
    expect(reveal(300, 200, 16, 400, 1000, 16)).toBe(184);
  });

  test('stays in range, and drops the margin where there is no room', () => {
    expect(reveal(0, 980, 16, 400, 596, 16)).toBe(596);
    expect(reveal(500, 0, 16, 400, 596, 16)).toBe(0);
    expect(reveal(0, 32, 16, 16, 100, 16)).toBe(32);
  });

  test('in a line, what is seen from its beginning is seen from there', () => {
    expect(revealInLine(100, 368, 16, 400, 1000, 16)).toBe(0);
    expect(revealInLine(100, 369, 16, 400, 1000, 16)).toBe(100);
    expect(revealInLine(0, 500, 16, 400, 1000, 16)).toBe(132);
  });
});
