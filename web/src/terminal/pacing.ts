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
  paceSelection(service, core._selectionService, isRushing);
  const syncTextArea = core._syncTextArea;
  const field = new WithFrames(service, isRushing, () => syncTextArea.call(core));
  core._syncTextArea = () => field.act();
  return paceFrames(service._renderDebouncer, isRushing);
}

/** A frame that draws nothing costs nearly as much as one that does, so none is asked for. */
function paceFrames(debouncer: Debouncer, isRushing: () => boolean): () => void {
  const refresh = debouncer._innerRefresh;
  let drawnAt = Number.NEGATIVE_INFINITY;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const ask = () => {
    clearTimeout(timer);
    // Else the terminal is disposed of, or something was drawn.
    if (debouncer._animationFrame !== PUT_OFF) return;
    debouncer._animationFrame = requestAnimationFrame(() => debouncer._innerRefresh());
  };
  debouncer._innerRefresh = () => {
    const now = performance.now();
    const early = drawnAt + RUSHING_FRAME - now;
    if (isRushing() && early > 0) {
      debouncer._animationFrame = PUT_OFF;
      timer = setTimeout(ask, early);
      return;
    }
    drawnAt = now;
    refresh.call(debouncer);
  };
  return ask;
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

/** What is selected moves with the lines. Each of them asks for a frame, also where nothing is. */
function paceSelection(
  service: RenderService,
  selection: SelectionService,
  isRushing: () => boolean,
): void {
  const { refresh } = selection;
  const withFrames = new WithFrames(service, isRushing, () => selection._refresh());
  selection.refresh = (byMouse) => {
    if (byMouse || !isRushing()) refresh.call(selection, byMouse);
    else withFrames.act();
  };
}
