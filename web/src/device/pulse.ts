/**
 * Finds out that a connection is dead, which a browser does not say for minutes: it asks when
 * nothing has come for a while, or when what was sent is not answered, or when the page wakes.
 */

import type { Connection } from './connection';
import type { Environment } from './environment';

/** Silence after which is asked, while the page is seen and while it is not, in milliseconds. */
const QUIET_SEEN = 15_000;
const QUIET_HIDDEN = 60_000;
/** How long something may be unanswered before is asked, in milliseconds. */
const UNANSWERED = 4_000;
/** How long any sign of life may take, in milliseconds… */
const PATIENCE = 8_000;
/** …and when the page has just woken: the link is likely gone. */
const PATIENCE_AWAKE = 3_000;
/** A timer that is later than this was held up, and with it what may have come. */
const HELD_UP = 1_000;

/** A question that is on its way. */
interface Asked {
  /** Something must come between this time and `judgedAt`, in milliseconds since 1970. */
  since: number;
  judgedAt: number;
}

export class Pulse {
  #cancelLook: (() => void) | undefined;
  #cancelJudge: (() => void) | undefined;
  #asked: Asked | undefined;
  #over = false;

  constructor(
    private readonly environment: Environment,
    private readonly connection: Connection,
  ) {
    this.look();
  }

  /** The page woke: asks at once, and does not wait long. */
  wake(): void {
    this.#ask(PATIENCE_AWAKE);
    this.look();
  }

  /** Asks if it is time to, and looks again when it may be. To be called when something is sent. */
  look(): void {
    if (this.#over) return;
    this.#cancelLook?.();
    const now = this.environment.now();
    const due = this.#due();
    if (due <= now) this.#ask(PATIENCE);
    const wait = due <= now ? PATIENCE : due - now;
    this.#cancelLook = this.environment.after(wait, () => this.look());
  }

  end(): void {
    this.#over = true;
    this.#cancelLook?.();
    this.#cancelJudge?.();
  }

  #due(): number {
    const { heardAt, unansweredSince } = this.connection;
    if (!this.environment.visible()) return heardAt + QUIET_HIDDEN;
    const quiet = heardAt + QUIET_SEEN;
    return unansweredSince === undefined ? quiet : Math.min(quiet, unansweredSince + UNANSWERED);
  }

  #ask(patience: number): void {
    if (this.#over) return;
    const now = this.environment.now();
    if (this.#asked) {
      if (now + patience < this.#asked.judgedAt)
        this.#judge({ since: now, judgedAt: now + patience });
      return;
    }
    this.#judge({ since: now, judgedAt: now + patience });
    this.connection.ask({ request: 'ping' }, () => {
      this.#asked = undefined;
      this.#cancelJudge?.();
    });
  }

  /** Gives the connection up at that time, unless the question is answered before. */
  #judge(asked: Asked): void {
    this.#asked = asked;
    this.#cancelJudge?.();
    const wait = asked.judgedAt - this.environment.now();
    this.#cancelJudge = this.environment.after(Math.max(wait, 0), () => {
      const now = this.environment.now();
      const alive = this.connection.heardAt > asked.since;
      // The answer may be behind much else; and what held up this timer held up the answer too.
      if (alive) this.#judge({ since: now, judgedAt: now + PATIENCE });
      else if (now - asked.judgedAt > HELD_UP) this.#judge({ ...asked, judgedAt: now + HELD_UP });
      else this.connection.cut();
    });
  }
}
