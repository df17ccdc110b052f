/** Where a pairing link for another daemon leads. */

export interface LinkTarget {
  readonly host: string;
  readonly origin: string;
  /** The whole link; secret. */
  readonly href: string;
}

/** Reads a link's address; undefined when it is none that a page may go to. */
export function linkTarget(link: string): LinkTarget | undefined {
  if (!URL.canParse(link)) return undefined;
  const { protocol, host, origin, href, username, password } = new URL(link);
  const web = protocol === 'http:' || protocol === 'https:';
  return web && username === '' && password === '' ? { host, origin, href } : undefined;
}
