/** Finds plain addresses in what a terminal shows. */

import { WebLinksAddon } from '@xterm/addon-web-links';
import type { IDisposable, Terminal } from '@xterm/xterm';
import { type LinkTarget, linkTarget } from './links';

/**
 * Loaded with the terminal, and not behind it: it is small, and a part that can fail by itself
 * would leave a terminal whose links are dead.
 */
export function findLinks(terminal: Terminal, ask: (target: LinkTarget) => void): IDisposable {
  const addon = new WebLinksAddon((_event, text) => {
    const target = linkTarget(text);
    if (target) ask(target);
  });
  terminal.loadAddon(addon);
  return addon;
}
