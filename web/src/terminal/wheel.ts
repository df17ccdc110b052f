/** What moves a terminal: what is seen first, then what the program shows. */

import type { Terminal } from '@xterm/xterm';
import type { Panner } from './panner';

/** Whether the program takes the wheel itself: it asked for the mouse, or has no history. */
export function programScrolls(terminal: Terminal): boolean {
  const { mouseTrackingMode } = terminal.modes;
  const asked = mouseTrackingMode !== 'none' && mouseTrackingMode !== 'x10';
  return asked || terminal.buffer.active.type === 'alternate';
}

export class Scroller {
  readonly #terminal: Terminal;
  readonly #panner: Panner;
  /** Pixels that make no line yet. */
  #rest = 0;

  constructor(terminal: Terminal, panner: Panner) {
    this.#terminal = terminal;
    this.#panner = panner;
  }

  /** Moves by pixels as a finger does: what is dragged down comes down. */
  drag(x: number, y: number, at: { clientX: number; clientY: number }): void {
    const over = this.#panner.move(-x, -y);
    if (!programScrolls(this.#terminal)) {
      this.#rest = this.#panner.extent.history > 0 ? this.#carry(over) : 0;
      return;
    }
    this.#rest += over;
    const { cellHeight } = this.#panner.extent;
    const lines = Math.trunc(this.#rest / cellHeight);
    this.#rest -= lines * cellHeight;
    for (let line = 0; line < Math.abs(lines); line++) this.#turn(Math.sign(lines), at);
  }

  /**
   * A wheel's turn, where the terminal is larger than its view.
   * @returns whether it was used up here; else it is the terminal's
   */
  wheel(event: WheelEvent): boolean {
    const { extent } = this.#panner;
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? extent.cellHeight : 1;
    if (sideways) {
      this.#panner.move((event.deltaX || event.deltaY) * unit, 0);
      return true;
    }
    if (extent.rows * extent.cellHeight <= extent.viewHeight) return false;
    const over = this.#panner.move(0, event.deltaY * unit);
    return !programScrolls(this.#terminal) || over !== event.deltaY * unit;
  }

  /** A slow drag moves less than a line at a time: what is left over counts the next time. */
  #carry(over: number): number {
    const { cellHeight } = this.#panner.extent;
    return Math.abs(over) < cellHeight ? over : 0;
  }

  /** One line of the wheel to the program, as the terminal itself sends it. */
  #turn(deltaY: number, at: { clientX: number; clientY: number }): void {
    const { clientX, clientY } = at;
    const deltaMode = WheelEvent.DOM_DELTA_LINE;
    const init = { deltaY, deltaMode, clientX, clientY, bubbles: true, cancelable: true };
    this.#terminal.element?.dispatchEvent(new WheelEvent('wheel', init));
  }
}
