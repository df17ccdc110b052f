/** How a drag goes on when the finger is lifted. */

/** A drag whose last movement is older than this, in milliseconds, has come to rest. */
const REST = 60;
/** Movements of the last so many milliseconds count. */
const WINDOW = 100;
/** In how many milliseconds the speed falls to 1/e. */
const DECAY = 325;
/** Slower than this, in pixels per millisecond, it stops. */
const SLOWEST = 0.02;
const FASTEST = 6;

interface Sample {
  readonly at: number;
  readonly x: number;
  readonly y: number;
}

export interface Speed {
  /** Pixels per millisecond. */
  readonly x: number;
  readonly y: number;
}

/** Remembers where a finger was. */
export class Track {
  #samples: Sample[] = [];

  /** @param at milliseconds, never less than before */
  add(at: number, x: number, y: number): void {
    this.#samples.push({ at, x, y });
    this.#samples = this.#samples.filter((sample) => at - sample.at <= WINDOW);
  }

  /** How fast the finger was when it was lifted. */
  speed(at: number): Speed {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (!first || !last || last.at === first.at || at - last.at > REST) return { x: 0, y: 0 };
    const time = last.at - first.at;
    const limit = (value: number) => Math.min(Math.max(value, -FASTEST), FASTEST);
    return { x: limit((last.x - first.x) / time), y: limit((last.y - first.y) / time) };
  }
}

export interface Glide {
  readonly moved: Speed;
  readonly speed: Speed;
  readonly done: boolean;
}

/**
 * One step of a glide.
 * @param elapsed milliseconds since the last step
 * @returns how many pixels it moved, and how fast it is now
 */
export function glide(speed: Speed, elapsed: number): Glide {
  const left = Math.exp(-elapsed / DECAY);
  const way = DECAY * (1 - left);
  const next = { x: speed.x * left, y: speed.y * left };
  return {
    moved: { x: speed.x * way, y: speed.y * way },
    speed: next,
    done: Math.hypot(next.x, next.y) < SLOWEST,
  };
}
