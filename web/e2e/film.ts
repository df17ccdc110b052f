/** Films for a camera that Chromium makes up, in the form that it takes (YUV4MPEG2). */

import type { Picture } from './png';

/** The room around a picture, in pixels: what a camera sees beside a QR. */
const MARGIN = 40;

/** One grey frame of a picture, which Chromium shows again and again. */
export function film({ width, height, pixels }: Picture): Buffer {
  const [wide, high] = [even(width + 2 * MARGIN), even(height + 2 * MARGIN)];
  const luma = Buffer.alloc(wide * high, 255);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      luma[(y + MARGIN) * wide + x + MARGIN] = pixels[(y * width + x) * 4] ?? 255;
    }
  }
  const colour = Buffer.alloc((wide * high) / 2, 128);
  const head = Buffer.from(`YUV4MPEG2 W${wide} H${high} F10:1 Ip A1:1 C420jpeg\nFRAME\n`);
  return Buffer.concat([head, luma, colour]);
}

function even(length: number): number {
  return length + (length % 2);
}
