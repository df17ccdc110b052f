/** What keys send to a program, as xterm does it. */

export interface Modifiers {
  readonly ctrl: boolean;
  readonly alt: boolean;
  readonly shift?: boolean;
}

export const NO_MODIFIERS: Modifiers = { ctrl: false, alt: false };

const ESC = '\x1b';

/** Keys that send `CSI` or, in application mode, `SS3` and this letter. */
const CURSOR: ReadonlyMap<string, string> = new Map([
  ['up', 'A'],
  ['down', 'B'],
  ['right', 'C'],
  ['left', 'D'],
  ['home', 'H'],
  ['end', 'F'],
]);

/** Keys that always send `SS3` and this letter. */
const FUNCTION: ReadonlyMap<string, string> = new Map([
  ['f1', 'P'],
  ['f2', 'Q'],
  ['f3', 'R'],
  ['f4', 'S'],
]);

/** Keys that send `CSI`, this number and `~`. */
const NUMBERED: ReadonlyMap<string, number> = new Map([
  ['insert', 2],
  ['delete', 3],
  ['pageup', 5],
  ['pagedown', 6],
  ['f5', 15],
  ['f6', 17],
  ['f7', 18],
  ['f8', 19],
  ['f9', 20],
  ['f10', 21],
  ['f11', 23],
  ['f12', 24],
]);

const CONTROLS: ReadonlyMap<string, string> = new Map([
  [' ', '\x00'],
  ['2', '\x00'],
  ['3', '\x1b'],
  ['4', '\x1c'],
  ['5', '\x1d'],
  ['6', '\x1e'],
  ['7', '\x1f'],
  ['8', '\x7f'],
  ['/', '\x1f'],
  ['?', '\x7f'],
]);

/** xterm's number for what is held: 1 is nothing. */
function modifierNumber(held: Modifiers): number {
  return 1 + (held.shift ? 1 : 0) + (held.alt ? 2 : 0) + (held.ctrl ? 4 : 0);
}

/**
 * What one character sends while Ctrl or Alt are held.
 * @param character one code point
 * @returns the bytes as text; the character itself where Ctrl has no meaning for it
 */
export function encodeCharacter(character: string, held: Modifiers): string {
  const plain = held.ctrl ? withControl(character) : character;
  return held.alt ? ESC + plain : plain;
}

function withControl(character: string): string {
  const known = CONTROLS.get(character);
  if (known !== undefined) return known;
  const code = character.toUpperCase().charCodeAt(0);
  return character.length === 1 && code >= 0x40 && code <= 0x5f
    ? String.fromCharCode(code & 0x1f)
    : character;
}

/**
 * What a named key sends.
 * @param key `escape`, `tab`, `enter`, `backspace`, `up`, …, `f12`, in lower case
 * @param applicationCursor whether the program asked for application cursor keys (DECCKM)
 * @returns the bytes as text, or undefined for a key that has no such name
 */
export function encodeKey(
  key: string,
  held: Modifiers,
  applicationCursor: boolean,
): string | undefined {
  const prefix = held.alt ? ESC : '';
  if (key === 'escape') return prefix + ESC;
  if (key === 'tab') return held.shift ? `${ESC}[Z` : `${prefix}\t`;
  if (key === 'enter') return `${prefix}\r`;
  if (key === 'backspace') return prefix + (held.ctrl ? '\b' : '\x7f');
  const modifier = modifierNumber(held);
  const letter = CURSOR.get(key) ?? FUNCTION.get(key);
  if (letter !== undefined) {
    if (modifier > 1) return `${ESC}[1;${modifier}${letter}`;
    return ESC + (applicationCursor || FUNCTION.has(key) ? 'O' : '[') + letter;
  }
  const number = NUMBERED.get(key);
  if (number === undefined) return undefined;
  return modifier > 1 ? `${ESC}[${number};${modifier}~` : `${ESC}[${number}~`;
}
