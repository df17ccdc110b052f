/**
 * Draws less often while output rushes by: nobody reads it, and each frame takes from the time in
 * which it is parsed. Like the corrections this reaches into xterm.js 6.0.0 by names that are not
 * its interface; a test fails when they change.
 */

import type { Terminal } from '@xterm/xterm';

/** The least time between two frames of output that rushes by, in milliseconds. */
export const RUSHING_FRAME = 50;

interface Debouncer {
  _animationFrame: number | undefined;
  _innerRefresh(): void;
}

interface Internals {
  readonly _renderService: {
    readonly _renderDebouncer: Debouncer;
    addRefreshCallback(callback: () => void): number;
  };
  readonly _viewport: Viewport;
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
 */
export function paceDrawing(terminal: Terminal, isRushing: () => boolean): void {
  const { _renderService, _viewport } = (terminal as unknown as { _core: Internals })._core;
  paceFrames(_renderService._renderDebouncer, isRushing);
  paceScrollbar(_renderService, _viewport, isRushing);
}

function paceFrames(debouncer: Debouncer, isRushing: () => boolean): void {
  const refresh = debouncer._innerRefresh;
  let drawnAt = Number.NEGATIVE_INFINITY;
  debouncer._innerRefresh = () => {
    const now = performance.now();
    if (isRushing() && now - drawnAt < RUSHING_FRAME) {
      debouncer._animationFrame = requestAnimationFrame(() => debouncer._innerRefresh());
      return;
    }
    drawnAt = now;
    refresh.call(debouncer);
  };
}

/**
 * The scrollbar goes with the rows, and not with each line that scrolls off. Whoever scrolls does so
 * by what it says: then it is right first.
 */
function paceScrollbar(
  service: Internals['_renderService'],
  viewport: Viewport,
  isRushing: () => boolean,
): void {
  const { _sync, scrollLines, scrollToLine } = viewport;
  let due = false;
  const settle = () => {
    if (!due) return;
    due = false;
    _sync.call(viewport);
  };
  viewport._sync = (line) => {
    if (!isRushing()) {
      due = false;
      return _sync.call(viewport, line);
    }
    if (due) return;
    due = true;
    service.addRefreshCallback(settle);
  };
  viewport.scrollLines = (lines) => {
    settle();
    scrollLines.call(viewport, lines);
  };
  viewport.scrollToLine = (line, disableSmoothScroll) => {
    settle();
    scrollToLine.call(viewport, line, disableSmoothScroll);
  };
}
