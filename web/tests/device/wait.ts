/** Waiting for what will be, without sleeping for a fixed time. */

import type { Link, LinkState } from '../../src/device/types';

/** Resolves with what `look` returns as soon as that is something. */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  patience = 45_000,
): Promise<T> {
  const late = Date.now() + patience;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (Date.now() > late) throw new Error(`it never came: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Lets so many milliseconds go by, where what is tried comes at odd times. */
export function lasting(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Resolves when the link is in such a state. */
export function linkIs(link: Link, state: LinkState['state'], patience?: number): Promise<true> {
  return until(`the link is ${state}`, () => link.state.state === state, patience);
}
