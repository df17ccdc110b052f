/** Who hears of something. */

export class Listeners<T> {
  readonly #all = new Set<(value: T) => void>();

  get size(): number {
    return this.#all.size;
  }

  /** Calls `listener` each time until the returned function is called. */
  add(listener: (value: T) => void): () => void {
    // A function of its own, so that one that is added twice is called twice.
    const entry = (value: T) => listener(value);
    this.#all.add(entry);
    return () => this.#all.delete(entry);
  }

  /** A listener that throws keeps nothing from the others, nor from who tells. */
  tell(value: T): void {
    for (const listener of [...this.#all]) {
      try {
        listener(value);
      } catch (error) {
        throwLater(error);
      }
    }
  }

  clear(): void {
    this.#all.clear();
  }
}

/** Throws where nobody is held up by it, and whoever watches the page sees it. */
export function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
