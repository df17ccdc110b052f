/** Links in a terminal: what a program wrote is not trusted, so the real target is shown first. */

import type { ILinkHandler } from '@xterm/xterm';

/** A longer target is not a link that anybody can check. */
const LONGEST = 2048;

/** What a link leads to, in parts that a person can check. */
export interface LinkTarget {
  /** Normalised, with a host name in ASCII. */
  readonly href: string;
  readonly host: string;
}

/**
 * Reads a link's target.
 * @returns undefined for anything but http and https, for one with a user name in it (it makes a
 *   host look like another), and for one that is too long
 */
export function linkTarget(text: string): LinkTarget | undefined {
  if (text.length > LONGEST || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
  if (url.username !== '' || url.password !== '') return undefined;
  return { href: url.href, host: url.host };
}

/** Opens a target that its user has seen and confirmed, in a page that knows nothing of this one. */
export function openLink(target: LinkTarget): void {
  window.open(target.href, '_blank', 'noopener,noreferrer');
}

/** The handler of links that programs mark themselves (OSC 8). */
export function linkHandler(ask: (target: LinkTarget) => void): ILinkHandler {
  return {
    activate: (_event, text) => {
      const target = linkTarget(text);
      if (target) ask(target);
    },
    allowNonHttpProtocols: false,
  };
}
