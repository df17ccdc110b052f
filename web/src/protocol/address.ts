/** A daemon's address, the `base` of a pairing link: `http://192.168.1.20:8400`. */
import { trimmed } from './name';

/** The port that a daemon listens on unless told otherwise. */
export const DEFAULT_PORT = 8400;
const MAX_HOST = 253;

/** Scheme and host in lower case; no path, query or user name. */
export interface Address {
  readonly secure: boolean;
  /** A DNS name, an IPv4 address, or an IPv6 address in brackets. */
  readonly host: string;
  readonly port?: number;
}

const BASE = /^(https?):\/\/(\[[0-9a-f:.]*\]|[0-9a-z_][0-9a-z_.-]*)(?::([0-9]+))?$/;

/** Reads `http(s)://HOST[:PORT]`, any case, with nothing behind it. */
export function parseAddress(text: string): Address | undefined {
  // Characters outside ASCII match nothing below, but must not become ASCII here.
  const lower = text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  const [, scheme, host, port] = BASE.exec(lower) ?? [];
  if (host === undefined || host.length > MAX_HOST) return undefined;
  if (host.startsWith('[') && !host.includes(':')) return undefined;
  const secure = scheme === 'https';
  if (port === undefined) return { secure, host };
  const number = Number(port);
  return number >= 1 && number <= 65_535 ? { secure, host, port: number } : undefined;
}

/** `http://host:port`, as in a pairing link. */
export function formatAddress(address: Address): string {
  return `${address.secure ? 'https' : 'http'}://${authority(address)}`;
}

/**
 * The base of what a person typed, or `undefined`: the scheme may be left out (`http`), and with
 * it the port (8400); white space around it and one slash behind it are forgiven.
 */
export function baseOf(typed: string): string | undefined {
  const text = trimmed(typed).replace(/\/$/, '');
  const hasScheme = text.includes('://');
  const address = parseAddress(hasScheme ? text : `http://${text}`);
  if (address === undefined) return undefined;
  return formatAddress(hasScheme ? address : { port: DEFAULT_PORT, ...address });
}

/** Where a daemon's WebSocket is: `ws://host:port/ws`. */
export function webSocketOf(address: Address): string {
  return `${address.secure ? 'wss' : 'ws'}://${authority(address)}/ws`;
}

function authority({ host, port }: Address): string {
  return port === undefined ? host : `${host}:${port}`;
}
