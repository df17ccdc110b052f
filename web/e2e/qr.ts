/** Reads QR codes as a camera does: from a picture of a terminal, or of a page. */

import jsqr from 'jsqr';
import type { Picture } from './png';
import type { Cell } from './terminal';

// jsqr is CommonJS: what Node takes for its default export depends on who loads it.
const read = typeof jsqr === 'function' ? jsqr : (jsqr as { default: typeof jsqr }).default;

/** Pixels for each half of a cell, in both directions. */
const SCALE = 4;
const BLACK = 16;

/** A picture of a terminal, of its blocks alone: all other characters stay paper. */
export function terminalPicture(cells: readonly (readonly Cell[])[]): Picture {
  const columns = Math.max(0, ...cells.map((row) => row.length));
  const width = columns * SCALE;
  const height = cells.length * 2 * SCALE;
  const pixels = new Uint8ClampedArray(width * height * 4).fill(255);
  cells.forEach((row, y) => {
    row.forEach((cell, x) => {
      const [top, bottom] = halves(cell);
      if (top) fill(pixels, width, x, 2 * y);
      if (bottom) fill(pixels, width, x, 2 * y + 1);
    });
  });
  return { width, height, pixels };
}

/** The text of the QR in a picture, if there is one. */
export function readQr({ width, height, pixels }: Picture): string | undefined {
  return read(pixels, width, height)?.data;
}

/** Whether the upper and the lower half of a cell are black. */
function halves(cell: Cell): [boolean, boolean] {
  const ink = cell.foreground === BLACK;
  const paper = cell.background === BLACK;
  if (cell.character === '▀') return [ink, paper];
  if (cell.character === '▄') return [paper, ink];
  if (cell.character === '█') return [ink, ink];
  return [paper, paper];
}

function fill(pixels: Uint8ClampedArray, width: number, column: number, line: number): void {
  for (let y = line * SCALE; y < (line + 1) * SCALE; y += 1) {
    for (let x = column * SCALE; x < (column + 1) * SCALE; x += 1) {
      pixels.fill(0, (y * width + x) * 4, (y * width + x) * 4 + 3);
    }
  }
}
