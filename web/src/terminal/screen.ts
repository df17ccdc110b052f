/** A session's terminal in its view: shown, moved, zoomed and sized. */

import type { TerminalSize } from '../protocol/message';
import { boundText, sizeToFit, textForWidth } from './fitting';
import { Panner } from './panner';
import { type Shortcut, takeShortcuts } from './shortcuts';
import type { SessionTerminal } from './terminal';
import { Fingers } from './touch';
import { Scroller } from './wheel';

/** Milliseconds for which a view must rest before its size counts. */
const REST = 200;

export interface ScreenEvents {
  /** Text was zoomed with fingers. */
  textSized(pixels: number): void;
  /** A finger rested on the terminal. */
  held(): void;
  /** The view, or the text in it, has another size, and has rested. */
  viewed(): void;
  /**
   * The view left the end of the output, or came back to it.
   * @param fresh whether output came meanwhile; told once
   */
  away(away: boolean, fresh: boolean): void;
  shortcut(shortcut: Shortcut): boolean;
}

export class Screen {
  readonly #terminal: SessionTerminal;
  readonly #view: HTMLElement;
  readonly #panner: Panner;
  readonly #fingers: Fingers;
  readonly #observer: ResizeObserver;
  readonly #abort = new AbortController();
  readonly #events: ScreenEvents;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #zoomFrom = 0;
  #away = false;
  #fresh = false;

  /**
   * @param view clips what is larger than it
   * @param body in `view`; the terminal is opened in it
   */
  constructor(
    terminal: SessionTerminal,
    view: HTMLElement,
    body: HTMLElement,
    events: ScreenEvents,
  ) {
    this.#terminal = terminal;
    this.#view = view;
    this.#events = events;
    const { xterm } = terminal;
    this.#panner = new Panner(xterm, view, body, (away) => this.#leave(away));
    const scroller = new Scroller(xterm, this.#panner);
    this.#fingers = new Fingers(view, {
      drag: (x, y, at) => scroller.drag(x, y, at),
      pinchStart: () => {
        this.#zoomFrom = terminal.textSize;
      },
      pinch: (factor) => this.#zoom(this.#zoomFrom * factor),
      hold: () => events.held(),
      calm: () => matchMedia('(prefers-reduced-motion: reduce)').matches,
    });
    const capture = { capture: true, signal: this.#abort.signal };
    const wheel = (event: WheelEvent) => this.#wheel(event, scroller);
    view.addEventListener('wheel', wheel, { ...capture, passive: false });
    view.addEventListener('contextmenu', (event) => this.#contextMenu(event), capture);
    view.addEventListener('input', () => this.follow(), capture);
    xterm.onKey(() => this.follow());
    xterm.onWriteParsed(() => this.#wrote());
    takeShortcuts(xterm, (shortcut) => events.shortcut(shortcut));
    this.#observer = new ResizeObserver(() => this.#viewed());
    this.#observer.observe(view);
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#abort.abort();
    this.#observer.disconnect();
    this.#fingers.dispose();
    this.#panner.dispose();
  }

  /** The size of a terminal that fills the view. */
  get fitting(): TerminalSize {
    return sizeToFit(this.#view.clientWidth, this.#view.clientHeight, this.#terminal.cell);
  }

  /** The text size at which the terminal is as wide as the view. */
  get wholeWidthText(): number {
    const { xterm, textSize, cell } = this.#terminal;
    return textForWidth(this.#view.clientWidth, xterm.cols, textSize, cell);
  }

  /** The size of the text, in CSS pixels. */
  get text(): number {
    return this.#terminal.textSize;
  }

  set text(pixels: number) {
    this.#terminal.textSize = pixels;
    this.#viewed();
  }

  /** Goes to the cursor: something was typed, or the end is asked for. */
  follow(): void {
    this.#fingers.rest();
    this.#panner.follow();
  }

  #leave(away: boolean): void {
    if (away === this.#away) return;
    this.#away = away;
    this.#fresh = false;
    this.#events.away(away, false);
  }

  #wrote(): void {
    if (!this.#away || this.#fresh) return;
    this.#fresh = true;
    this.#events.away(true, true);
  }

  #zoom(pixels: number): void {
    const size = boundText(pixels);
    if (size === this.#terminal.textSize) return;
    this.text = size;
    this.#events.textSized(size);
  }

  #wheel(event: WheelEvent, scroller: Scroller): void {
    // What the scroller sends to the program is not the user's own.
    if (!event.isTrusted) return;
    if (event.ctrlKey) {
      this.#zoom(this.#terminal.textSize - Math.sign(event.deltaY));
    } else if (!scroller.wheel(event)) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** Touch has its own way to select; a menu would come on top of it. */
  #contextMenu(event: Event): void {
    if (!matchMedia('(pointer: coarse)').matches) return;
    event.preventDefault();
    event.stopPropagation();
  }

  #viewed(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#events.viewed(), REST);
  }
}
