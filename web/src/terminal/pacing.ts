/**
 * Draws less often while output rushes by: nobody reads it, and each frame takes from the time in
 * which it is parsed. The scrollbar, the selection and the field that takes keys move with what is
 * drawn. Like the corrections this reaches into xterm.js 6.0.0 by names that are not its interface; a
 * test fails when they change.
 */

import type { Terminal } from '@xterm/xterm';

/** The least time between two frames of output that rushes by, in milliseconds. */
export const RUSHING_FRAME = 50;

/** Stands for a frame that is not asked for yet: no browser gives one this number. */
const PUT_OFF = -1;

interface Debouncer {
  _animationFrame: number | undefined;
  _innerRefresh(): void;
}

interface RenderService {
  readonly _renderDebouncer: Debouncer;
  /** Heard when the terminal or its text has another size, which empties the picture. */
  onDimensionsChange(hear: () => void): unknown;
  addRefreshCallback(callback: () => void): number;
}

interface Internals {
  readonly _renderService: RenderService;
  readonly _viewport: Viewport;
  readonly _selectionService: SelectionService;
  _syncTextArea(): void;
}

interface SelectionService {
  refresh(byMouse?: boolean): void;
  _refresh(): void;
}

interface Viewport {
  _sync(line?: number): void;
  scrollLines(lines: number): void;
  scrollToLine(line: number, disableSmoothScroll?: boolean): void;
}

/**
 * Paces an opened terminal.
 *
 * @param isRushing whether more waits to be parsed than can be seen
 * @returns to be called when it rushes no more: what was put off is drawn with the next frame
 */
export function paceDrawing(terminal: Terminal, isRushing: () => boolean): () => void {
  const core = (terminal as unknown as { _core: Internals })._core;
  const service = core._renderService;
  paceScrollbar(service, core._viewport, isRushing);
  const syncTextArea = core._syncTextArea;
  const field = new WithFrames(service, isRushing, () => syncTextArea.call(core));
  core._syncTextArea = () => field.act();
  const isHeldBack = () => terminal.modes.synchronizedOutputMode;
  const settle = paceSelection(service, core._selectionService, isRushing, isHeldBack);
  const frames = new Frames(service._renderDebouncer, isRushing, settle);
  terminal.onRender(() => frames.drawn());
  service.onDimensionsChange(() => frames.soon());
  return () => frames.ask();
}

/** A frame that draws nothing costs nearly as much as one that does, so none is asked for. */
class Frames {
  #drawnAt = Number.NEGATIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param before what is to be done before a frame is drawn */
  constructor(
    private readonly debouncer: Debouncer,
    private readonly isRushing: () => boolean,
    before: () => void,
  ) {
    const refresh = debouncer._innerRefresh;
    debouncer._innerRefresh = () => {
      if (this.#putOff()) return;
      before();
      refresh.call(debouncer);
      this.#putOff();
    };
  }

  /** Rows were drawn. In synchronized output none are, and their frame is no frame. */
  drawn(): void {
    this.#drawnAt = performance.now();
  }

  /** The next frame is not put off. */
  soon(): void {
    this.#drawnAt = Number.NEGATIVE_INFINITY;
    this.ask();
  }

  /** Asks for the frame that was put off, if one is. A terminal that is disposed of has none. */
  ask(): void {
    clearTimeout(this.#timer);
    const { debouncer } = this;
    if (debouncer._animationFrame !== PUT_OFF) return;
    debouncer._animationFrame = requestAnimationFrame(() => debouncer._innerRefresh());
  }

  /** Puts the next frame off, if it would come too early. */
  #putOff(): boolean {
    const early = this.#drawnAt + RUSHING_FRAME - performance.now();
    if (!this.isRushing() || early <= 0) return false;
    const { debouncer } = this;
    if (debouncer._animationFrame !== undefined) cancelAnimationFrame(debouncer._animationFrame);
    debouncer._animationFrame = PUT_OFF;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.ask(), early);
    return true;
  }
}

/** What is done at once, or with the frames of what rushes by. */
class WithFrames {
  #due = false;

  constructor(
    private readonly service: RenderService,
    private readonly isRushing: () => boolean,
    private readonly now: (line?: number) => void,
  ) {}

  act(line?: number): void {
    if (!this.isRushing()) {
      this.#due = false;
      this.now(line);
    } else if (!this.#due) {
      this.#due = true;
      this.service.addRefreshCallback(() => this.settle());
    }
  }

  /** Does what was put off. */
  settle(): void {
    if (!this.#due) return;
    this.#due = false;
    this.now();
  }
}

/**
 * The scrollbar goes with the rows, and not with each line that scrolls off. Whoever scrolls does so
 * by what it says: then it is right first.
 */
function paceScrollbar(service: RenderService, viewport: Viewport, isRushing: () => boolean): void {
  const { _sync, scrollLines, scrollToLine } = viewport;
  const scrollbar = new WithFrames(service, isRushing, (line) => _sync.call(viewport, line));
  viewport._sync = (line) => scrollbar.act(line);
  viewport.scrollLines = (lines) => {
    scrollbar.settle();
    scrollLines.call(viewport, lines);
  };
  viewport.scrollToLine = (line, disableSmoothScroll) => {
    scrollbar.settle();
    scrollToLine.call(viewport, line, disableSmoothScroll);
  };
}

/**
 * What is selected moves with the lines, and each that scrolls off asks for a frame for it, also
 * where nothing is selected.
 *
 * @param isHeldBack whether a program prints what is to be shown in one piece: none of its rows are
 *   to be drawn for a selection either
 * @returns moves it; to be called before rows are drawn
 */
function paceSelection(
  service: RenderService,
  selection: SelectionService,
  isRushing: () => boolean,
  isHeldBack: () => boolean,
): () => void {
  const { refresh } = selection;
  let due = false;
  const settle = () => {
    if (!due || isHeldBack()) return;
    due = false;
    selection._refresh();
  };
  selection.refresh = (byMouse) => {
    if (byMouse || !isRushing()) return refresh.call(selection, byMouse);
    if (due) return;
    due = true;
    service.addRefreshCallback(settle);
  };
  return settle;
}
