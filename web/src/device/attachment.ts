/**
 * An attachment that outlives connections: it attaches again with each, goes on where the output
 * stopped, and sends every key once.
 */

import type { Attached, AttachRequest, ExitStatus, RequestError } from '../protocol/message';
import type { Connection } from './connection';
import { Feed } from './feed';
import { Keyboard } from './keyboard';
import type { Attacher, Routes } from './routes';
import { Track } from './track';
import type { Attachment, AttachmentState, AttachOptions, OpenWish, TerminalSink } from './types';

/** A connection that is up, and its attachments. */
export interface Line {
  readonly connection: Connection;
  readonly routes: Routes;
}

/** What an attachment needs of its link. */
export interface AttachmentHost {
  /** Undefined: there is no connection. */
  readonly line: Line | undefined;
  /** Whether this device may only watch, as far as it was told. */
  readonly watchOnly: boolean;
  resize(session: number, size: OpenWish['size']): Promise<void>;
  /** Something is sent. */
  sent(): void;
  /** The attachment is not wanted any more. */
  left(attachment: LastingAttachment): void;
}

/** States in which nothing comes any more. */
const OVER = ['ended', 'gone', 'failed'];

export class LastingAttachment implements Attachment, Attacher {
  readonly #feed: Feed;
  #state: AttachmentState;
  #keyboard: Keyboard | undefined;
  #track: Track | undefined;
  /** Where output goes on by the next connection; undefined: with a snapshot. */
  #after: number | undefined;
  /** Whether there was ever something whole to show. */
  #whole = false;
  /** Tells the session from another that has its number later. */
  #openedAt: number | undefined;
  #left = false;

  constructor(
    private readonly host: AttachmentHost,
    readonly session: number,
    private readonly sink: TerminalSink,
    private readonly options: AttachOptions,
  ) {
    this.#feed = new Feed(sink);
    this.#state = { state: host.line ? 'attaching' : 'waiting' };
    if (options.watchOnly !== true && !host.watchOnly) this.#keyboard = new Keyboard();
    host.line?.routes.attach(session, this);
  }

  get state(): AttachmentState {
    return this.#state;
  }

  get mayType(): boolean {
    return this.#keyboard !== undefined && !this.#isOver;
  }

  get unsent(): number {
    return this.#keyboard?.unwritten ?? 0;
  }

  get inputUncertain(): boolean {
    return this.#keyboard?.uncertain ?? false;
  }

  type(bytes: Uint8Array): boolean {
    const keyboard = this.#keyboard;
    if (!keyboard || this.#isOver || keyboard.uncertain || !keyboard.keep(bytes)) return false;
    this.#track?.type();
    this.host.sent();
    return true;
  }

  resetInput(): void {
    if (!this.#keyboard || this.#isOver) return;
    this.#keyboard.forget();
    this.#keyboard = new Keyboard();
    const routes = this.host.line?.routes;
    // What still comes by the attachment before is dropped: output goes on behind what came.
    this.#lost();
    this.#change({ state: routes ? 'attaching' : 'waiting' });
    routes?.attach(this.session, this);
  }

  fit(size: OpenWish['size']): Promise<void> {
    return this.host.resize(this.session, size);
  }

  detach(): void {
    if (this.#left) return;
    this.#left = true;
    this.#feed.close();
    this.#keyboard?.forget();
    this.host.line?.routes.leave(this.session);
    this.host.left(this);
  }

  /** There is a connection. */
  connected(line: Line): void {
    if (this.#isOver) return;
    if (this.host.watchOnly) this.#stopTyping();
    this.#change({ state: 'attaching' });
    line.routes.attach(this.session, this);
  }

  /** The connection is gone. */
  disconnected(): void {
    this.#lost();
    if (!this.#isOver) this.#change({ state: 'waiting' });
  }

  request(): AttachRequest {
    const request: AttachRequest = { request: 'attach', session: this.session };
    const history = this.#whole ? 0 : this.options.history;
    return {
      ...request,
      ...(this.#after !== undefined && { after: this.#after }),
      ...(history !== undefined && { history }),
      ...(this.#keyboard && { keyboard: this.#keyboard.number }),
    };
  }

  attached(connection: Connection, request: AttachRequest, attached: Attached): Track | undefined {
    const keyboard = this.#keyboard;
    const track = new Track(connection, request, attached, this.#feed, keyboard);
    const openedAt = attached.attached.opened_at;
    if (this.#openedAt !== undefined && this.#openedAt !== openedAt) {
      this.#finish({ state: 'gone' });
      return undefined;
    }
    this.#openedAt = openedAt;
    keyboard?.resume(attached.input);
    this.#track = track;
    this.#change({ state: 'attached' });
    track.type();
    return track;
  }

  refused(error: RequestError): void {
    if (error.code === 'not_found') this.#finish({ state: 'gone' });
    else this.#finish({ state: 'failed', message: error.message });
  }

  ended(status: ExitStatus): void {
    this.#lost();
    this.#keyboard?.forget();
    this.#feed.ended(status, () => this.#change({ state: 'ended', status }));
  }

  /** Keeps of the present track what the next one needs. */
  #lost(): void {
    if (!this.#track) return;
    this.#track.finish();
    this.#after = this.#track.after;
    this.#whole ||= this.#track.whole;
    this.#track = undefined;
  }

  get #isOver(): boolean {
    return this.#left || OVER.includes(this.#state.state);
  }

  #stopTyping(): void {
    this.#keyboard?.forget();
    this.#keyboard = undefined;
  }

  /** Nothing will come any more, though the session's end was not seen. */
  #finish(state: AttachmentState): void {
    this.#lost();
    this.#keyboard?.forget();
    this.#change(state);
  }

  #change(state: AttachmentState): void {
    if (this.#left) return;
    this.#state = state;
    this.sink.changed(state);
  }
}
