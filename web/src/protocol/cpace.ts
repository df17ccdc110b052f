/**
 * CPACE-RISTR255-SHA512 of draft-irtf-cfrg-cpace-21, initiator-responder, with explicit key
 * confirmation in BLAKE2b. The initiator is the device.
 */
import { ascii, concat, elementFromHash, keyed, multiply, sha512, wipe } from './sodium';

const DSI = ascii('CPaceRistretto255');
const DSI_ISK = ascii('CPaceRistretto255_ISK');
const SHA512_BLOCK = 128;

/** What one end sends: its element and its associated data. */
export interface Share {
  readonly element: Uint8Array;
  readonly data: Uint8Array;
}

/** leb(length) ‖ part, for each part. */
export function lvCat(...parts: readonly Uint8Array[]): Uint8Array {
  return concat(...parts.flatMap((part) => [leb(part.length), part]));
}

function leb(length: number): Uint8Array {
  const bytes: number[] = [];
  let rest = length;
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>= 7;
  }
  return Uint8Array.of(...bytes, rest);
}

/** The string that is hashed to the generator, padded so that hashing takes one time. */
export function generatorString(
  password: Uint8Array,
  channel: Uint8Array,
  sid: Uint8Array,
): Uint8Array {
  const prefix = lvCat(DSI, password);
  const zeros = new Uint8Array(Math.max(0, SHA512_BLOCK - 1 - prefix.length));
  return concat(prefix, lvCat(zeros, channel, sid));
}

/** The generator that the password, the channel identifier and the session yield. */
export function generator(password: Uint8Array, channel: Uint8Array, sid: Uint8Array): Uint8Array {
  const string = generatorString(password, channel, sid);
  const digest = sha512(string);
  const element = elementFromHash(digest);
  wipe(string, digest);
  return element;
}

/** lv_cat(Ya, ADa) ‖ lv_cat(Yb, ADb) */
export function transcriptIr(initiator: Share, responder: Share): Uint8Array {
  return concat(encoded(initiator), encoded(responder));
}

/**
 * ISK, the 64-byte key that both ends agree on; `undefined` when `other` is no element or the
 * identity: abort.
 */
export function intermediateKey(
  sid: Uint8Array,
  scalar: Uint8Array,
  other: Uint8Array,
  transcript: Uint8Array,
): Uint8Array | undefined {
  const shared = multiply(scalar, other);
  if (shared === undefined) return undefined;
  const head = lvCat(DSI_ISK, sid, shared);
  const isk = sha512(head, transcript);
  wipe(shared, head);
  return isk;
}

/** The tags (32 bytes each) by which both ends confirm that they have the same ISK. */
export function confirmations(
  sid: Uint8Array,
  isk: Uint8Array,
  initiator: Share,
  responder: Share,
): { initiator: Uint8Array; responder: Uint8Array } {
  const key = sha512(ascii('CPaceMac'), sid, isk);
  const tags = {
    initiator: keyed(key, 32, encoded(initiator)),
    responder: keyed(key, 32, encoded(responder)),
  };
  wipe(key);
  return tags;
}

function encoded(share: Share): Uint8Array {
  return lvCat(share.element, share.data);
}
