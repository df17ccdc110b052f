/** Whether list and terminal stand side by side. */

import { MediaQuery } from 'svelte/reactivity';

export const wide = new MediaQuery('min-width: 900px');
