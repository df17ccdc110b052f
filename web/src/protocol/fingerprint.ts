/** The fingerprint: 40 bits that name the daemon's key to a human, `ZMYR-C1HG`. */
import { decode, encode, normalize } from './crockford';
import { UsageError } from './error';
import { argon2id, ascii, concat, KX_KEY } from './sodium';

const BYTES = 5;

/**
 * The fingerprint of a daemon's key (32 bytes), `XXXX-XXXX`. It takes 64 MiB and blocks for
 * some tenths of a second: call it in a worker, and end that afterwards. Throws when there is
 * no memory for it.
 */
export function fingerprintOf(daemonKey: Uint8Array): string {
  if (daemonKey.length !== KX_KEY) throw new UsageError('a daemon key has 32 bytes');
  const salt = concat(ascii('codeout-fpr-v1'), new Uint8Array(2));
  return printed(argon2id(daemonKey, salt).subarray(0, BYTES));
}

/** What a person typed, as `XXXX-XXXX`, with the forgiveness of a code; `undefined` if none. */
export function parseFingerprint(typed: string): string | undefined {
  const canonical = normalize(typed);
  const bytes = canonical === undefined ? undefined : decode(canonical, BYTES);
  return bytes && printed(bytes);
}

function printed(bytes: Uint8Array): string {
  const text = encode(bytes);
  return `${text.slice(0, 4)}-${text.slice(4)}`;
}
