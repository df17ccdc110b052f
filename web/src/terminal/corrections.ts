/**
 * Where xterm.js 6.0.0 breaks on what programs and snapshots may print. This reaches into it by
 * names that are not its interface: the version is pinned, and a test fails when they change.
 */

import type { Terminal } from '@xterm/xterm';

interface Line {
  isWrapped: boolean;
}

interface Buffer {
  readonly lines: { get: (index: number) => Line | undefined };
  readonly x: number;
  readonly y: number;
  readonly ybase: number;
}

interface InputHandler {
  readonly _activeBuffer: Buffer;
  readonly _bufferService: { readonly cols: number; readonly rows: number };
  readonly _parser: { reset(): void };
  _restrictCursor(limit: number): void;
  eraseInDisplay(params: { params: ArrayLike<number> }, respectProtect: boolean): boolean;
  parse(data: string | Uint8Array, result?: boolean): unknown;
}

interface Color {
  readonly css: string;
}

interface RowFactory {
  readonly _themeService: { readonly colors: { foreground: Color; background: Color } };
  _applyMinimumContrast(
    element: HTMLElement,
    bg: Color,
    fg: Color,
    cell: { isInverse(): number },
    ...overrides: (Color | undefined)[]
  ): boolean;
}

type Place = [number, number] | undefined;

interface DomRenderer {
  readonly _rowFactory?: RowFactory;
  handleSelectionChanged(start: Place, end: Place, columns: boolean): void;
}

interface Drawing {
  readonly _renderService: {
    readonly _renderer: { readonly value?: DomRenderer };
    onDimensionsChange(hear: () => void): unknown;
    addRefreshCallback(callback: () => void): number;
  };
  readonly _viewport: { _sync(): void };
}

/** Corrects one terminal, before it is opened. */
export function correct(terminal: Terminal): void {
  const { _inputHandler: handler } = (
    terminal as unknown as { _core: { _inputHandler: InputHandler } }
  )._core;
  eraseToLastCell(handler);
  surviveFaults(handler);
}

/**
 * Erased up to its last cell, a row is not continued by the next one. ED takes for that the line of
 * the history that has the row's number, and throws where there is none.
 */
function eraseToLastCell(handler: InputHandler): void {
  const erase = handler.eraseInDisplay;
  handler.eraseInDisplay = (params, respectProtect) => {
    const { cols, rows } = handler._bufferService;
    handler._restrictCursor(cols);
    const { lines, x, y, ybase } = handler._activeBuffer;
    if (params.params[0] !== 1 || x + 1 < cols) return erase.call(handler, params, respectProtect);
    const mistaken = lines.get(y + 1);
    const wasWrapped = mistaken?.isWrapped === true;
    const { get } = lines;
    lines.get = (index) => get.call(lines, index) ?? { isWrapped: false };
    try {
      erase.call(handler, params, respectProtect);
    } finally {
      lines.get = get;
    }
    if (mistaken && y + 1 < ybase) mistaken.isWrapped = wasWrapped;
    const next = y + 1 < rows ? lines.get(ybase + y + 1) : undefined;
    if (next) next.isWrapped = false;
    return true;
  };
}

/** A fault while it parses would leave the terminal deaf for good: it loses the rest of a chunk. */
function surviveFaults(handler: InputHandler): void {
  const { parse } = handler;
  handler.parse = (data, result) => {
    try {
      return parse.call(handler, data, result);
    } catch {
      handler._parser.reset();
      return undefined;
    }
  };
}

const corrected = new WeakSet<RowFactory>();

/** Corrects what draws a terminal, once it is opened. */
export function correctDrawing(terminal: Terminal): void {
  const { _renderService, _viewport } = (terminal as unknown as { _core: Drawing })._core;
  // Text of another size leaves the scrollbar as long as it was until something scrolls.
  _renderService.onDimensionsChange(() =>
    _renderService.addRefreshCallback(() => _viewport._sync()),
  );
  const renderer = _renderService._renderer.value;
  const factory = renderer?._rowFactory;
  if (!renderer || !factory) return;
  const kind = Object.getPrototypeOf(factory) as RowFactory;
  // All renderers of the page share it, also those that take over from WebGL later.
  if (corrected.has(kind)) return;
  corrected.add(kind);
  contrastOfInverse(kind);
  drawOnce(Object.getPrototypeOf(renderer) as DomRenderer);
}

/**
 * Inverse text takes the default background's colour, but the DOM renderer measures the contrast of
 * the foreground's colour, and greys it.
 */
function contrastOfInverse(kind: RowFactory): void {
  const apply = kind._applyMinimumContrast;
  kind._applyMinimumContrast = function (element, bg, fg, cell, ...overrides) {
    const { foreground, background } = this._themeService.colors;
    const drawn = cell.isInverse() && fg === foreground ? background : fg;
    return apply.call(this, element, bg, drawn, cell, ...overrides);
  };
}

/**
 * Whenever lines scroll off, the DOM renderer is told of the selection again, and draws every row
 * once more for it, where there is none too.
 */
function drawOnce(kind: DomRenderer): void {
  const selecting = new WeakSet<DomRenderer>();
  const change = kind.handleSelectionChanged;
  kind.handleSelectionChanged = function (start, end, columns) {
    if (!start && !selecting.has(this)) return;
    if (start) selecting.add(this);
    else selecting.delete(this);
    change.call(this, start, end, columns);
  };
}
