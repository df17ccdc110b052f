/** The list of sessions, as far as the daemon has told it. */

import type { DaemonEvent, ExitStatus, SessionEntry } from '../protocol/message';
import type { Connection } from './connection';
import { ask } from './requests';

/** More sessions than a daemon lists; each page has another one at its end, so that pages end too. */
const MAX_SESSIONS = 1_100;

export class SessionList {
  #entries = new Map<number, SessionEntry>();
  /** What events told while the list was being asked for: newer than the list, or as new. */
  #news: Map<number, SessionEntry | undefined> | undefined;

  constructor(private readonly changed: () => void) {}

  get entries(): ReadonlyMap<number, SessionEntry> {
    return this.#entries;
  }

  /**
   * Asks for the whole list.
   * @throws RequestRefused
   */
  async load(connection: Connection): Promise<void> {
    if (this.#news) return;
    const news = new Map<number, SessionEntry | undefined>();
    this.#news = news;
    try {
      const entries = await listAll(connection);
      for (const [session, entry] of news) {
        if (entry) entries.set(session, entry);
        else entries.delete(session);
      }
      this.#replace(entries);
    } finally {
      this.#news = undefined;
    }
  }

  /** Takes in what an event says of a session. */
  hear(event: DaemonEvent): void {
    switch (event.event) {
      case 'session_opened':
      case 'session_changed':
        return this.#put(event.session.session, event.session);
      case 'session_dismissed':
        return this.#put(event.session, undefined);
      case 'session_ended':
        return this.#end(event.session, 'exit' in event ? { exit: event.exit } : event);
      case 'session_attention': {
        const { event: _, session, name, ...attention } = event;
        const entry = this.#entries.get(session);
        return entry && this.#put(session, { ...entry, name, attention });
      }
    }
  }

  #end(session: number, status: ExitStatus): void {
    const entry = this.#entries.get(session);
    if (!entry || entry.ended) return;
    const how = 'exit' in status ? { exit: status.exit } : { signal: status.signal };
    const at = Math.floor(Date.now() / 1000);
    this.#put(session, { ...entry, ended: { at, ...how } });
  }

  #put(session: number, entry: SessionEntry | undefined): void {
    this.#news?.set(session, entry);
    const entries = new Map(this.#entries);
    if (entry) entries.set(session, entry);
    else entries.delete(session);
    this.#replace(entries);
  }

  #replace(entries: Map<number, SessionEntry>): void {
    if (same(entries, this.#entries)) return;
    this.#entries = new Map([...entries].sort(([one], [other]) => one - other));
    this.changed();
  }
}

async function listAll(connection: Connection): Promise<Map<number, SessionEntry>> {
  const entries = new Map<number, SessionEntry>();
  let after: number | undefined;
  for (;;) {
    const page = await ask<'sessions'>(connection, {
      request: 'sessions',
      ...(after !== undefined && { after }),
    });
    for (const entry of page.sessions) entries.set(entry.session, entry);
    const last = page.sessions.at(-1)?.session;
    // A page that leads nowhere would be asked for again for ever.
    const stuck = last === undefined || (after !== undefined && last <= after);
    if (!page.more || stuck || entries.size >= MAX_SESSIONS) return entries;
    after = last;
  }
}

function same(
  one: ReadonlyMap<number, SessionEntry>,
  other: ReadonlyMap<number, SessionEntry>,
): boolean {
  if (one.size !== other.size) return false;
  return [...one].every(([session, entry]) => {
    const known = other.get(session);
    return known === entry || JSON.stringify(known) === JSON.stringify(entry);
  });
}
