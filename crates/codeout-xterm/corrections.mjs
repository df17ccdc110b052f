// Where xterm.js 6.0.0 does what no other terminal does and what no snapshot could bring about.
// What is corrected here is judged as the other terminals do it.

/** Must be called before the terminals are made that are to be correct. */
export function correct(Terminal) {
  const terminal = new Terminal({ allowProposedApi: true });
  countSavedRowFromScreen(Object.getPrototypeOf(terminal._core._bufferService.buffers.normal));
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

/** SGR 59 leaves white where it should leave no colour of the underline's own. */
export function underlineColour(extended) {
  const white = 0x3ffffff;
  return extended.underlineColor === white ? 0 : extended.underlineColor;
}
