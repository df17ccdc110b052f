/** What the tests of the protocol share: the vectors, and settings of fast-check. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect } from 'vitest';
import { type Failure, ProtocolError } from '../../src/protocol/error';

fc.configureGlobal({ seed: 20_260_817, numRuns: 100 });

export { fc };

export function vectors(name: string): any {
  return JSON.parse(readFileSync(new URL(`../../../vectors/${name}`, import.meta.url), 'utf8'));
}

export function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** How `run` failed; it must fail, and in no other way than by a ProtocolError. */
export function failure(run: () => unknown): Failure {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error.failure;
    throw error;
  }
  return expect.fail('nothing was rejected');
}

/** `bytes` with one bit changed. */
export function flipped(bytes: Uint8Array, at: number, bit = 0): Uint8Array {
  const copy = bytes.slice();
  copy[at] = (copy[at] ?? 0) ^ (1 << bit);
  return copy;
}

type Field =
  | ('typed' | 'canonical' | 'printed' | 'why')
  | ('base' | 'code' | 'spk' | 'link' | 'fingerprint')
  | ('header' | 'record');

/** A list of a vector file, for `it.each`; each file has its own of these fields. */
export function cases(list: unknown): readonly Readonly<Record<Field, string>>[] {
  return list as readonly Readonly<Record<Field, string>>[];
}
