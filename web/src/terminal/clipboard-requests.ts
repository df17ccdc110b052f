/** Programs that want to put text on the clipboard (OSC 52): its user is asked, always. */

import type { IDisposable, Terminal } from '@xterm/xterm';

/** Characters of base64 that are looked at; a longer request is dropped. */
const LONGEST = 140_000;

/** Characters that are shown of a text. */
const SHOWN = 2_000;

// Controls other than tab and line end, what turns the direction of the text, and what takes no
// room: nobody sees them. What joins and varies emoji and letters stays.
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e0fff}]/gu;

/** The text as its user sees it, since that is what is copied. */
function asSeen(text: string): string {
  return text.replace(/\r\n?|\u2028|\u2029/g, '\n').replace(UNSEEN, '');
}

/** @returns the beginning of a text that is shown, and how many characters are not */
export function shownPart(text: string): { shown: string; hidden: number } {
  // Not between the halves of one character, of which the first would be the last that is shown.
  const shown = text.slice(0, SHOWN).replace(/[\ud800-\udbff]$/, '');
  return { shown, hidden: [...text.slice(shown.length)].length };
}

/**
 * The text of a request, without what could not be seen in it.
 * @param data what stands behind `52;`: which clipboard, and base64
 * @returns undefined for anything that is not text, and for a request to read the clipboard, which
 *   is never answered
 */
export function requestedText(data: string): string | undefined {
  const body = data.slice(data.indexOf(';') + 1);
  if (body === '' || body === '?' || data.length > LONGEST) return undefined;
  try {
    const bytes = Uint8Array.from(atob(body), (character) => character.charCodeAt(0));
    return asSeen(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

/** Calls `ask` with the text of each request that `heard` lets through. */
export function watchClipboardRequests(
  terminal: Terminal,
  heard: () => boolean,
  ask: (text: string) => void,
): IDisposable {
  return terminal.parser.registerOscHandler(52, (data) => {
    const text = heard() ? requestedText(data) : undefined;
    if (text) ask(text);
    return true;
  });
}
