/** Which blocks of the app's protocol ran, and how often: what guides the fuzzer. */

/** More than there are blocks. */
const MOST = 1 << 14;

declare global {
  /** One counter a block, from `counters.ts`. */
  var blocks: Uint32Array;
}

globalThis.blocks = new Uint32Array(MOST);

/** Counts as classes, one bit each: it matters whether a loop ran once more when it ran seldom. */
function classOf(count: number): number {
  return 1 << (count < 4 ? count : Math.min(2 + Math.floor(Math.log2(count)), 31));
}

/** What ran so far. */
export class Coverage {
  readonly #seen = new Uint32Array(MOST);

  /** The blocks that ran, and the classes of how often. */
  get size(): { readonly blocks: number; readonly classes: number } {
    const ran = [...this.#seen].filter((classes) => classes !== 0);
    const classes = ran.map((classes) => classes.toString(2).replaceAll('0', '').length);
    return { blocks: ran.length, classes: classes.reduce((sum, some) => sum + some, 0) };
  }

  /** Whether something ran since the last call that never ran so often before. */
  isNew(): boolean {
    let isNew = false;
    for (let block = 0; block < MOST; block += 1) {
      const count = globalThis.blocks[block] ?? 0;
      if (count === 0) continue;
      globalThis.blocks[block] = 0;
      const seen = this.#seen[block] ?? 0;
      const now = seen | classOf(count);
      this.#seen[block] = now;
      isNew ||= now !== seen;
    }
    return isNew;
  }
}
