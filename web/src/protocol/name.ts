/** Text from the other end that a person will see. */

/** The most bytes of a name in UTF-8. */
export const MAX_NAME = 64;

// White_Space of Unicode; JavaScript's `\s` has U+FEFF too, and lacks U+0085.
const WHITE = /\p{White_Space}/u;

// What acts on a terminal or hides from a reader: controls, formatting, fillers, variation
// selectors, private use, tags. Lone surrogates are no text at all.
const UNSAFE = new RegExp(
  '[\\p{Cc}\\p{Cs}\\u{ad}\\u{34f}\\u{61c}\\u{115f}\\u{1160}\\u{17b4}\\u{17b5}\\u{180b}-\\u{180f}' +
    '\\u{200b}-\\u{200f}\\u{202a}-\\u{202e}\\u{2060}-\\u{206f}\\u{2800}\\u{3164}' +
    '\\u{e000}-\\u{f8ff}\\u{fe00}-\\u{fe0f}\\u{feff}\\u{ffa0}\\u{fff0}-\\u{ffff}' +
    '\\u{13430}-\\u{1345f}\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{10ffff}]',
  'u',
);

const ENDS = /^\p{White_Space}+|\p{White_Space}+$/gu;

/** `text` without white space at its ends, as Unicode has it: `trim` takes a byte-order mark too. */
export function trimmed(text: string): string {
  return text.replace(ENDS, '');
}

/**
 * Text of a peer made safe to show: unsafe characters dropped, white space folded to single
 * spaces, none at either end, at most `maxBytes` of UTF-8, cut between characters.
 */
export function cleanText(text: string, maxBytes: number): string {
  let clean = '';
  let bytes = 0;
  for (const original of text) {
    const character = WHITE.test(original) ? ' ' : original;
    if (UNSAFE.test(character)) continue;
    if (character === ' ' && (clean === '' || clean.endsWith(' '))) continue;
    bytes += utf8Length(character);
    if (bytes > maxBytes) break;
    clean += character;
  }
  return clean.trimEnd();
}

/** The nearest safe name, at most 64 bytes; `undefined` when nothing is left. */
export function cleanName(text: string): string | undefined {
  return cleanText(text, MAX_NAME) || undefined;
}

/** Bytes of one character in UTF-8. */
function utf8Length(character: string): number {
  const point = character.codePointAt(0) ?? 0;
  return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x1_0000 ? 3 : 4;
}
