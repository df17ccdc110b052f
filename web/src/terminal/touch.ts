/** Fingers on a terminal: drag with momentum, pinch, and hold. A tap stays the browser's. */

import { glide, type Speed, Track } from './momentum';

/** Pixels that a finger may stray in a tap. */
const STRAY = 8;
/** Milliseconds after which a finger that rests is a hold. */
const HOLD = 500;
/** A drag that is so many times longer one way goes that way alone. */
const STRAIGHT = 1.7;

export interface TouchActions {
  /** A finger, or its momentum, moved what is seen by so many pixels right and down. */
  drag(x: number, y: number, at: Place): void;
  /** Two fingers go apart: by this factor since they came down. */
  pinch(factor: number): void;
  pinchStart(): void;
  hold(): void;
  /** Whether momentum is unwelcome. */
  calm(): boolean;
}

type Way = 'both' | 'x' | 'y';

export class Fingers {
  readonly #actions: TouchActions;
  readonly #abort = new AbortController();
  #track = new Track();
  #start: Place | undefined;
  #last: Place = { clientX: 0, clientY: 0 };
  #way: Way | undefined;
  #apart: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #frame = 0;
  #spent = false;

  constructor(target: HTMLElement, actions: TouchActions) {
    this.#actions = actions;
    const options = { passive: false, signal: this.#abort.signal };
    target.addEventListener('touchstart', (event) => this.#down(event), options);
    target.addEventListener('touchmove', (event) => this.#move(event), options);
    target.addEventListener('touchend', (event) => this.#up(event), options);
    target.addEventListener('touchcancel', () => this.#reset(), options);
  }

  /** Ends the momentum of the last drag. */
  rest(): void {
    cancelAnimationFrame(this.#frame);
  }

  dispose(): void {
    this.#abort.abort();
    this.#reset();
    this.rest();
  }

  #down(event: TouchEvent): void {
    this.rest();
    const [one, two] = event.touches;
    clearTimeout(this.#timer);
    if (one && two) {
      this.#start = undefined;
      this.#apart = spread(one, two);
      this.#spent = true;
      this.#actions.pinchStart();
    } else if (one) {
      this.#reset();
      this.#start = placeOf(one);
      this.#last = this.#start;
      this.#track = new Track();
      this.#track.add(event.timeStamp, one.clientX, one.clientY);
      this.#timer = setTimeout(() => this.#held(), HOLD);
    }
  }

  #held(): void {
    this.#spent = true;
    this.#start = undefined;
    this.#actions.hold();
  }

  #move(event: TouchEvent): void {
    const [one, two] = event.touches;
    if (one && two && this.#apart) {
      event.preventDefault();
      this.#actions.pinch(spread(one, two) / this.#apart);
    } else if (one && this.#start) {
      this.#dragTo(event, one, this.#start);
    }
  }

  #dragTo(event: TouchEvent, finger: Finger, start: Place): void {
    this.#way ??= wayOf(finger.clientX - start.clientX, finger.clientY - start.clientY);
    this.#track.add(event.timeStamp, finger.clientX, finger.clientY);
    if (!this.#way) return;
    event.preventDefault();
    clearTimeout(this.#timer);
    this.#spent = true;
    this.#drag(finger.clientX - this.#last.clientX, finger.clientY - this.#last.clientY);
    this.#last = placeOf(finger);
  }

  #up(event: TouchEvent): void {
    clearTimeout(this.#timer);
    // What was a gesture must not click, too.
    if (this.#spent && event.cancelable) event.preventDefault();
    if (event.touches.length > 0) {
      this.#start = undefined;
      return;
    }
    if (this.#start && this.#way && !this.#actions.calm()) {
      this.#coast(this.#track.speed(event.timeStamp), performance.now());
    }
    this.#apart = undefined;
    this.#start = undefined;
  }

  #coast(speed: Speed, before: number): void {
    this.#frame = requestAnimationFrame((now) => {
      const step = glide(speed, Math.max(0, now - before));
      this.#drag(step.moved.x, step.moved.y);
      if (!step.done) this.#coast(step.speed, Math.max(now, before));
    });
  }

  #drag(x: number, y: number): void {
    this.#actions.drag(this.#way === 'y' ? 0 : x, this.#way === 'x' ? 0 : y, this.#last);
  }

  #reset(): void {
    clearTimeout(this.#timer);
    this.#start = undefined;
    this.#way = undefined;
    this.#apart = undefined;
    this.#spent = false;
  }
}

/** One finger on the screen. */
type Finger = TouchList[number];

type Place = Pick<Finger, 'clientX' | 'clientY'>;

/** Where a finger is now. A browser may use one object for as long as it stays, as Safari has done. */
function placeOf({ clientX, clientY }: Finger): Place {
  return { clientX, clientY };
}

function spread(one: Finger, two: Finger): number {
  return Math.max(1, Math.hypot(one.clientX - two.clientX, one.clientY - two.clientY));
}

/** Which way a drag goes, once it is one. */
export function wayOf(x: number, y: number): Way | undefined {
  if (Math.hypot(x, y) < STRAY) return undefined;
  if (Math.abs(x) > Math.abs(y) * STRAIGHT) return 'x';
  return Math.abs(y) > Math.abs(x) * STRAIGHT ? 'y' : 'both';
}
