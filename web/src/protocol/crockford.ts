/** Crockford base32, most significant bit first, the last character filled up with zero bits. */

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** Characters that so many bytes take. */
export function encodedLength(bytes: number): number {
  return Math.ceil((bytes * 8) / 5);
}

/** The canonical characters of `bytes`. */
export function encode(bytes: Uint8Array): string {
  let text = '';
  let buffer = 0;
  let bits = 0;
  for (const byte of bytes) {
    buffer = ((buffer << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(buffer >> bits) & 31];
    }
  }
  return bits > 0 ? text + ALPHABET[(buffer << (5 - bits)) & 31] : text;
}

/**
 * What a person typed, as canonical characters; `undefined` when a character has no meaning.
 * ASCII alone is upper-cased: all of Unicode would turn `ı` into `I` and `ſ` into `S`.
 */
export function normalize(typed: string): string | undefined {
  let canonical = '';
  for (const character of typed) {
    if (character === ' ' || character === '-') continue;
    const upper = /^[a-z]$/.test(character) ? character.toUpperCase() : character;
    const meant = upper === 'O' ? '0' : upper === 'I' || upper === 'L' ? '1' : upper;
    if (!ALPHABET.includes(meant)) return undefined;
    canonical += meant;
  }
  return canonical;
}

/**
 * The `length` bytes in canonical characters; `undefined` for another number of characters and
 * for unused bits that are not zero: one value has one encoding.
 */
export function decode(canonical: string, length: number): Uint8Array | undefined {
  if (canonical.length !== encodedLength(length)) return undefined;
  const bytes = new Uint8Array(length);
  let buffer = 0;
  let bits = 0;
  let filled = 0;
  for (const character of canonical) {
    const value = ALPHABET.indexOf(character);
    if (value < 0) return undefined;
    buffer = ((buffer << 5) | value) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[filled] = buffer >> bits;
      filled += 1;
    }
  }
  return (buffer & ((1 << bits) - 1)) === 0 ? bytes : undefined;
}
