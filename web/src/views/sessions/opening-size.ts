/** The size that a session is opened with here: about what its terminal will show on this screen. */

import type { TerminalSize } from '../../protocol/message';

/** A character's cell at the terminal's usual text size, in CSS pixels. */
const CELL_WIDTH = 8.43;
const CELL_HEIGHT = 17;
/** What stands above and below the terminal, in CSS pixels. */
const BARS = 108;

/**
 * Estimates the size for a place of so many CSS pixels; at least 20 by 8, so that a program never
 * starts in a terminal that it cannot draw in.
 */
export function openingSize(width: number, height: number): TerminalSize {
  return {
    columns: Math.min(500, Math.max(20, Math.floor(width / CELL_WIDTH))),
    rows: Math.min(200, Math.max(8, Math.floor((height - BARS) / CELL_HEIGHT))),
  };
}
