/**
 * Which attachment of a connection gets what comes for a session. A session has one attachment
 * at a time: the next is asked for when the daemon has answered that the one before is over.
 */

import {
  type Attached,
  type AttachRequest,
  type DaemonEvent,
  type ExitStatus,
  MAX_ATTACHED,
  type RequestError,
} from '../protocol/message';
import { type Connection, violation } from './connection';
import type { Track } from './track';

/** Who attaches. */
export interface Attacher {
  /** What to ask; asked for when it is about to be sent. */
  request(): AttachRequest;
  /**
   * The daemon has attached.
   * @returns undefined: it is not wanted after all; the daemon is told.
   * @throws ProtocolError the answer is a violation
   */
  attached(connection: Connection, request: AttachRequest, attached: Attached): Track | undefined;
  refused(error: RequestError): void;
  /** The session has ended, behind its last output, and so has the attachment. */
  ended(status: ExitStatus): void;
}

type Route =
  | { readonly is: 'attaching'; readonly who: Attacher; left: boolean; next?: Attacher }
  | { readonly is: 'attached'; readonly who: Attacher; readonly track: Track }
  | { readonly is: 'leaving'; next?: Attacher };

export class Routes {
  readonly #routes = new Map<number, Route>();

  constructor(private readonly connection: Connection) {}

  /** Attaches `who`, in place of whoever was attached to the session before. */
  attach(session: number, who: Attacher): void {
    this.leave(session);
    const route = this.#routes.get(session);
    if (route && route.is !== 'attached') route.next = who;
    else this.#ask(session, who);
  }

  /** Ends the attachment to a session, or the wish for one. */
  leave(session: number): void {
    const route = this.#routes.get(session);
    if (!route) return;
    if (route.is === 'attached') return this.#detach(session, route.track);
    if (route.is === 'attaching') route.left = true;
    delete route.next;
  }

  /** The connection is over. */
  end(): void {
    for (const route of this.#routes.values()) if (route.is === 'attached') route.track.finish();
    this.#routes.clear();
  }

  /**
   * Hands what belongs to an attachment on to it.
   * @throws ProtocolError there is none.
   */
  deliver(session: number, take: (track: Track) => void): void {
    const route = this.#routes.get(session);
    if (route?.is === 'attached') take(route.track);
    else if (route?.is !== 'leaving') throw violation();
  }

  /** A session's end ends its attachment. */
  sessionEnded(event: Extract<DaemonEvent, { event: 'session_ended' }>): void {
    const route = this.#routes.get(event.session);
    if (route?.is !== 'attached') return;
    this.#routes.delete(event.session);
    route.track.finish();
    route.who.ended('exit' in event ? { exit: event.exit } : { signal: event.signal });
  }

  #ask(session: number, who: Attacher): void {
    if (this.#routes.size >= MAX_ATTACHED) {
      const message = `at most ${MAX_ATTACHED} sessions can be shown at once`;
      return who.refused({ code: 'limit', message });
    }
    const route: Route = { is: 'attaching', who, left: false };
    this.#routes.set(session, route);
    const request = who.request();
    this.connection.ask(request, (outcome) => {
      if ('cut' in outcome) return;
      this.#routes.delete(session);
      if ('error' in outcome) {
        if (!route.left) who.refused(outcome.error);
      } else {
        const track = route.left ? undefined : who.attached(this.connection, request, outcome.ok);
        if (track) this.#routes.set(session, { is: 'attached', who, track });
        else this.#detach(session);
      }
      this.#goOn(session, route.next);
    });
  }

  #detach(session: number, track?: Track): void {
    track?.finish();
    const route: Route = { is: 'leaving' };
    this.#routes.set(session, route);
    // An error says that the session's end has crossed the request: it is over as well.
    this.connection.ask({ request: 'detach', session }, (outcome) => {
      if ('cut' in outcome) return;
      this.#routes.delete(session);
      this.#goOn(session, route.next);
    });
  }

  #goOn(session: number, next: Attacher | undefined): void {
    if (next) this.attach(session, next);
  }
}
