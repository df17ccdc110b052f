/**
 * The one field that takes a pairing code, or a pasted pairing link. It only helps to type: what
 * counts as a code or link is decided where it is used to pair.
 */

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const CODE_LENGTH = 12;
const FRAGMENT_LENGTH = 64;
const GROUP = 4;

/** What the field holds. */
export type CodeField =
  | { readonly kind: 'empty' }
  /** `shown` is what the field should hold instead, with its dashes; `missing` characters to go. */
  | { readonly kind: 'code'; readonly shown: string; readonly missing: number }
  /** More than a code has. */
  | { readonly kind: 'long'; readonly over: number }
  /** Characters that no code has, each once, in order. */
  | { readonly kind: 'wrong'; readonly characters: readonly string[] }
  | { readonly kind: 'link'; readonly link: string };

function canonical(character: string): string {
  const upper = /[a-z]/.test(character) ? character.toUpperCase() : character;
  if (upper === 'O') return '0';
  return upper === 'I' || upper === 'L' ? '1' : upper;
}

function grouped(characters: readonly string[]): string {
  const groups: string[] = [];
  for (let at = 0; at < characters.length; at += GROUP) {
    groups.push(characters.slice(at, at + GROUP).join(''));
  }
  return groups.join('-');
}

/**
 * Reads what stands in the field.
 * @param text as typed or pasted
 * @param origin the page's own `http://host:port`, to which a bare fragment belongs
 */
export function readCodeField(text: string, origin: string): CodeField {
  const trimmed = text.trim();
  if (trimmed === '') return { kind: 'empty' };
  if (/^https?:/i.test(trimmed) || trimmed.includes('/#')) return { kind: 'link', link: trimmed };
  const typed = [...trimmed.replace(/^#/, '')].filter((one) => one !== ' ' && one !== '-');
  const characters = typed.map(canonical);
  const wrong = typed.filter((_, at) => !ALPHABET.includes(characters[at] ?? ''));
  if (wrong.length > 0) return { kind: 'wrong', characters: [...new Set(wrong)] };
  if (characters.length === FRAGMENT_LENGTH) {
    return { kind: 'link', link: `${origin}/#${characters.join('')}` };
  }
  if (characters.length > CODE_LENGTH)
    return { kind: 'long', over: characters.length - CODE_LENGTH };
  return { kind: 'code', shown: grouped(characters), missing: CODE_LENGTH - characters.length };
}

/**
 * Where the caret belongs in a formatted code, so that typing in its middle stays possible.
 * @param before what stood before the caret as typed
 * @param shown the formatted code
 */
export function caretIn(before: string, shown: string): number {
  let wanted = [...before].filter((one) => one !== ' ' && one !== '-').length;
  let at = 0;
  while (at < shown.length && wanted > 0) {
    if (shown[at] !== '-') wanted -= 1;
    at += 1;
  }
  return at;
}
