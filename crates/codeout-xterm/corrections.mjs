// Where xterm.js 6.0.0 does what no other terminal does and what no snapshot could bring about.
// What is corrected here is judged as the other terminals do it.

/** Must be called before the terminals are made that are to be correct. */
export function correct(Terminal) {
  const terminal = new Terminal({ allowProposedApi: true });
  const inner = terminal._core;
  countSavedRowFromScreen(Object.getPrototypeOf(inner._bufferService.buffers.normal));
  keepLinkOnRestore(Object.getPrototypeOf(inner._inputHandler));
  // It forgets a link all lines of which are gone, though the pen may still have it.
  Object.getPrototypeOf(inner._oscLinkService)._removeMarkerFromLink = () => {};
  printOneByOne(Object.getPrototypeOf(inner._inputHandler));
  showOnReset(Object.getPrototypeOf(inner._inputHandler));
  eraseNextWrap(Object.getPrototypeOf(inner._inputHandler));
  alignWhole(Object.getPrototypeOf(inner._inputHandler));
  restrictOnSwitch(Object.getPrototypeOf(inner._inputHandler));
  insertBetweenHalves(Object.getPrototypeOf(inner._bufferService.buffer.lines.get(0)));
  terminal.dispose();
}

/**
 * It counts a saved cursor's row from the top of the history: with each line that scrolls away the
 * saved place moves up, until the history is full; then it stays.
 */
function countSavedRowFromScreen(prototype) {
  const rows = new WeakMap();
  Object.defineProperty(prototype, "savedY", {
    get() {
      return this.ybase + (rows.get(this) ?? 0);
    },
    set(line) {
      rows.set(this, Math.max(line - this.ybase, 0));
    },
  });
}

/**
 * With a restored cursor it forgets for a while that the pen has a link, and takes the
 * kind of its underline from a pen that may have had none.
 */
function keepLinkOnRestore(prototype) {
  const restore = prototype.restoreCursor;
  const [hasExtended, underline] = [0x10000000, 0x10000000];
  prototype.restoreCursor = function (...parameters) {
    const result = restore.apply(this, parameters);
    if (this._curAttrData.extended.urlId !== 0) this._curAttrData.bg |= hasExtended;
    const pen = this._curAttrData;
    const extended = pen.extended.clone();
    const kind = (extended._ext >> 26) & 7;
    extended.underlineStyle = (pen.fg & underline) === 0 ? 0 : Math.max(kind, 1);
    pen.extended = extended;
    pen.updateExtended();
    return result;
  };
}

/**
 * It looks for halves of wide characters only where a run of text begins and ends, so that what is
 * left of them depends on how the bytes came, and not at all where text piles up in the last column.
 */
function printOneByOne(prototype) {
  const print = prototype.print;
  prototype.print = function (data, start, end) {
    const { cols } = this._bufferService;
    for (let at = start; at < end; at++) {
      const buffer = this._activeBuffer;
      if (buffer.x >= cols) {
        const info = this._unicodeService.charProperties(data[at], this._parser.precedingJoinState);
        const [width, joins] = [(info >> 1) & 3, (info & 1) !== 0];
        if (width === 0) {
          // It would be put behind the last column.
          this._parser.precedingJoinState = 0;
          continue;
        }
        const wraps = this._coreService.decPrivateModes.wraparound;
        if (!wraps && !joins) {
          buffer.x = cols - 1;
          if (width === 2) {
            // It does not fit, and leaves what is there.
            this._parser.precedingJoinState = 0;
            continue;
          }
        }
      }
      const { x } = buffer;
      print.call(this, data, at, at + 1);
      // A wide character that did not fit is left out: nothing is to combine with it.
      const { precedingJoinState } = this._parser;
      const isWide = ((precedingJoinState >> 1) & 3) === 2 && (precedingJoinState & 1) === 0;
      if (isWide && x >= cols - 1 && buffer.x === cols - 1) this._parser.precedingJoinState = 0;
    }
  };
}

/** RIS leaves a hidden cursor hidden. */
function showOnReset(prototype) {
  const reset = prototype.fullReset;
  prototype.fullReset = function () {
    this._coreService.isCursorHidden = false;
    return reset.call(this);
  };
}

/**
 * Erased up to its end, a row is not continued by the next one. ED takes that for the line of the
 * history with the row's number, and throws where there is none.
 */
function eraseNextWrap(prototype) {
  const erase = prototype.eraseInDisplay;
  prototype.eraseInDisplay = function (params, ...others) {
    const { _activeBuffer: buffer, _bufferService } = this;
    this._restrictCursor(_bufferService.cols);
    const { lines, x, y, ybase } = buffer;
    if (params.params[0] !== 1 || x + 1 < _bufferService.cols) {
      return erase.call(this, params, ...others);
    }
    const mistaken = lines.get(y + 1);
    const wasWrapped = mistaken?.isWrapped;
    const last = { isWrapped: false };
    lines.get = (index) => Object.getPrototypeOf(lines).get.call(lines, index) ?? last;
    erase.call(this, params, ...others);
    delete lines.get;
    if (y + 1 < ybase) mistaken.isWrapped = wasWrapped;
    if (y + 1 < _bufferService.rows) lines.get(ybase + y + 1).isWrapped = false;
    return true;
  };
}

/** In origin mode DECALN begins at the top margin, and goes on where it began. */
function alignWhole(prototype) {
  const align = prototype.screenAlignmentPattern;
  prototype.screenAlignmentPattern = function () {
    const modes = this._coreService.decPrivateModes;
    const { origin } = modes;
    modes.origin = false;
    align.call(this);
    modes.origin = origin;
    this._setCursor(0, 0);
    return true;
  };
}

/** Cells inserted between the halves of a wide character leave its second half where it goes. */
function insertBetweenHalves(prototype) {
  const insert = prototype.insertCells;
  prototype.insertCells = function (at, count, fill) {
    const x = at % this.length;
    if (this.getWidth(x) === 0 && !this.hasContent(x)) this.setCell(x, fill);
    insert.call(this, at, count, fill);
  };
}

/** Must be called for each terminal, too. */
export function correctOne({ _core: inner }) {
  selectSetOnSwitch(inner);
  const { _csiHandlers, _escHandlers } = inner._inputHandler._parser;
  for (const handlers of [...Object.values(_csiHandlers), ...Object.values(_escHandlers)]) {
    // The last one is asked first.
    handlers.push((...parameters) => {
      for (const handler of handlers.slice(0, -1).reverse()) if (handler(...parameters)) break;
      leavePlaceBehindNothing(inner);
      continueNoLine(inner);
      return true;
    });
  }
}

/** A character set that a restored cursor brought back is in use on the other screen, too. */
function selectSetOnSwitch({ _bufferService, _charsetService }) {
  _bufferService.buffers.onBufferActivate(() => {
    _charsetService.charset = _charsetService._charsets[_charsetService.glevel];
  });
}

/** Without a line above it, the first row may still say that it continues one. */
function continueNoLine({ _bufferService }) {
  const { normal } = _bufferService.buffers;
  if (normal.ybase === 0) normal.lines.get(0).isWrapped = false;
}

/**
 * Behind the last column the cursor may wait over an empty cell, or one that the character set in
 * use cannot print. Nothing brings another terminal there on the alternate screen or with a
 * restored character set: then the cursor is in the last column.
 */
function leavePlaceBehindNothing(inner) {
  const { cols, buffer, buffers } = inner._bufferService;
  const { charset, glevel, _charsets } = inner._charsetService;
  const isRestored = charset !== _charsets[glevel];
  if (buffer.x < cols || (buffer !== buffers.alt && !isRestored)) return;
  const line = buffer.lines.get(buffer.ybase + buffer.y);
  const text = line.getString(cols - 1) || (line.getWidth(cols - 1) === 0 ? line.getString(cols - 2) : "");
  const [first] = text;
  const typed = (c) => c > "~" || (charset?.[c] ?? c) === c || Object.values(charset).includes(c);
  if (first === undefined || (isRestored && !typed(first))) buffer.x = cols - 1;
}

/** SGR 59 leaves white where it should leave no colour of the underline's own. */
export function underlineColour(extended) {
  const white = 0x3ffffff;
  return extended.underlineColor === white ? 0 : extended.underlineColor;
}

/**
 * Behind a change of screens in origin mode it leaves the cursor outside of the margins, where no
 * movement could bring it.
 */
function restrictOnSwitch(prototype) {
  for (const name of ["setModePrivate", "resetModePrivate"]) {
    const change = prototype[name];
    prototype[name] = function (...parameters) {
      const before = this._bufferService.buffer;
      const result = change.apply(this, parameters);
      if (this._bufferService.buffer !== before) this._restrictCursor(this._bufferService.cols);
      return result;
    };
  }
}
