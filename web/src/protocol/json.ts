/**
 * JSON as section 9.2 of the protocol has it, read more strictly than `JSON.parse` does: valid
 * UTF-8 without a byte-order mark, no member twice, no unpaired surrogate, at most 16 levels.
 */
import { misbehaved } from './error';

const MAX_DEPTH = 16;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A member's value. A number that is no integer from 0 to 2^53 − 1 in plain digits is NaN. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject;

/** An object: a Map, so that no name of a member means anything to JavaScript. */
export type JsonObject = ReadonlyMap<string, Json>;

/**
 * Reads one object with nothing but white space around it.
 * @throws ProtocolError `misbehaved`/`message` for anything else.
 */
export function readObject(bytes: Uint8Array): JsonObject {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    throw misbehaved('message');
  }
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.end();
  if (!(value instanceof Map)) throw misbehaved('message');
  return value;
}

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const PLAIN = /^[0-9]+$/;
const WORD = /true|false|null/y;
const WORDS = { true: true, false: false, null: null } as const;

class Reader {
  #at = 0;

  constructor(readonly text: string) {}

  /** One value, with `depth` arrays and objects around it. */
  value(depth: number): Json {
    this.#take(SPACE);
    const next = this.text[this.#at];
    if (next === '{' || next === '[') {
      if (depth >= MAX_DEPTH) throw misbehaved('message');
      this.#at += 1;
      return next === '{' ? this.#object(depth + 1) : this.#array(depth + 1);
    }
    if (next === '"') return this.#string();
    const word = this.#take(WORD);
    if (word !== undefined) return WORDS[word as keyof typeof WORDS];
    const digits = this.#take(NUMBER);
    if (digits === undefined) throw misbehaved('message');
    const number = Number(digits);
    return PLAIN.test(digits) && Number.isSafeInteger(number) ? number : Number.NaN;
  }

  /** Nothing but white space is left. */
  end(): void {
    this.#take(SPACE);
    if (this.#at !== this.text.length) throw misbehaved('message');
  }

  #object(depth: number): JsonObject {
    const members = new Map<string, Json>();
    if (this.#punctuation('}')) return members;
    do {
      this.#take(SPACE);
      const name = this.#string();
      if (members.has(name) || !this.#punctuation(':')) throw misbehaved('message');
      members.set(name, this.value(depth));
    } while (this.#punctuation(','));
    if (!this.#punctuation('}')) throw misbehaved('message');
    return members;
  }

  #array(depth: number): readonly Json[] {
    const items: Json[] = [];
    if (this.#punctuation(']')) return items;
    do {
      items.push(this.value(depth));
    } while (this.#punctuation(','));
    if (!this.#punctuation(']')) throw misbehaved('message');
    return items;
  }

  #string(): string {
    if (this.text[this.#at] !== '"') throw misbehaved('message');
    let end = this.#at + 1;
    while (this.text[end] !== '"') {
      if (end >= this.text.length) throw misbehaved('message');
      end += this.text[end] === '\\' ? 2 : 1;
    }
    const text = unquoted(this.text.slice(this.#at, end + 1));
    this.#at = end + 1;
    return text;
  }

  /** Takes white space and then `mark`, if that comes. */
  #punctuation(mark: string): boolean {
    this.#take(SPACE);
    if (this.text[this.#at] !== mark) return false;
    this.#at += 1;
    return true;
  }

  /** Takes what the sticky `pattern` matches here. */
  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const [taken] = pattern.exec(this.text) ?? [];
    if (taken !== undefined) this.#at += taken.length;
    return taken;
  }
}

// An escape that leaves half of a surrogate pair is no text.
const LONE_SURROGATE = /\p{Cs}/u;

function unquoted(quoted: string): string {
  try {
    const text: unknown = JSON.parse(quoted);
    if (typeof text === 'string' && !LONE_SURROGATE.test(text)) return text;
  } catch {
    // Falls through to the violation that it is.
  }
  throw misbehaved('message');
}
