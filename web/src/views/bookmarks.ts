/** Other daemons' pages, remembered as ways to get there. */

import { parseAddress } from '../protocol/address';

/** Another daemon's page, remembered as a way to get there. */
export interface Bookmark {
  readonly address: string;
  readonly name: string;
}

/**
 * Reads bookmarks that were stored, which are as trustworthy as this browser's disk.
 * @returns those that lead to a daemon's address and nowhere else
 */
export function readBookmarks(value: unknown): Bookmark[] {
  if (!Array.isArray(value)) return [];
  return value.filter(
    (one): one is Bookmark =>
      typeof one?.address === 'string' &&
      typeof one.name === 'string' &&
      parseAddress(one.address) !== undefined,
  );
}
