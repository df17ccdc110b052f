/** Sizes: of text, and of a terminal that fills a view. */

import type { TerminalSize } from '../protocol/message';

/** Text sizes, in CSS pixels. */
export const SMALLEST_TEXT = 6;
export const LARGEST_TEXT = 32;

/** Sides of a terminal, and its characters in all (protocol.md, section 10). */
const LONGEST_SIDE = 2000;
const MOST_CHARACTERS = 500_000;

export interface Cell {
  /** CSS pixels. */
  readonly width: number;
  readonly height: number;
}

export function boundText(size: number): number {
  const bounded = Math.min(Math.max(size, SMALLEST_TEXT), LARGEST_TEXT);
  return Math.round(bounded * 2) / 2;
}

/**
 * The terminal that fills a view.
 * @param width, height of the view, in CSS pixels
 * @returns a size that the protocol allows
 */
export function sizeToFit(width: number, height: number, cell: Cell): TerminalSize {
  const side = (pixels: number, one: number, least: number) =>
    Math.min(Math.max(Math.floor(pixels / one), least), LONGEST_SIDE);
  const columns = side(width, cell.width, 2);
  const rows = side(height, cell.height, 1);
  return { columns, rows: Math.min(rows, Math.floor(MOST_CHARACTERS / columns)) };
}

/**
 * The text size at which all columns are seen at once.
 * @param cell that of a text of `size` pixels
 */
export function textForWidth(width: number, columns: number, size: number, cell: Cell): number {
  const exact = (width / columns) * (size / cell.width);
  return boundText(Math.floor(exact * 2) / 2);
}
