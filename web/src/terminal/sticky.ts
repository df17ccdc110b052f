/** Ctrl and Alt of the key bar: held for the next key, or until they are tapped again. */

import { type Modifiers, NO_MODIFIERS } from './keys';

export type Hold = 'off' | 'once' | 'locked';
export type StickyKey = 'ctrl' | 'alt';
export type Held = Readonly<Record<StickyKey, Hold>>;

export const NOTHING_HELD: Held = { ctrl: 'off', alt: 'off' };

/** Two taps within this many milliseconds are a double tap, which locks. */
export const DOUBLE_TAP = 400;

/**
 * What is held after a tap on one of both.
 * @param sinceLast milliseconds since this key was tapped before
 */
export function tap(held: Held, key: StickyKey, sinceLast: number): Held {
  const next: Record<Hold, Hold> = {
    off: 'once',
    once: sinceLast <= DOUBLE_TAP ? 'locked' : 'off',
    locked: 'off',
  };
  return { ...held, [key]: next[held[key]] };
}

/** What is held after a key: what was held for one key is not any more. */
export function spend(held: Held): Held {
  const after = (hold: Hold): Hold => (hold === 'once' ? 'off' : hold);
  return { ctrl: after(held.ctrl), alt: after(held.alt) };
}

export function modifiers(held: Held): Modifiers {
  if (held.ctrl === 'off' && held.alt === 'off') return NO_MODIFIERS;
  return { ctrl: held.ctrl !== 'off', alt: held.alt !== 'off' };
}
