/** A link as the views see it: what it tells by events, as state. */

import type { Link, LinkState } from '../device/types';
import type { Attention, DeviceEntry, SessionEntry } from '../protocol/message';

/** What the views want to be told as it happens. */
export interface LinkNews {
  attention(session: number, name: string, attention: Attention): void;
  paired(device: DeviceEntry): void;
  revoked(device: string): void;
}

/** Whether a device may add, rename and revoke devices. Until it is known, it is not offered. */
export function isUnlimited(device: DeviceEntry | undefined): boolean {
  return device !== undefined && !device.watch_only && device.expires_at === undefined;
}

export class LinkView {
  readonly link: Link;
  #state = $state.raw<LinkState>({ state: 'connecting' });
  #sessions = $state.raw<readonly SessionEntry[]>([]);
  #me = $state.raw<DeviceEntry | undefined>(undefined);
  #devicesChanged = $state(0);
  #lost = $state.raw<number | undefined>();
  #offs: (() => void)[];

  constructor(link: Link, news: LinkNews) {
    this.link = link;
    this.#read();
    this.#offs = [
      link.on('state', () => this.#read()),
      link.on('sessions', () => this.#read()),
      link.on('devices', () => {
        this.#read();
        this.#devicesChanged += 1;
      }),
      link.on('attention', ({ session, name, attention }) =>
        news.attention(session, name, attention),
      ),
      link.on('paired', (device) => news.paired(device)),
      link.on('deviceRevoked', ({ id }) => news.revoked(id)),
    ];
  }

  get state(): LinkState {
    return this.#state;
  }

  get connected(): boolean {
    return this.#state.state === 'connected';
  }

  /**
   * As of when what is known is, by `Date.now()`; undefined while there is a link. That a link is
   * lost may be noticed hours later: behind a sleep.
   */
  get lost(): number | undefined {
    return this.#lost;
  }

  /** Every session, newest first. */
  get sessions(): readonly SessionEntry[] {
    return this.#sessions;
  }

  get me(): DeviceEntry | undefined {
    return this.#me;
  }

  /** Whether this device may open, rename and end sessions. Until it is known, it is not offered. */
  get mayType(): boolean {
    return this.#me !== undefined && !this.#me.watch_only;
  }

  /** Whether this device may add, rename and revoke devices. */
  get unlimited(): boolean {
    return isUnlimited(this.#me);
  }

  /** Grows whenever the list of devices may have changed. */
  get devicesChanged(): number {
    return this.#devicesChanged;
  }

  /** How many sessions want somebody to look. */
  get wanting(): number {
    return this.#sessions.filter((one) => one.attention !== undefined).length;
  }

  session(number: number): SessionEntry | undefined {
    return this.#sessions.find((one) => one.session === number);
  }

  /** Stops listening. The link itself goes on. */
  dispose(): void {
    for (const off of this.#offs) off();
  }

  #read(): void {
    this.#state = this.link.state;
    this.#lost = this.connected ? undefined : (this.link.heard ?? this.#lost ?? Date.now());
    this.#me = this.link.me;
    this.#sessions = [...this.link.sessions.values()].sort((a, b) => b.session - a.session);
  }
}

/** Runs an action on a daemon, and says on the screen what failed. */
export function requestFailure(error: unknown, what: string): string {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (code === 'cut') return `${what}: the link was cut before the answer came`;
  return typeof message === 'string' && message !== '' ? `${what}: ${message}` : `${what} failed`;
}
