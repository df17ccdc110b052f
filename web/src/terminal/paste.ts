/** Text that is pasted or composed: made harmless, and put as the program expects it. */

/** More characters than this are not pasted in one piece: they would not be kept while they wait. */
export const MAX_PASTE = 250_000;

/**
 * The text without what a terminal would take for a command: a page may have put escape sequences
 * into the clipboard, also one that ends a bracketed paste. Line ends become what Enter sends.
 */
export function cleanPaste(text: string): string {
  return text
    .replace(/\r\n?|\n|\u2028|\u2029/g, '\r')
    .replace(/\u001b\[20[01]~/g, '')
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g, '');
}

/** How many lines a cleaned text has; a line end at its end begins none. */
export function lineCount(cleaned: string): number {
  return cleaned.replace(/\r$/, '').split('\r').length;
}

/** Whether a cleaned text makes the program do something by itself: an Enter outside of brackets. */
export function runsAtOnce(cleaned: string, bracketed: boolean): boolean {
  return !bracketed && cleaned.includes('\r');
}

/**
 * The bytes, as text, of a paste.
 * @param cleaned what `cleanPaste` gave
 * @param bracketed whether the program asked for bracketed paste
 */
export function encodePaste(cleaned: string, bracketed: boolean): string {
  return bracketed ? `\x1b[200~${cleaned}\x1b[201~` : cleaned;
}

/**
 * The bytes, as text, of a composed message: in brackets only when it has several lines, so that a
 * word looks to the program as if it had been typed.
 * @param enter whether Enter follows
 */
export function encodeCompose(cleaned: string, bracketed: boolean, enter: boolean): string {
  const body = encodePaste(cleaned, bracketed && cleaned.includes('\r'));
  return enter ? `${body}\r` : body;
}
