import { encode } from 'uqr';
import { expect, test } from 'vitest';
import { fitted, readPixels } from '../../src/views/qr-read';

const LINK =
  'http://192.168.1.20:8400/#K7QM3FBR9TZX8FFHQW4SN30XFRNR1FPPJABXN7K38ZJ4J7YDJZPN5J0BFTMNMS6G';

/** A QR as a picture: `scale` pixels a module, each of which `paint` may change. */
function picture(
  text: string,
  scale: number,
  paint = (value: number, _x: number, _y: number) => value,
) {
  const { data: modules, size } = encode(text, { border: 4 });
  const width = size * scale;
  const data = new Uint8ClampedArray(width * width * 4);
  for (let y = 0; y < width; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const black = modules[Math.floor(y / scale)]?.[Math.floor(x / scale)];
      data.set([...Array(3).fill(paint(black ? 0 : 255, x, y)), 255], (y * width + x) * 4);
    }
  }
  return { data, width, height: width };
}

test('reads a pairing link', async () => {
  expect(await readPixels(picture(LINK, 4))).toBe(LINK);
});

test('reads a pale one under uneven light', async () => {
  const photo = picture(LINK, 5, (value, x) => 60 + value * 0.4 + x * 0.15);
  expect(await readPixels(photo)).toBe(LINK);
});

test('a picture without a QR gives nothing', async () => {
  expect(await readPixels(picture(LINK, 4, () => 200))).toBeUndefined();
});

test('large pictures are scaled down in proportion, small ones stay', () => {
  expect(fitted(4000, 3000, 1600)).toEqual([1600, 1200]);
  expect(fitted(640, 480, 1600)).toEqual([640, 480]);
  expect(fitted(10_000, 1, 1600)).toEqual([1600, 1]);
});
