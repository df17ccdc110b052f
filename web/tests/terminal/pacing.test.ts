import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Terminal } from '@xterm/xterm';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BURST, CALM_AFTER, Feed, HIGH_WATER } from '../../src/terminal/feed';
import { paceDrawing, RUSHING_FRAME } from '../../src/terminal/pacing';

/** Milliseconds between two frames of the screen. */
const FRAME = 16;

/** What is reached into, as xterm.js has it: a frame that is asked for refreshes once. */
class Parts {
  drawn = 0;
  synced: (number | undefined)[] = [];
  /** How often the field was moved to the cursor. */
  moved = 0;
  /** How often the scrollbar was set by then, and where to. */
  scrolled: [number, number][] = [];
  readonly callbacks: (() => void)[] = [];
  /** Whether a program prints what is to be shown in one piece (DEC mode 2026). */
  synchronized = false;
  /** What was done, in order, for a selection and for rows. */
  readonly steps: string[] = [];
  resized = () => {};
  #rendered = () => {};
  readonly _renderService = {
    _renderDebouncer: {
      _animationFrame: undefined as number | undefined,
      _innerRefresh: () => {
        this._renderService._renderDebouncer._animationFrame = undefined;
        if (!this.synchronized) {
          this.drawn += 1;
          this.steps.push('rows');
          this.#rendered();
        }
        for (const callback of this.callbacks.splice(0)) callback();
      },
    },
    onDimensionsChange: (hear: () => void) => {
      this.resized = hear;
    },
    addRefreshCallback: (callback: () => void) => {
      this.callbacks.push(callback);
      this.refresh();
    },
  };
  readonly _viewport = {
    _sync: (line?: number) => {
      this.synced.push(line);
    },
    scrollLines: (lines: number) => {
      this.scrolled.push([this.synced.length, lines]);
    },
    scrollToLine: (line: number) => {
      this.scrolled.push([this.synced.length, line]);
    },
  };

  /** What the selection did: it asked for a frame of its own, or was drawn. */
  selected: string[] = [];
  readonly _selectionService = {
    refresh: (byMouse?: boolean) => {
      this.selected.push(byMouse ? 'asked by mouse' : 'asked');
    },
    _refresh: () => {
      this.selected.push('drawn');
      this.steps.push('selection');
    },
  };

  _syncTextArea(): void {
    this.moved += 1;
  }

  /** Something has changed on the screen. */
  refresh(): void {
    const debouncer = this._renderService._renderDebouncer;
    debouncer._animationFrame ??= requestAnimationFrame(() => debouncer._innerRefresh());
  }

  terminal(): Terminal {
    const onRender = (hear: () => void) => {
      this.#rendered = hear;
    };
    const isSynchronized = () => this.synchronized;
    const modes = {
      get synchronizedOutputMode() {
        return isSynchronized();
      },
    };
    return { _core: this, onRender, modes } as unknown as Terminal;
  }
}

let parts: Parts;
let rushing: boolean;
let calmed: () => void;
/** How many frames were asked for. */
let frames: number;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
  frames = 0;
  vi.stubGlobal('requestAnimationFrame', (draw: () => void) => {
    frames += 1;
    return setTimeout(draw, FRAME);
  });
  vi.stubGlobal('cancelAnimationFrame', clearTimeout);
  parts = new Parts();
  rushing = false;
  calmed = paceDrawing(parts.terminal(), () => rushing);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('what does not rush is drawn with every frame', () => {
  for (let frame = 0; frame < 10; frame += 1) {
    parts.refresh();
    vi.advanceTimersByTime(FRAME);
  }
  expect(parts.drawn).toBe(10);
});

test('what rushes by is drawn now and then, and its end always', () => {
  rushing = true;
  const begun = performance.now();
  for (let frame = 0; frame < 60; frame += 1) {
    parts.refresh();
    vi.advanceTimersByTime(FRAME);
  }
  const fair = (performance.now() - begun) / RUSHING_FRAME;
  expect(parts.drawn).toBeGreaterThan(fair / 2);
  expect(parts.drawn).toBeLessThanOrEqual(fair + 1);
  // Each of them draws, but for the one that the next lines wait for.
  expect(frames).toBeLessThanOrEqual(parts.drawn + 1);
  const before = parts.drawn;
  parts.refresh();
  vi.advanceTimersByTime(FRAME);
  expect(parts.drawn).toBe(before);
  rushing = false;
  calmed();
  vi.advanceTimersByTime(FRAME);
  expect(parts.drawn).toBe(before + 1);
  // Without another word, what was put off while it rushed comes as well.
  rushing = true;
  parts.refresh();
  vi.advanceTimersByTime(2 * RUSHING_FRAME);
  expect(parts.drawn).toBe(before + 2);
});

test('nothing is drawn in a terminal that was disposed of', () => {
  rushing = true;
  for (let frame = 0; frame < 2; frame += 1) {
    parts.refresh();
    vi.advanceTimersByTime(FRAME);
  }
  expect(parts.drawn).toBe(1);
  parts._renderService._renderDebouncer._animationFrame = undefined;
  calmed();
  vi.advanceTimersByTime(2 * RUSHING_FRAME);
  expect(parts.drawn).toBe(1);
});

test('the field for keys goes with the cursor, or with the frames of what rushes by', () => {
  parts._syncTextArea();
  expect(parts.moved).toBe(1);
  rushing = true;
  for (let chunk = 0; chunk < 100; chunk += 1) parts._syncTextArea();
  expect(parts.moved).toBe(1);
  parts.refresh();
  vi.advanceTimersByTime(FRAME);
  expect(parts.moved).toBe(2);
});

test('the selection asks for frames, or goes with those of what rushes by', () => {
  parts._selectionService.refresh();
  expect(parts.selected).toEqual(['asked']);
  rushing = true;
  for (let line = 0; line < 100; line += 1) parts._selectionService.refresh();
  parts._selectionService.refresh(true);
  expect(parts.selected).toEqual(['asked', 'asked by mouse']);
  parts.refresh();
  vi.advanceTimersByTime(FRAME);
  expect(parts.selected).toEqual(['asked', 'asked by mouse', 'drawn']);
  // Rows are drawn with the selection where it is now.
  expect(parts.steps).toEqual(['selection', 'rows']);
});

test('a frame in which a program holds its picture back puts nothing off', () => {
  rushing = true;
  parts.synchronized = true;
  parts.refresh();
  // Nothing of it is drawn for a selection.
  parts._selectionService.refresh();
  vi.advanceTimersByTime(FRAME);
  expect(parts.steps).toEqual([]);
  parts.synchronized = false;
  parts.refresh();
  vi.advanceTimersByTime(FRAME);
  expect(parts.steps).toEqual(['selection', 'rows']);
});

test('another size is drawn with the next frame', () => {
  rushing = true;
  parts.refresh();
  vi.advanceTimersByTime(FRAME);
  parts.refresh();
  parts.resized();
  parts.refresh();
  vi.advanceTimersByTime(FRAME);
  expect(parts.drawn).toBe(2);
});

test('the scrollbar follows each line, or the frames of what rushes by', () => {
  parts._viewport._sync();
  parts._viewport._sync(7);
  expect(parts.synced).toEqual([undefined, 7]);
  rushing = true;
  for (let line = 0; line < 100; line += 1) parts._viewport._sync(line);
  expect(parts.synced).toHaveLength(2);
  parts.refresh();
  vi.advanceTimersByTime(FRAME);
  expect(parts.synced).toEqual([undefined, 7, undefined]);
});

test('the scrollbar is right when somebody scrolls', () => {
  rushing = true;
  parts._viewport._sync();
  parts._viewport.scrollLines(-3);
  parts._viewport.scrollLines(-4);
  parts._viewport._sync();
  parts._viewport.scrollToLine(5);
  expect(parts.scrolled).toEqual([
    [1, -3],
    [1, -4],
    [2, 5],
  ]);
  // And not set once more for what was put off.
  parts.refresh();
  vi.advanceTimersByTime(FRAME);
  expect(parts.synced).toHaveLength(2);
});

test('output rushes from when much waits until nothing does for a while', () => {
  const parsed: (() => void)[] = [];
  const feed = new Feed({ write: (_, done) => parsed.push(done) });
  let calm = 0;
  feed.calmed = () => {
    calm += 1;
  };
  feed.write(new Uint8Array(HIGH_WATER / 4), () => {});
  expect(feed.isRushing).toBe(false);
  feed.write(new Uint8Array(HIGH_WATER / 4), () => {});
  expect(feed.isRushing).toBe(true);
  parsed.shift()?.();
  expect(feed.isRushing).toBe(true);
  parsed.shift()?.();
  vi.advanceTimersByTime(CALM_AFTER - 1);
  feed.write(new Uint8Array(BURST), () => {});
  vi.advanceTimersByTime(CALM_AFTER);
  expect(feed.isRushing).toBe(true);
  parsed.shift()?.();
  vi.advanceTimersByTime(CALM_AFTER - 1);
  expect(calm).toBe(0);
  vi.advanceTimersByTime(1);
  expect(feed.isRushing).toBe(false);
  expect(calm).toBe(1);
  // What trickles behind it does not prolong it.
  for (const size of [HIGH_WATER, 1]) feed.write(new Uint8Array(size), () => {});
  parsed.shift()?.();
  parsed.shift()?.();
  vi.advanceTimersByTime(CALM_AFTER - 1);
  feed.write(new Uint8Array(BURST - 1), () => {});
  vi.advanceTimersByTime(1);
  expect(calm).toBe(2);
  parsed.shift()?.();
  // What never rushed does not stop rushing.
  feed.write(new Uint8Array(1), () => {});
  parsed.shift()?.();
  vi.advanceTimersByTime(CALM_AFTER);
  expect(calm).toBe(2);
});

test('what is reached into is in xterm.js under these names', () => {
  const xterm = readFileSync(createRequire(import.meta.url).resolve('@xterm/xterm'), 'utf8');
  for (const [name, use] of [
    ['_innerRefresh', /_innerRefresh\(\)\{/],
    ['_animationFrame', /this\._animationFrame=this\.\w+\.window\.requestAnimationFrame\(/],
    ['_renderDebouncer', /this\._renderDebouncer=/],
    ['onDimensionsChange', /this\.onDimensionsChange=this\._onDimensionsChange\.event/],
    ['addRefreshCallback', /addRefreshCallback\(\w\)\{return this\._renderDebouncer\./],
    ['_renderService', /this\._renderService=/],
    ['_viewport', /this\._viewport=/],
    ['_selectionService', /this\._selectionService=/],
    ['refresh', /refresh\(\w\)\{this\._refreshAnimationFrame\|\|/],
    ['_refresh', /_refresh\(\)\{this\._refreshAnimationFrame=void 0/],
    ['_syncTextArea', /this\._syncTextArea\(\)/],
    ['_sync', /_sync\(\w=/],
    ['scrollLines', /scrollLines\(\w\)\{const/],
    ['scrollToLine', /scrollToLine\(\w,\w\)\{/],
  ] as const) {
    expect(use.test(xterm), name).toBe(true);
  }
});
