/** What the page was opened with. It is taken before anything else runs. */

/** The parts of `window` that hold the address. */
export interface AddressBar {
  readonly location: Pick<Location, 'href' | 'origin' | 'pathname' | 'search' | 'hash'>;
  readonly history: Pick<History, 'replaceState'>;
}

/**
 * Takes all but the origin out of the address bar and out of the history entry, if there is a
 * fragment.
 * @returns the pairing link that the page was opened with, unchecked and secret, or undefined when
 *   there was no fragment.
 */
export function takeLink({ location, history }: AddressBar): string | undefined {
  const { href, hash, origin, pathname, search } = location;
  if (!href.includes('#')) return undefined;
  // The page has one place; a path that begins with two slashes would name another host.
  history.replaceState(null, '', '/');
  return hash.length > 1 ? origin + pathname + search + hash : undefined;
}
