/** A terminal's text as plain text: lines that were broken for width are whole again. */

import type { IBuffer, Terminal } from '@xterm/xterm';

/** More rows than this, counted from the last, are not put into a page. */
export const MOST_ROWS = 3000;

function text(buffer: IBuffer, first: number, end: number): string {
  const lines: string[] = [];
  for (let row = first; row < end; row++) {
    const line = buffer.getLine(row);
    if (!line) continue;
    const wraps = buffer.getLine(row + 1)?.isWrapped === true;
    const part = line.translateToString(!wraps);
    if (line.isWrapped && lines.length > 0) lines[lines.length - 1] += part;
    else lines.push(part);
  }
  return lines.join('\n').trimEnd();
}

export interface ScreenText {
  /** What has scrolled off, as far as `MOST_ROWS` goes. */
  readonly history: string;
  readonly screen: string;
}

/** What is on the screen, and what has scrolled off it. */
export function screenText(terminal: Terminal): ScreenText {
  const buffer = terminal.buffer.active;
  const first = Math.max(0, buffer.length - MOST_ROWS);
  return {
    history: text(buffer, first, buffer.baseY),
    screen: text(buffer, buffer.baseY, buffer.length),
  };
}
