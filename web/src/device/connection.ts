/** One established connection: one message loop, requests by number, and its end. */

import type { Channel } from '../protocol/channel';
import { ProtocolError } from '../protocol/error';
import {
  readAnswer,
  readClosing,
  readFromDaemon,
  readWelcome,
  writeRequest,
} from '../protocol/frame';
import {
  type Answers,
  type Chunk,
  type ClosingReason,
  type DaemonEvent,
  type Progress,
  type Reply,
  type Request,
  type RequestError,
  type RequestName,
  VERSION,
  type Welcome,
} from '../protocol/message';
import type { Environment } from './environment';
import type { Silence, Socket } from './transport';

/** How a connection has ended. */
export type Closed =
  | { readonly why: 'closing'; readonly reason: ClosingReason } // the daemon's last word
  | { readonly why: 'cut' }
  | { readonly why: 'record' } // something on the way changed, dropped or repeated a record
  | { readonly why: 'violation' }; // the daemon broke the message layer

/** What became of a request. */
export type Outcome<N extends RequestName> =
  | { readonly ok: Answers[N] }
  | { readonly error: RequestError }
  /** The connection ended before the reply. */
  | { readonly cut: true };

/** What hears a connection. It may throw `ProtocolError`, which ends it as a violation. */
export interface ConnectionListener {
  event(event: DaemonEvent): void;
  output(chunk: Chunk): void;
  snapshot(chunk: Chunk): void;
  inputWritten(progress: Progress): void;
  /** Called once, last. */
  closed(closed: Closed): void;
}

/** The daemon speaks a version of the message layer that this device does not. */
export class OtherVersion extends Error {}

/** How long the daemon may take to answer this end's last record, in milliseconds. */
const PARTING_TIME = 1_000;

interface Pending {
  readonly request: RequestName;
  readonly done: (outcome: Outcome<never>) => void;
}

export class Connection {
  readonly welcome: Welcome;
  readonly #pending = new Map<number, Pending>();
  #number = 0;
  #listener: ConnectionListener | undefined;
  #closed: Closed | undefined;
  #parting: (() => void) | undefined;
  #silent: boolean;
  #heardAt: number;
  #unansweredSince: number | undefined;

  /**
   * @param first the plaintext of the daemon's first record
   * @param silent nothing may be sent until `speak` is called
   * @throws ProtocolError the first record is no welcome
   * @throws OtherVersion
   */
  constructor(
    private readonly environment: Environment,
    private readonly socket: Socket,
    private readonly channel: Channel,
    first: Uint8Array,
    silent = false,
  ) {
    try {
      this.welcome = readWelcome(first);
      if (this.welcome.protocol !== VERSION) throw new OtherVersion();
    } catch (error) {
      channel.sealer.close();
      channel.opener.close();
      throw error;
    }
    this.#silent = silent;
    this.#heardAt = environment.now();
  }

  /** Begins to listen, in place of who listened before. What waits is told at once. */
  begin(listener: ConnectionListener): void {
    if (this.#closed) return listener.closed(this.#closed);
    this.#listener = listener;
    this.socket.deliver({
      message: (record) => this.#take(record),
      closed: (why) => this.#end(closedBy(why)),
    });
  }

  /** From now on this end may send. */
  speak(): void {
    this.#silent = false;
  }

  /** How it ended, if it has. */
  get closed(): Closed | undefined {
    return this.#closed;
  }

  /** When anything came last, in milliseconds since 1970. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** Since when something was sent and nothing has come. */
  get unansweredSince(): number | undefined {
    return this.#unansweredSince;
  }

  /** Asks. `done` is called once, in the order in which what comes is read. */
  ask<N extends RequestName>(
    request: Extract<Request, { request: N }>,
    done: (outcome: Outcome<N>) => void,
  ): void {
    if (this.#closed || this.#parting) return done({ cut: true });
    const id = this.#nextNumber();
    this.#pending.set(id, { request: request.request, done: done as Pending['done'] });
    this.send(writeRequest(id, request));
  }

  /** Sends a plaintext. Nothing happens when the connection is over. */
  send(plaintext: Uint8Array): void {
    if (this.#closed || this.#parting) return;
    if (this.#silent) throw new Error('nothing may be sent before the fingerprint is confirmed');
    this.#unansweredSince ??= this.environment.now();
    this.socket.send(this.channel.sealer.seal(performance.now(), plaintext));
  }

  /** Ends it in order. Resolves when the daemon has answered, or a second later. */
  async close(): Promise<void> {
    if (this.#closed || this.#parting) return;
    if (this.#silent) return this.cut();
    this.socket.send(this.channel.sealer.finish(new Uint8Array(0)));
    await new Promise<void>((parted) => {
      const cancel = this.environment.after(PARTING_TIME, () => this.cut());
      this.#parting = () => {
        cancel();
        parted();
      };
    });
  }

  /** Ends it at once, without a word. */
  cut(): void {
    this.#end({ why: 'cut' });
  }

  #nextNumber(): number {
    do this.#number = (this.#number + 1) >>> 0;
    while (this.#pending.has(this.#number));
    return this.#number;
  }

  #take(record: Uint8Array): void {
    if (this.#closed) return;
    this.#heardAt = this.environment.now();
    this.#unansweredSince = undefined;
    let opened: { final: boolean; plaintext: Uint8Array };
    try {
      opened = this.channel.opener.open(record);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return this.#end({ why: 'record' });
    }
    if (opened.final) {
      return this.#end({ why: 'closing', reason: readClosing(opened.plaintext) });
    }
    try {
      this.#read(opened.plaintext);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#end({ why: 'violation' });
    }
  }

  #read(plaintext: Uint8Array): void {
    const message = readFromDaemon(plaintext);
    const listener = this.#listener;
    switch (message.kind) {
      case 'reply':
        return this.#answer(message.reply);
      case 'event':
        if (message.event.event === 'welcome' || message.event.event === 'closing') {
          throw violation();
        }
        return listener?.event(message.event);
      case 'output':
        return listener?.output(message.chunk);
      case 'snapshot':
        return listener?.snapshot(message.chunk);
      case 'input-written':
        return listener?.inputWritten(message.progress);
      case 'unknown-event':
        return;
    }
  }

  #answer(reply: Reply): void {
    const asked = this.#pending.get(reply.id);
    if (!asked) throw violation();
    this.#pending.delete(reply.id);
    if ('error' in reply) return asked.done({ error: reply.error });
    const ok = readAnswer(asked.request, reply.ok);
    asked.done({ ok } as Outcome<never>);
  }

  #end(closed: Closed): void {
    if (this.#closed) return;
    this.#closed = closed;
    this.socket.close();
    this.channel.sealer.close();
    this.channel.opener.close();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { done } of pending) done({ cut: true });
    this.#parting?.();
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.closed(closed);
  }
}

/** The daemon sent what has no place there. */
export function violation(): ProtocolError {
  return new ProtocolError({ kind: 'misbehaved', how: 'message' });
}

function closedBy(why: Silence): Closed {
  return why === 'invalid' ? { why: 'violation' } : { why: 'cut' };
}
