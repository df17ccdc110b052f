/** The time, for what is shown of it: whoever reads it is drawn again each second. */

import { createSubscriber } from 'svelte/reactivity';

const subscribe = createSubscriber((update) => {
  const timer = setInterval(update, 1000);
  document.addEventListener('visibilitychange', update);
  return () => {
    clearInterval(timer);
    document.removeEventListener('visibilitychange', update);
  };
});

/** `Date.now()`, in milliseconds. */
export function nowMillis(): number {
  subscribe();
  return Date.now();
}

/** Seconds since 1970. */
export function nowSeconds(): number {
  return Math.floor(nowMillis() / 1000);
}
