/** The pairing code: 12 characters of Crockford base32, printed `XXXX-XXXX-XXXX`. */
import { normalize } from './crockford';

/** Characters of a code without its dashes. */
export const CODE_LENGTH = 12;
const GROUP = 4;

declare const checked: unique symbol;
/** A pairing code's 12 canonical characters. Secret until it is used. */
export type Code = string & { readonly [checked]: 'code' };

/** What was typed is no pairing code. */
export interface CodeError {
  /** `character`: one that no code has. `length`: too few or too many, `length` of them. */
  readonly problem: 'character' | 'length';
  readonly length: number;
}

/** Reads what a person typed: case, spaces and dashes do not matter, `O` is `0`, `I`, `L` are `1`. */
export function parseCode(typed: string): Code | CodeError {
  const canonical = normalize(typed);
  if (canonical === undefined) return { problem: 'character', length: typed.length };
  if (canonical.length !== CODE_LENGTH) return { problem: 'length', length: canonical.length };
  return canonical as Code;
}

/** Whether `parseCode` found a code. */
export function isCode(parsed: Code | CodeError): parsed is Code {
  return typeof parsed === 'string';
}

/** The code for a person to read: `K7QM-3FBR-9TZX`. */
export function formatCode(code: Code): string {
  return grouped(code);
}

/**
 * What a field shows while a code is typed into it: what has no meaning is left out, dashes come
 * by themselves as soon as a character follows them, and nothing goes past 12 characters.
 */
export function formatTyping(typed: string): string {
  let canonical = '';
  for (const character of typed) {
    canonical += normalize(character) ?? '';
    if (canonical.length >= CODE_LENGTH) break;
  }
  return grouped(canonical);
}

function grouped(canonical: string): string {
  const groups: string[] = [];
  for (let at = 0; at < canonical.length; at += GROUP) {
    groups.push(canonical.slice(at, at + GROUP));
  }
  return groups.join('-');
}
