/**
 * Moves a terminal in its view: by hand, and after the cursor. The view clips; the terminal, at its
 * own size, is shifted in it, and scrolls through its history by lines.
 */

import type { IDisposable, Terminal } from '@xterm/xterm';
import {
  distance,
  type Extent,
  type Place,
  placeAt,
  reveal,
  revealInLine,
  tallest,
  widest,
} from './pan';

/** Columns and rows to be seen around the cursor. */
const MARGIN_COLUMNS = 4;
const MARGIN_ROWS = 1;

type Measured = Pick<Extent, 'cellWidth' | 'cellHeight' | 'viewWidth' | 'viewHeight'>;

export class Panner {
  readonly #terminal: Terminal;
  readonly #view: HTMLElement;
  readonly #body: HTMLElement;
  readonly #moved: (away: boolean) => void;
  readonly #held: IDisposable[];
  readonly #observer: ResizeObserver;
  /** Sizes as they were measured last; undefined: one of them has changed. */
  #measured: Measured | undefined;
  #left = 0;
  #top = 0;
  /** Whether the view goes after the cursor: until a hand moves it away. */
  #following = true;
  #sideways = false;

  /**
   * @param view clips `body`
   * @param body holds the opened terminal
   * @param moved is told, often, whether the view is away from the cursor
   */
  constructor(
    terminal: Terminal,
    view: HTMLElement,
    body: HTMLElement,
    moved: (away: boolean) => void,
  ) {
    this.#terminal = terminal;
    this.#view = view;
    this.#body = body;
    this.#moved = moved;
    const changed = () => {
      this.#measured = undefined;
      this.#settle();
    };
    this.#held = [terminal.onRender(() => this.#settle()), terminal.onResize(changed)];
    this.#observer = new ResizeObserver(changed);
    this.#observer.observe(view);
    const screen = terminal.element?.querySelector('.xterm-screen');
    if (screen) this.#observer.observe(screen);
  }

  get extent(): Extent {
    const { cols: columns, rows } = this.#terminal;
    this.#measured ??= this.#measure();
    return { ...this.#measured, columns, rows, history: this.#terminal.buffer.active.baseY };
  }

  /** Measures what is kept for every frame: it makes the browser lay the page out at once. */
  #measure(): Measured {
    const screen = this.#terminal.element?.querySelector('.xterm-screen');
    const { cols, rows } = this.#terminal;
    return {
      cellWidth: (screen?.clientWidth ?? cols) / cols,
      cellHeight: (screen?.clientHeight ?? rows) / rows,
      viewWidth: this.#view.clientWidth,
      viewHeight: this.#view.clientHeight,
    };
  }

  /**
   * Moves what is seen by so many pixels, as a finger or a wheel does.
   * @returns how many pixels down were left over, beyond the first or the last line
   */
  move(x: number, y: number): number {
    const extent = this.extent;
    const wanted = distance(extent, this.#place(extent)) + y;
    const place = placeAt(extent, this.#left + x, wanted);
    this.#apply(place);
    this.#following = this.#seesCursor(extent);
    this.#tell();
    if (x !== 0) this.#sideways = false;
    return wanted - distance(extent, place);
  }

  /** Goes to the cursor: something was typed. */
  follow(): void {
    this.#following = true;
    this.#sideways = true;
    const { active } = this.#terminal.buffer;
    if (active.viewportY < active.baseY) this.#terminal.scrollToBottom();
    this.#settle();
  }

  dispose(): void {
    this.#observer.disconnect();
    for (const one of this.#held) one.dispose();
  }

  #place(extent: Extent): Place {
    return {
      line: this.#terminal.buffer.active.viewportY,
      left: Math.min(this.#left, widest(extent)),
      top: Math.min(this.#top, tallest(extent)),
    };
  }

  #seesCursor(extent: Extent): boolean {
    const { active } = this.#terminal.buffer;
    if (active.viewportY < active.baseY) return false;
    const y = active.cursorY * extent.cellHeight - this.#top;
    return y >= -1 && y + extent.cellHeight <= extent.viewHeight + 1;
  }

  /** Brings the view back into range, and to the cursor while it follows it. */
  #settle(): void {
    const extent = this.extent;
    let { line, left, top } = this.#place(extent);
    const { cursorX, cursorY } = this.#terminal.buffer.active;
    const { cellWidth, cellHeight, viewWidth, viewHeight } = extent;
    if (this.#following && line >= extent.history) {
      const most = tallest(extent);
      const margin = MARGIN_ROWS * cellHeight;
      top = reveal(top, cursorY * cellHeight, cellHeight, viewHeight, most, margin);
    }
    if (this.#sideways) {
      const most = widest(extent);
      const margin = MARGIN_COLUMNS * cellWidth;
      const column = Math.min(cursorX, extent.columns - 1);
      left = revealInLine(left, column * cellWidth, cellWidth, viewWidth, most, margin);
    }
    this.#apply({ line, left, top });
    this.#tell();
  }

  #tell(): void {
    const { viewportY, baseY } = this.#terminal.buffer.active;
    this.#moved(!this.#following || viewportY < baseY);
  }

  #apply(place: Place): void {
    const { viewportY } = this.#terminal.buffer.active;
    if (place.line !== viewportY) this.#terminal.scrollLines(place.line - viewportY);
    if (place.left === this.#left && place.top === this.#top) return;
    this.#left = place.left;
    this.#top = place.top;
    // Whole device pixels keep the text sharp.
    const ratio = window.devicePixelRatio;
    const sharp = (pixels: number) => Math.round(pixels * ratio) / ratio;
    this.#body.style.transform = `translate(${-sharp(place.left)}px, ${-sharp(place.top)}px)`;
  }
}
