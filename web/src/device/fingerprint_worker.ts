/** Computes fingerprints in a Worker, one behind the other. */

import { fingerprintOf } from '../protocol/fingerprint';
import { ready } from '../protocol/sodium';

/** What the page asks: the fingerprint of a daemon's key. */
export interface Question {
  readonly number: number;
  readonly spk: Uint8Array;
}

/** `print` is absent when it could not be computed. */
export interface Answer {
  readonly number: number;
  readonly print?: string;
}

addEventListener('message', async ({ data }: MessageEvent<Question>) => {
  let answer: Answer = { number: data.number };
  try {
    await ready;
    answer = { number: data.number, print: fingerprintOf(data.spk) };
  } catch {
    // Said by the absence of a print.
  }
  postMessage(answer);
});
