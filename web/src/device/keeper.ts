/** Keeps a connection: makes one, and another when it is lost, for as long as that may help. */

import { atOnce, Backoff, LONGEST } from './backoff';
import type { Closed, Connection } from './connection';
import type { Environment } from './environment';
import { type Loss, lossOfAttempt, lossOfConnection } from './outcome';
import { Pulse } from './pulse';
import type { LinkEnd, LinkProblem, LinkState } from './types';

/** A connection that held for this time was a good one, in milliseconds. */
const STEADY = 10_000;
/** A page that nobody has seen for this time sleeps when its connection is lost, in milliseconds… */
const HIDDEN_PATIENCE = 5 * 60_000;
/** …and tries again so rarely. */
const HIDDEN_RETRY = 5 * 60_000;
/** What waits begin at, of which at least a half is waited, in milliseconds. */
const FIRST_WAITS: Partial<Record<LinkProblem, number>> = {
  // A daemon that turns connections away cannot say so to a page, and wants a second.
  unreachable: 2_000,
  'too-many': 3_000,
};
/** An attempt that was begun so long before the page woke is begun anew, in milliseconds. */
const STALE_ATTEMPT = 2_000;
/** A connection is replaced at this age, in milliseconds. */
const OLD = 20 * 3_600_000;
/** How often is looked whether it is. */
const LOOK_AT_AGE = 600_000;

export interface KeeperHost {
  /** Connects once; failures are those of `lossOfAttempt`. */
  connect(signal: AbortSignal): Promise<Connection>;
  state(state: LinkState): void;
  /** There is a connection: the host begins to listen, and calls `closed` at its end. */
  up(connection: Connection, closed: (closed: Closed) => void): void;
  down(): void;
}

export class Keeper {
  #state: LinkState = { state: 'connecting' };
  #backoff = new Backoff();
  /** Whether a lost connection is worth an attempt without a wait. */
  #trusted = true;
  /** Whether the attempt was given up for another at once. */
  #hurry = false;
  #stopped: LinkState | undefined;
  #wake: (() => void) | undefined;
  #attempt: { readonly begun: number; readonly control: AbortController } | undefined;
  #connection: Connection | undefined;
  #pulse: Pulse | undefined;
  #hiddenSince: number | undefined;
  readonly #unlisten: () => void;

  constructor(
    private readonly environment: Environment,
    private readonly host: KeeperHost,
    /** Whether the daemon is on this computer, which needs no network. */
    private readonly local: boolean,
  ) {
    if (!environment.visible()) this.#hiddenSince = environment.now();
    this.#unlisten = environment.onCircumstance((what) => this.#circumstance(what));
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Begins. Runs until `stop`. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      this.#set({ state: 'connecting' });
      const loss = await this.#once();
      if (this.#stopped) return;
      if ('end' in loss) {
        this.#set({ state: 'ended', end: loss.end });
        await this.#pause(undefined);
      } else {
        await this.#wait(loss);
      }
    }
  }

  /** Tries now instead of later. */
  retry(): void {
    if (this.#connection) this.#pulse?.wake();
    else this.#again();
  }

  /** Something was sent. */
  sent(): void {
    this.#pulse?.look();
  }

  /** Ends it for good, in order. */
  async stop(end?: LinkEnd): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = end ? { state: 'ended', end } : { state: 'asleep' };
    this.#unlisten();
    this.#attempt?.control.abort();
    const connection = this.#connection;
    this.#set(this.#stopped);
    this.#wake?.();
    await connection?.close();
  }

  /** One connection, from its beginning to its end. */
  async #once(): Promise<Loss> {
    const begun = this.environment.now();
    let connection: Connection;
    this.#attempt = { begun, control: new AbortController() };
    try {
      connection = await this.host.connect(this.#attempt.control.signal);
    } catch (error) {
      return lossOfAttempt(error);
    } finally {
      this.#attempt = undefined;
    }
    if (this.#stopped) {
      void connection.close();
      return { problem: 'cut' };
    }
    return this.#serve(connection);
  }

  async #serve(connection: Connection): Promise<Loss> {
    const { environment } = this;
    const begun = environment.now();
    let cancelWatch = () => {};
    this.#connection = connection;
    this.#pulse = new Pulse(environment, connection);
    const closed = await new Promise<Closed>((resolve) => {
      this.host.up(connection, resolve);
      this.#set({ state: 'connected' });
      const watch = () => {
        if (environment.now() - begun > OLD) void connection.close();
        else cancelWatch = environment.after(LOOK_AT_AGE, watch);
      };
      cancelWatch = environment.after(LOOK_AT_AGE, watch);
    });
    cancelWatch();
    this.#pulse.end();
    this.#pulse = undefined;
    this.#connection = undefined;
    if (environment.now() - begun >= STEADY) {
      this.#trusted = true;
      this.#backoff = new Backoff();
    }
    this.host.down();
    return lossOfConnection(closed);
  }

  async #wait(loss: Extract<Loss, { problem: unknown }>): Promise<void> {
    const { problem } = loss;
    const now = this.environment.now();
    if (this.#hurry) {
      this.#hurry = false;
      return;
    }
    // One that comes and goes is not trusted a second time, unless it says that it does.
    const trusted = problem === 'restarting' || (problem === 'cut' && this.#trusted);
    if (trusted && !this.#offline) {
      if (problem === 'cut') this.#trusted = false;
      const wait = atOnce();
      this.#set({ state: 'waiting', until: now + wait, problem });
      return this.#pause(wait);
    }
    const wait = this.#backoff.next(FIRST_WAITS[problem]);
    const hidden = this.#hiddenSince !== undefined && now - this.#hiddenSince > HIDDEN_PATIENCE;
    if (hidden || this.#offline) {
      this.#set({ state: 'asleep' });
      // What a browser says of the network is not always so.
      return this.#pause(hidden ? HIDDEN_RETRY : LONGEST);
    }
    this.#set({ state: 'waiting', until: now + wait, problem });
    return this.#pause(wait);
  }

  get #offline(): boolean {
    return !this.local && !this.environment.online();
  }

  /** Resolves after `ms` milliseconds, or when there is reason to try at once. */
  async #pause(ms: number | undefined): Promise<void> {
    let cancel: (() => void) | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (ms !== undefined) cancel = this.environment.after(ms, resolve);
    });
    this.#wake = undefined;
    cancel?.();
  }

  #circumstance(what: 'woke' | 'hidden' | 'offline'): void {
    if (what === 'hidden') {
      this.#hiddenSince ??= this.environment.now();
      return this.#pulse?.look();
    }
    if (this.environment.visible()) this.#hiddenSince = undefined;
    if (this.#connection) return this.#pulse?.wake();
    if (what === 'offline') return;
    if (this.#state.state !== 'ended') this.#again();
  }

  /** Begins the next attempt, unless one has just begun. */
  #again(): void {
    this.#trusted = true;
    this.#backoff = new Backoff();
    if (!this.#attempt) return this.#wake?.();
    const age = this.environment.now() - this.#attempt.begun;
    if (age < STALE_ATTEMPT) return;
    this.#hurry = true;
    this.#attempt.control.abort();
  }

  #set(state: LinkState): void {
    this.#state = state;
    this.host.state(state);
  }
}
