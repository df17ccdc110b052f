/** An address of this computer whose pages no browser takes for secure. */

import { lookup } from 'node:dns/promises';
import { hostname, networkInterfaces } from 'node:os';

export interface PlainPlace {
  /** The address of a daemon there, without the port. */
  readonly origin: string;
  /** The IPv4 address at which it listens. */
  readonly bind: string;
}

/** The host name where it leads here; else the address of a network. */
export async function plainPlace(): Promise<PlainPlace> {
  const name = hostname();
  const known = await lookup(name, { family: 4 }).catch(() => undefined);
  const own = Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .filter(({ family }) => family === 'IPv4');
  const leadsHere = (address: string) =>
    address.startsWith('127.') || own.some((one) => one.address === address);
  // Names of localhost are secure to browsers.
  if (known && leadsHere(known.address) && !/(^|\.)localhost$/i.test(name)) {
    return { origin: `http://${name}`, bind: known.address };
  }
  const outside = own.find(({ internal }) => !internal);
  if (!outside) throw new Error('this computer has neither a name nor a network');
  return { origin: `http://${outside.address}`, bind: outside.address };
}
