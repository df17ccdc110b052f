/**
 * The only importer of libsodium: narrow functions whose lengths are checked.
 *
 * Nothing here may be called before `ready` has resolved. Secrets that a caller gets are the
 * caller's to `wipe`. Copies inside the WebAssembly heap are out of reach, except the states of
 * record streams, which are wiped and freed.
 */
import sodium from 'libsodium-wrappers-sumo';
import { UsageError } from './error';

/** Resolves when libsodium can be used. */
export const ready: Promise<void> = sodium.ready;

export const KX_KEY = 32;
export const ELEMENT = 32;
export const KEM_PUBLIC = 1184;
export const KEM_CIPHERTEXT = 1088;
export const AEAD_OVERHEAD = 16;
export const STREAM_HEADER = 24;
export const STREAM_OVERHEAD = 17;

/** A `crypto_kx` key pair: 32 and 32 bytes. */
export interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

/** An ML-KEM-768 key pair: 1184 and 2400 bytes. */
export interface KemKeyPair {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

/** What an encapsulation makes: `ciphertext` (1088 bytes) to send, `shared` (32) to keep. */
export interface Encapsulated {
  readonly ciphertext: Uint8Array;
  readonly shared: Uint8Array;
}

export type Role = 'device' | 'daemon';

// The wrapper takes strings for bytes, and some of its functions check no length.
function check(bytes: Uint8Array, length: number): void {
  if (!(bytes instanceof Uint8Array) || bytes.length !== length) {
    throw new UsageError(`wanted ${length} bytes`);
  }
}

/** The parts one behind the other. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const encoder = new TextEncoder();

/** The bytes of ASCII text. */
export function ascii(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Overwrites secrets that are needed no more. */
export function wipe(...secrets: readonly Uint8Array[]): void {
  for (const secret of secrets) secret.fill(0);
}

/** Whether both are the same bytes, in constant time for equal lengths. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && sodium.memcmp(a, b);
}

/** `length` bytes from libsodium's generator. */
export function randomBytes(length: number): Uint8Array {
  return sodium.randombytes_buf(length);
}

/** A keyboard's number: 53 random bits. */
export function randomKeyboard(): number {
  const view = new DataView(randomBytes(8).slice().buffer);
  return (view.getUint32(0) & 0x1f_ffff) * 2 ** 32 + view.getUint32(4);
}

/** H(parts): BLAKE2b, 64 bytes. */
export function hash(...parts: readonly Uint8Array[]): Uint8Array {
  return sodium.crypto_generichash(64, concat(...parts), null);
}

/** P(key, length, parts): keyed BLAKE2b; the key has 32 or 64 bytes. */
export function keyed(
  key: Uint8Array,
  length: 32 | 64,
  ...parts: readonly Uint8Array[]
): Uint8Array {
  if (key.length !== 32) check(key, 64);
  const message = concat(...parts);
  const out = sodium.crypto_generichash(length, message, key);
  wipe(message);
  return out;
}

/** SHA-512 of the parts; their concatenation is wiped. */
export function sha512(...parts: readonly Uint8Array[]): Uint8Array {
  const message = concat(...parts);
  const out = sodium.crypto_hash_sha512(message);
  wipe(message);
  return out;
}

/** SEAL(key, data, plaintext): `plaintext` and 16 bytes. A key seals once; it is wiped. */
export function seal(key: Uint8Array, data: Uint8Array, plaintext: Uint8Array): Uint8Array {
  check(key, 32);
  const nonce = new Uint8Array(24);
  const out = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, data, null, nonce, key);
  wipe(key);
  return out;
}

/** OPEN(key, data, sealed), or `undefined` when it was not sealed so. The key is wiped. */
export function open(
  key: Uint8Array,
  data: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  check(key, 32);
  if (sealed.length < AEAD_OVERHEAD) return undefined;
  try {
    const nonce = new Uint8Array(24);
    return sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(null, sealed, data, nonce, key);
  } catch {
    return undefined;
  } finally {
    wipe(key);
  }
}

function keyPair(made: { publicKey: Uint8Array; privateKey: Uint8Array }): KeyPair {
  return { publicKey: made.publicKey, secretKey: made.privateKey };
}

/** A `crypto_kx` key pair; `seed` (32 bytes) is for test vectors alone. */
export function kxKeyPair(seed?: Uint8Array): KeyPair {
  if (seed === undefined) return keyPair(sodium.crypto_kx_keypair());
  check(seed, 32);
  return keyPair(sodium.crypto_kx_seed_keypair(seed));
}

/** KX(D, S), 64 bytes, seen from `role`; `undefined` when `other` is of low order. */
export function kx(role: Role, own: KeyPair, other: Uint8Array): Uint8Array | undefined {
  for (const key of [own.publicKey, own.secretKey, other]) check(key, KX_KEY);
  const agree =
    role === 'device' ? sodium.crypto_kx_client_session_keys : sodium.crypto_kx_server_session_keys;
  try {
    const { sharedRx: rx, sharedTx: tx } = agree(own.publicKey, own.secretKey, other);
    const both = role === 'device' ? concat(rx, tx) : concat(tx, rx);
    wipe(rx, tx);
    return both;
  } catch {
    return undefined;
  }
}

/** An ML-KEM-768 key pair; `seed` (64 bytes) is for test vectors alone. */
export function kemKeyPair(seed?: Uint8Array): KemKeyPair {
  if (seed === undefined) return keyPair(sodium.crypto_kem_mlkem768_keypair());
  check(seed, 64);
  return keyPair(sodium.crypto_kem_mlkem768_seed_keypair(seed));
}

/**
 * Encapsulates for a device's key (1184 bytes), or `undefined` when it is malformed; `seed`
 * (32 bytes) is for test vectors alone.
 */
export function kemEncapsulate(publicKey: Uint8Array, seed?: Uint8Array): Encapsulated | undefined {
  check(publicKey, KEM_PUBLIC);
  try {
    const made =
      seed === undefined
        ? sodium.crypto_kem_mlkem768_enc(publicKey)
        : sodium.crypto_kem_mlkem768_enc_deterministic(publicKey, seed);
    return { ciphertext: made.ciphertext, shared: made.sharedSecret };
  } catch {
    return undefined;
  }
}

/** The shared secret (32 bytes) of a ciphertext (1088); a forged one yields another secret. */
export function kemDecapsulate(own: KemKeyPair, ciphertext: Uint8Array): Uint8Array {
  check(ciphertext, KEM_CIPHERTEXT);
  return sodium.crypto_kem_mlkem768_dec(ciphertext, own.secretKey);
}

/** A random scalar of ristretto255, 32 bytes. */
export function randomScalar(): Uint8Array {
  return sodium.crypto_core_ristretto255_scalar_random();
}

/** The group element of a 64-byte hash. */
export function elementFromHash(digest: Uint8Array): Uint8Array {
  check(digest, 64);
  return sodium.crypto_core_ristretto255_from_hash(digest);
}

/** `scalar` times `element`; `undefined` for a bad encoding, and for the identity either way. */
export function multiply(scalar: Uint8Array, element: Uint8Array): Uint8Array | undefined {
  check(scalar, 32);
  check(element, ELEMENT);
  try {
    return sodium.crypto_scalarmult_ristretto255(scalar, element);
  } catch {
    return undefined;
  }
}

/**
 * Argon2id, 32 bytes out, 3 passes over 64 MiB. It blocks for some tenths of a second, and the
 * memory stays with the heap: run it in a worker that is ended afterwards.
 */
export function argon2id(password: Uint8Array, salt: Uint8Array): Uint8Array {
  check(salt, 16);
  const algorithm = sodium.crypto_pwhash_ALG_ARGON2ID13;
  return sodium.crypto_pwhash(32, password, salt, 3, 67_108_864, algorithm);
}

export const TAG_MESSAGE = 0x00;
export const TAG_REKEY = 0x02;
export const TAG_FINAL = 0x03;
export type Tag = typeof TAG_MESSAGE | typeof TAG_REKEY | typeof TAG_FINAL;

type StateAddress = ReturnType<typeof sodium.crypto_secretstream_xchacha20poly1305_init_pull>;

// `state` is a bare address in the heap, which the wrapper neither wipes nor frees.
const STATE_BYTES = 52;
interface Heap {
  readonly HEAPU8: Uint8Array;
  _free(address: number): void;
}

abstract class Stream {
  #state: StateAddress | undefined;

  protected constructor(state: StateAddress) {
    this.#state = state;
  }

  protected get state(): StateAddress {
    if (this.#state === undefined) throw new UsageError('this stream is over');
    return this.#state;
  }

  /** Wipes and frees the state; the stream is over. */
  close(): void {
    if (this.#state === undefined) return;
    const address = this.#state as unknown as number;
    const heap = (sodium as unknown as { libsodium: Heap }).libsodium;
    heap.HEAPU8.fill(0, address, address + STATE_BYTES);
    heap._free(address);
    this.#state = undefined;
  }
}

/** The sending end of a secretstream. */
export class Push extends Stream {
  /** The stream under `key` (32 bytes), and the header for the other end. */
  static begin(key: Uint8Array): { push: Push; header: Uint8Array } {
    check(key, 32);
    const { state, header } = sodium.crypto_secretstream_xchacha20poly1305_init_push(key);
    return { push: new Push(state), header };
  }

  /** With a given header, for test vectors alone: both ends' states are the same. */
  static withHeader(key: Uint8Array, header: Uint8Array): Push {
    check(key, 32);
    check(header, STREAM_HEADER);
    return new Push(sodium.crypto_secretstream_xchacha20poly1305_init_pull(header, key));
  }

  /** The next record of `padded`. */
  push(padded: Uint8Array, tag: Tag): Uint8Array {
    return sodium.crypto_secretstream_xchacha20poly1305_push(this.state, padded, null, tag);
  }
}

/** The receiving end of a secretstream. */
export class Pull extends Stream {
  static begin(key: Uint8Array, header: Uint8Array): Pull {
    check(key, 32);
    check(header, STREAM_HEADER);
    return new Pull(sodium.crypto_secretstream_xchacha20poly1305_init_pull(header, key));
  }

  /** What a record held, or `undefined` when it is not the next one: then close the stream. */
  pull(record: Uint8Array): { padded: Uint8Array; tag: number } | undefined {
    if (record.length < STREAM_OVERHEAD) return undefined;
    const opened = sodium.crypto_secretstream_xchacha20poly1305_pull(this.state, record, null);
    return opened === false ? undefined : { padded: opened.message, tag: opened.tag };
  }
}
