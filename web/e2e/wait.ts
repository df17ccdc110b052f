/** The only place of these tests where time itself is waited for. */

/** How often a condition is looked at, in milliseconds. */
const LOOK_EVERY = 30;

/** Waits a moment between two looks at what is to become true. */
export function betweenLooks(): Promise<void> {
  return lasting(LOOK_EVERY);
}

/** Lets what is tried last for so many milliseconds: a phone without a network for half a minute. */
export function lasting(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
