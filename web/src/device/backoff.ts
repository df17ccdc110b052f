/** When to try again. */

/** The first wait, in milliseconds. */
const FIRST = 250;
/** What no wait exceeds, in milliseconds. */
export const LONGEST = 30_000;
/** What the wait before an attempt that may work at once is a random part of, in milliseconds. */
const AT_ONCE = 100;

/**
 * The waits of one series of attempts: doubling, each shortened by a random part of up to a half,
 * so that devices that lost the same daemon do not come back all at once.
 */
export class Backoff {
  #next: number;

  constructor(
    first = FIRST,
    private readonly longest = LONGEST,
  ) {
    this.#next = first;
  }

  /** @returns the next wait, in milliseconds: a half to the whole of what it is, `least` or more. */
  next(least = 0): number {
    const wait = Math.max(this.#next, least);
    this.#next = Math.min(this.#next * 2, this.longest);
    return wait * (0.5 + Math.random() / 2);
  }
}

/** @returns the wait before an attempt that is made at once, in milliseconds. */
export function atOnce(): number {
  return Math.random() * AT_ONCE;
}
