/**
 * Feeds a terminal: bytes in order, no more at a time than keeps it busy, so that what a snapshot
 * makes void can be dropped instead of being drawn.
 */

/** Bytes that the terminal may hold unparsed. More only delays a snapshot. */
export const HIGH_WATER = 131_072;

/** From so many on, what is parsed is gone from the screen before it is read… */
const RUSHING = HIGH_WATER / 2;

/** …until all was parsed and no more came for so many milliseconds: between bursts is no pause. */
export const CALM_AFTER = 10;

/** The least that counts as more, in bytes. What trickles behind a rush is to be seen. */
export const BURST = HIGH_WATER / 8;

/** What the feed drives: xterm.js, as far as it needs it. */
export interface Parser {
  /** Takes bytes and calls back when they are parsed. */
  write(bytes: Uint8Array, parsed: () => void): void;
}

type Step =
  | { readonly bytes: Uint8Array; readonly shown: () => void }
  /** Something to be done when everything before it is parsed. */
  | { readonly act: () => void };

export class Feed {
  /** Called when output stops coming faster than it can be shown. */
  calmed: (() => void) | undefined;
  readonly #parser: Parser;
  #steps: Step[] = [];
  /** Bytes that the parser holds. */
  #held = 0;
  #rushing = false;
  #calming: ReturnType<typeof setTimeout> | undefined;
  #pumping = false;

  constructor(parser: Parser) {
    this.#parser = parser;
  }

  /** Whether output comes faster than it can be shown. */
  get isRushing(): boolean {
    return this.#rushing;
  }

  /** Adds bytes. `shown` is called once: when they are parsed, or dropped. */
  write(bytes: Uint8Array, shown: () => void): void {
    this.#steps.push({ bytes, shown });
    this.#pump();
  }

  /** Does something when all that was written before is parsed. */
  then(act: () => void): void {
    this.#steps.push({ act });
    this.#pump();
  }

  /** Drops everything that the terminal does not hold yet; it counts as shown. */
  drop(): void {
    const dropped = this.#steps;
    this.#steps = [];
    for (const step of dropped) if ('shown' in step) step.shown();
  }

  #pump(): void {
    // A write may call back before it returns.
    if (this.#pumping) return;
    this.#pumping = true;
    for (let step = this.#steps[0]; step && this.#mayTake(step); step = this.#steps[0]) {
      this.#steps.shift();
      if ('act' in step) step.act();
      else this.#hand(step.bytes, step.shown);
    }
    this.#pumping = false;
  }

  #mayTake(step: Step): boolean {
    return 'act' in step ? this.#held === 0 : this.#held < HIGH_WATER;
  }

  #hand(bytes: Uint8Array, shown: () => void): void {
    if (bytes.length >= BURST) this.#stir();
    this.#held += bytes.length;
    this.#rushing ||= this.#held >= RUSHING;
    this.#parser.write(bytes, () => {
      this.#held -= bytes.length;
      if (this.#rushing && this.#held === 0) {
        this.#calming ??= setTimeout(() => this.#calm(), CALM_AFTER);
      }
      shown();
      this.#pump();
    });
  }

  #stir(): void {
    clearTimeout(this.#calming);
    this.#calming = undefined;
  }

  #calm(): void {
    this.#calming = undefined;
    // A burst came in small chunks: it is not over before they are parsed.
    if (this.#held >= RUSHING) return;
    this.#rushing = false;
    this.calmed?.();
  }
}
