/** How an input becomes another one. */

/** Numbers from a seed, the same each time. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number from 0 to `below` − 1. */
  below(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  }

  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

const WORDS = [
  ...['{', '}', '[', ']', ',', ':', '"', '\\', '\\u0000', '\\ud800', '\\udc00', '\u{feff}'],
  ...['\u{85}', '\u{200b}', '\u{1f600}', '\u{e0041}', ' ', '\n', '\t', 'null', 'true', 'false'],
  ...['-1', '0', '1e3', '0.5', '255', '256', '2000', '2001', '65535', '65536', '4294967295'],
  ...['4294967296', '9007199254740991', '9007199254740992', '18446744073709551615'],
  ...['__proto__', 'constructor', 'https://', 'http://[::1]', ':65536', '/#', '-', 'O', 'I', 'U'],
].map((word) => new TextEncoder().encode(word));

const BYTES = [0x00, 0x01, 0x02, 0x03, 0x10, 0x13, 0x14, 0x1f, 0x20, 0x7f, 0x80, 0xc0, 0xff];

type Mutation = (input: Uint8Array, other: Uint8Array, chance: Chance) => Uint8Array;

/** `input` with its part from `from` to `to` replaced. */
function put(input: Uint8Array, from: number, to: number, part: Uint8Array): Uint8Array {
  const made = new Uint8Array(from + part.length + input.length - to);
  made.set(input.subarray(0, from));
  made.set(part, from);
  made.set(input.subarray(to), from + part.length);
  return made;
}

function part(of: Uint8Array, chance: Chance): [number, number] {
  const from = chance.below(of.length + 1);
  return [from, from + chance.below(Math.min(of.length - from, 32) + 1)];
}

const MUTATIONS: readonly Mutation[] = [
  (input, _, chance) => {
    const made = input.slice();
    const at = chance.below(made.length || 1);
    if (at < made.length) made[at] = (made[at] ?? 0) ^ (1 << chance.below(8));
    return made;
  },
  (input, _, chance) => {
    const at = chance.below(input.length + 1);
    const to = Math.min(at + chance.below(2), input.length);
    const byte = chance.below(2) === 0 ? chance.of(BYTES) : chance.below(256);
    return put(input, at, to, Uint8Array.of(byte));
  },
  (input, _, chance) => put(input, ...part(input, chance), new Uint8Array(0)),
  (input, _, chance) => input.slice(0, chance.below(input.length + 1)),
  (input, _, chance) => put(input, ...part(input, chance), chance.of(WORDS)),
  (input, _, chance) => {
    const at = chance.below(input.length + 1);
    return put(input, at, at, chance.of(WORDS));
  },
  (input, _, chance) => {
    const at = chance.below(input.length + 1);
    return put(input, at, at, input.slice(...part(input, chance)));
  },
  (input, other, chance) => put(input, ...part(input, chance), other.slice(...part(other, chance))),
  (input, other, chance) =>
    put(input, chance.below(input.length + 1), input.length, other.slice(...part(other, chance))),
];

/** An input that is some steps away from `input`; parts of it may be of `other`. */
export function mutated(input: Uint8Array, other: Uint8Array, chance: Chance): Uint8Array {
  let made = input;
  for (let steps = 1 + chance.below(4); steps > 0; steps -= 1) {
    made = chance.of(MUTATIONS)(made, other, chance);
  }
  return made;
}
