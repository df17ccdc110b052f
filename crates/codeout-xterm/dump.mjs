// Everything about a terminal that could be seen now or could matter to the bytes that follow.
// Much of it is nowhere in xterm.js's public interface: package.json fixes the version.

import { underlineColour } from "./corrections.mjs";

const UNDERLINE = 0x10000000;
const HAS_EXTENDED = 0x10000000;
const UNDERLINE_STYLES = ["none", "single", "double", "curly", "dotted", "dashed"];

export function dump(terminal, seen) {
  const inner = terminal._core;
  const { buffers } = inner._bufferService;
  return {
    columns: terminal.cols,
    rows: terminal.rows,
    normal: dumpBuffer(terminal, buffers.normal),
    alternate: dumpBuffer(terminal, buffers.alt),
    state: dumpState(terminal, seen),
  };
}

function dumpBuffer(terminal, buffer) {
  const cell = terminal.buffer.normal.getNullCell();
  const lines = [];
  for (let y = 0; y < buffer.lines.length; y++) {
    const line = buffer.lines.get(y);
    // What the oldest line may have continued is forgotten.
    lines.push({ wrapped: y > 0 && line.isWrapped, runs: dumpRuns(terminal, line, cell) });
  }
  return { history: buffer.ybase, lines };
}

/**
 * Cells in a row that look alike are one run: `[style, width, text]`, where each character is one
 * cell and U+0000 an empty one. A cell of several characters is a run alone, marked by a fourth
 * item. Empty cells of no style at the end are left out.
 */
function dumpRuns(terminal, line, cell) {
  const runs = [];
  let blank = 0;
  let last;
  for (let x = 0; x < terminal.cols; x++) {
    line.loadCell(x, cell);
    const style = styleOf(terminal, cell);
    const text = cell.getChars();
    const width = cell.getWidth();
    if (text === "" && style === "" && width === 1) {
      blank += 1;
      continue;
    }
    if (blank > 0) {
      runs.push(["", 1, "\0".repeat(blank)]);
      blank = 0;
      last = undefined;
    }
    if ([...text].length > 1) {
      runs.push([style, width, text, true]);
      last = undefined;
    } else if (last !== undefined && last[0] === style && last[1] === width) {
      last[2] += text || "\0";
    } else {
      last = [style, width, text || "\0"];
      runs.push(last);
    }
  }
  return runs;
}

function styleOf(terminal, cell) {
  // By far the most frequent.
  if (cell.fg === 0 && cell.bg === 0) return "";
  return describe(terminal, cell, cell.extended).join(" ");
}

function describe(terminal, cell, extended) {
  const words = [];
  const flags = {
    bold: cell.isBold(),
    dim: cell.isDim(),
    italic: cell.isItalic(),
    blink: cell.isBlink(),
    inverse: cell.isInverse(),
    invisible: cell.isInvisible(),
    strikethrough: cell.isStrikethrough(),
    overline: cell.isOverline(),
    protected: cell.isProtected(),
  };
  for (const [name, set] of Object.entries(flags)) if (set) words.push(name);
  if (!cell.isFgDefault()) words.push(`fg=${colour(cell.fg)}`);
  if (!cell.isBgDefault()) words.push(`bg=${colour(cell.bg)}`);
  const isExtended = (cell.bg & HAS_EXTENDED) !== 0 && extended !== undefined;
  if ((cell.fg & UNDERLINE) !== 0) {
    // The plain getter answers "dashed" wherever there is a link.
    const style = isExtended ? (extended._ext >> 26) & 7 : 1;
    // "none" is what a restored cursor or DECALN may leave: nothing is drawn.
    if (style !== 0) words.push(`underline=${UNDERLINE_STYLES[style]}`);
    if (style !== 0 && isExtended && underlineColour(extended) !== 0) {
      words.push(`underline-colour=${colour(underlineColour(extended))}`);
    }
  }
  if (isExtended && extended.urlId !== 0) {
    words.push(`link=${terminal._core._oscLinkService.getLinkData(extended.urlId)?.uri}`);
  }
  return words;
}

function colour(packed) {
  const mode = packed & 0x3000000;
  if (mode === 0x3000000) return "#" + (packed & 0xffffff).toString(16).padStart(6, "0");
  return `${packed & 0xff}${mode === 0x1000000 ? "" : "/256"}`;
}

function dumpState(terminal, seen) {
  const inner = terminal._core;
  const { buffers } = inner._bufferService;
  const core = inner.coreService;
  const charsets = inner._charsetService;
  const pen = inner._inputHandler._curAttrData;
  const state = {
    active: buffers.active === buffers.alt ? "alternate" : "normal",
    // A column past the last: the next character wraps.
    cursor: `column ${buffers.active.x}, row ${buffers.active.y}`,
    "cursor hidden": core.isCursorHidden,
    "cursor blink option": terminal.options.cursorBlink,
    "line feed returns": terminal.options.convertEol,
    "mouse protocol": inner.coreMouseService.activeProtocol,
    "mouse encoding": inner.coreMouseService.activeEncoding,
    title: seen.title,
    // What xterm.js threw; the rest is then worth little.
    error: seen.error,
    colours: [...seen.colours].map((colour) => colour.join("=")).sort().join(" "),
    pen: [...describe(terminal, pen, pen.extended), latentUnderline(pen)].join(" ").trim(),
    charset: charsetName(charsets.charset),
    "charset level": charsets.glevel,
    charsets: [0, 1, 2, 3].map((g) => charsetName(charsets._charsets[g])).join(" "),
    insert: core.modes.insertMode,
  };
  for (const [name, value] of Object.entries(core.decPrivateModes)) state[name] = value ?? null;
  // The other screen's place for the cursor is the active one's when it comes back.
  Object.assign(state, placement("normal", terminal, buffers.normal));
  if (buffers.active === buffers.alt) {
    Object.assign(state, placement("alternate", terminal, buffers.alt));
  }
  return Object.fromEntries(Object.entries(state).map(([k, v]) => [k, String(v)]));
}

/** An underline's colour is remembered while there is no underline. */
function latentUnderline(pen) {
  const packed = underlineColour(pen.extended);
  const isUnderlined = (pen.fg & UNDERLINE) !== 0 && ((pen.extended._ext >> 26) & 7) !== 0;
  return isUnderlined || packed === 0 ? "" : `next-underline=${colour(packed)}`;
}

function placement(name, terminal, buffer) {
  const tabs = Object.keys(buffer.tabs).filter((x) => buffer.tabs[x] && x < terminal.cols);
  return {
    [`${name} region`]: `${buffer.scrollTop} to ${buffer.scrollBottom}`,
    [`${name} tabs`]: tabs.join(" "),
    [`${name} saved cursor`]: `column ${buffer.savedX}, row ${buffer.savedY - buffer.ybase}`,
    [`${name} saved pen`]: describe(terminal, buffer.savedCurAttrData, undefined).join(" "),
    [`${name} saved charset`]: charsetName(buffer.savedCharset),
  };
}

function charsetName(charset) {
  if (charset === undefined || charset === null) return "ascii";
  if (charset.q === "─") return "lines";
  return Object.entries(charset).flat().join("");
}
