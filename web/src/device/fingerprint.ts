/**
 * Fingerprints, computed beside the page: Argon2id takes 64 MiB and most of a second, and the
 * memory of WebAssembly is given back only when its Worker ends.
 */

import type { Answer, Question } from './fingerprint_worker';

/** What computes fingerprints. */
export interface Fingerprints {
  /**
   * @param spk the daemon's key, 32 bytes
   * @returns `XXXX-XXXX`; the promise fails when it cannot be computed.
   */
  of(spk: Uint8Array): Promise<string>;
  /** Gives its memory back. What it has not answered yet fails. */
  end(): void;
}

/** Fingerprints from a Worker of their own, which begins to load at once. */
export function workerFingerprints(): Fingerprints {
  const worker = new Worker(new URL('./fingerprint_worker.ts', import.meta.url), {
    type: 'module',
  });
  const waiting = new Map<number, { done: (print: string) => void; fail: (why: Error) => void }>();
  let number = 0;
  let over: Error | undefined;
  const fail = (why: string) => {
    over = new Error(why);
    for (const { fail } of waiting.values()) fail(over);
    waiting.clear();
  };
  worker.onmessage = ({ data }: MessageEvent<Answer>) => {
    const asked = waiting.get(data.number);
    waiting.delete(data.number);
    if (data.print === undefined) asked?.fail(new Error('the fingerprint could not be computed'));
    else asked?.done(data.print);
  };
  worker.onerror = () => fail('the fingerprint could not be computed');
  return {
    of(spk) {
      if (over) return Promise.reject(over);
      const question: Question = { number: number++, spk };
      return new Promise((done, fail) => {
        waiting.set(question.number, { done, fail });
        worker.postMessage(question);
      });
    },
    end() {
      worker.terminate();
      fail('the fingerprint is not wanted any more');
    },
  };
}

/** The same, with each fingerprint computed once. */
export function computedOnce(prints: Fingerprints): Fingerprints {
  const known = new Map<string, Promise<string>>();
  return {
    of(spk) {
      const key = spk.join();
      const print = known.get(key) ?? prints.of(spk);
      known.set(key, print);
      return print;
    },
    end: () => prints.end(),
  };
}
