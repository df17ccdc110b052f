/** The pairing link: `BASE/#`, 12 characters of code, 52 characters of the daemon's key. */
import { formatAddress, parseAddress } from './address';
import { CODE_LENGTH, type Code } from './code';
import { decode, encode, encodedLength, normalize } from './crockford';
import { trimmed } from './name';
import { KX_KEY } from './sodium';

export { baseOf } from './address';

/** An offer as a URL. It holds the code, so it is as secret as the code. */
export interface PairingLink {
  /** Where the daemon is: `http://host:port`, lower-case. */
  readonly base: string;
  readonly code: Code;
  /** The key that the daemon must prove, 32 bytes. */
  readonly daemonKey: Uint8Array;
}

const FRAGMENT = CODE_LENGTH + encodedLength(KX_KEY);

/** Reads a pairing link, white space around it forgiven; `undefined` when it is none. */
export function parseLink(text: string): PairingLink | undefined {
  const whole = trimmed(text);
  const split = whole.indexOf('/#');
  if (split < 0) return undefined;
  const address = parseAddress(whole.slice(0, split));
  const canonical = normalize(whole.slice(split + 2));
  if (address === undefined || canonical?.length !== FRAGMENT) return undefined;
  const daemonKey = decode(canonical.slice(CODE_LENGTH), KX_KEY);
  if (daemonKey === undefined) return undefined;
  const code = canonical.slice(0, CODE_LENGTH) as Code;
  return { base: formatAddress(address), code, daemonKey };
}

/** The link as a person may copy it. */
export function formatLink(link: PairingLink): string {
  return `${link.base}/#${link.code}${encode(link.daemonKey)}`;
}

/** The link for a QR: all but `#` fits the alphanumeric mode. */
export function qrText(link: PairingLink): string {
  return `${link.base.toUpperCase()}/#${link.code}${encode(link.daemonKey)}`;
}
