/** Which of this browser's daemons a page is about. */

import type { KnownDaemon } from '../device/types';

/**
 * @param daemons in the order in which their pairings were begun
 * @returns the daemon at `address`: a finished pairing, or else the first that was begun
 */
export function daemonAt(
  daemons: readonly KnownDaemon[],
  address: string,
): KnownDaemon | undefined {
  const here = daemons.filter((one) => one.address === address);
  return here.find((one) => one.state === 'paired') ?? here[0];
}
