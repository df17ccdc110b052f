/** Leaves for another daemon's page. */

import { settings } from '../settings.svelte';
import type { LinkTarget } from './link-target';

/** Goes there with the link's fragment, which no request carries. */
export function openTarget({ origin, host, href }: LinkTarget): void {
  settings.remember({ address: origin, name: host });
  window.location.assign(href);
}
