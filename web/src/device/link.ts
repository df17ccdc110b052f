/** The link to one daemon: its connection, its sessions, its devices and its attachments. */

import type {
  Answers,
  DaemonEvent,
  DeviceEntry,
  OfferEntry,
  ProgramEntry,
  Request,
  RequestName,
  SessionEntry,
} from '../protocol/message';
import { type AttachmentHost, LastingAttachment, type Line } from './attachment';
import { connect } from './connect';
import type { Closed, Connection } from './connection';
import type { Environment } from './environment';
import { Keeper } from './keeper';
import { Listeners } from './listeners';
import { NotToConnect, StoreUnreadable } from './outcome';
import { ask, RequestRefused } from './requests';
import { Routes } from './routes';
import { SessionList } from './session_list';
import { paired, type Store } from './store';
import type {
  Attachment,
  AttachOptions,
  KnownDaemon,
  Link,
  LinkEnd,
  LinkEvents,
  LinkState,
  OpenWish,
  TerminalSink,
} from './types';

/** How often the list is asked for while somebody looks: a session that prints is no news. */
const LIST_AGAIN = 5_000;

type EventListeners = { [E in keyof LinkEvents]: Listeners<LinkEvents[E]> };

export class DaemonLink implements Link, AttachmentHost {
  readonly #keeper: Keeper;
  readonly #list = new SessionList(() => this.#emit('sessions', undefined));
  readonly #attachments = new Set<LastingAttachment>();
  readonly #listeners: EventListeners = {
    state: new Listeners(),
    sessions: new Listeners(),
    devices: new Listeners(),
    attention: new Listeners(),
    paired: new Listeners(),
    deviceRevoked: new Listeners(),
  };
  #first: Connection | undefined;
  #line: Line | undefined;
  #heard: number | undefined;
  #me: DeviceEntry | undefined;
  #cancelListing: (() => void) | undefined;

  /**
   * @param known the daemon as it is known now
   * @param stopped is called when it has ended for good
   * @param first a connection that is up already
   */
  constructor(
    private readonly environment: Environment,
    private readonly store: Store,
    private readonly id: string,
    private readonly known: () => KnownDaemon,
    private readonly stopped: () => void,
    first?: Connection,
  ) {
    this.#first = first;
    const host = {
      connect: (signal: AbortSignal) => this.#connect(signal),
      state: (state: LinkState) => this.#emit('state', state),
      up: (connection: Connection, closed: (closed: Closed) => void) =>
        this.#up(connection, closed),
      down: () => this.#down(),
    };
    this.#keeper = new Keeper(environment, host, isLocal(known().address));
    void this.#keeper.run();
  }

  get daemon(): KnownDaemon {
    return this.known();
  }

  get state(): LinkState {
    return this.#keeper.state;
  }

  get heard(): number | undefined {
    return this.#line?.connection.heardAt ?? this.#heard;
  }

  get me(): DeviceEntry | undefined {
    return this.#me;
  }

  get sessions(): ReadonlyMap<number, SessionEntry> {
    return this.#list.entries;
  }

  get line(): Line | undefined {
    return this.#line;
  }

  get watchOnly(): boolean {
    return this.#me?.watch_only ?? false;
  }

  on<E extends keyof LinkEvents>(event: E, listener: (value: LinkEvents[E]) => void): () => void {
    return this.#listeners[event].add(listener);
  }

  retry(): void {
    this.#keeper.retry();
  }

  close(): void {
    void this.stop();
  }

  /** Ends the connection in order, for good; `end` is what is said of it. */
  stop(end?: LinkEnd): Promise<void> {
    this.stopped();
    return this.#keeper.stop(end);
  }

  async open(wish: OpenWish): Promise<SessionEntry> {
    const { size, ...rest } = wish;
    return (await this.#ask<'open'>({ request: 'open', ...size, ...rest })).opened;
  }

  async openAgain(session: number, { columns, rows }: OpenWish['size']): Promise<SessionEntry> {
    const request = { request: 'open_again', session, columns, rows } as const;
    return (await this.#ask<'open_again'>(request)).opened;
  }

  async end(session: number): Promise<void> {
    await this.#ask<'end'>({ request: 'end', session });
  }

  async renameSession(session: number, name: string): Promise<string> {
    return (await this.#ask<'rename_session'>({ request: 'rename_session', session, name })).name;
  }

  async dismiss(session: number): Promise<void> {
    await this.#ask<'dismiss'>({ request: 'dismiss', session });
  }

  async resize(session: number, size: OpenWish['size']): Promise<void> {
    const { columns, rows } = size;
    await this.#ask<'resize'>({ request: 'resize', session, columns, rows });
  }

  async programs(): Promise<ProgramEntry[]> {
    return [...(await this.#ask<'programs'>({ request: 'programs' })).programs];
  }

  async devices(): Promise<DeviceEntry[]> {
    return [...(await this.#ask<'devices'>({ request: 'devices' })).devices];
  }

  async revoke(device: string): Promise<void> {
    await this.#ask<'revoke'>({ request: 'revoke', device });
  }

  async renameDevice(device: string, name: string): Promise<string> {
    return (await this.#ask<'rename'>({ request: 'rename', device, name })).name;
  }

  offer(limits: { watchOnly?: boolean; forSeconds?: number }): Promise<OfferEntry> {
    const { watchOnly, forSeconds } = limits;
    return this.#ask<'offer'>({
      request: 'offer',
      ...(watchOnly !== undefined && { watch_only: watchOnly }),
      ...(forSeconds !== undefined && { for_seconds: forSeconds }),
    });
  }

  async refresh(): Promise<void> {
    if (!this.#line) return;
    await this.#list.load(this.#line.connection).catch(ignoreRefusal);
  }

  attach(session: number, sink: TerminalSink, options: AttachOptions): Attachment {
    for (const attachment of this.#attachments) {
      if (attachment.session === session) attachment.detach();
    }
    const attachment = new LastingAttachment(this, session, sink, options);
    this.#attachments.add(attachment);
    return attachment;
  }

  left(attachment: LastingAttachment): void {
    this.#attachments.delete(attachment);
  }

  sent(): void {
    this.#keeper.sent();
  }

  #ask<N extends RequestName>(request: Extract<Request, { request: N }>): Promise<Answers[N]> {
    const answer = ask<N>(this.#line?.connection, request);
    this.sent();
    return answer;
  }

  /** @throws NotToConnect, StoreUnreadable, and what `connect` throws */
  async #connect(signal: AbortSignal): Promise<Connection> {
    const first = this.#first;
    this.#first = undefined;
    if (first && !first.closed) return first;
    const record = await this.store.read(this.id).catch((error) => {
      throw new StoreUnreadable('the record cannot be read', { cause: error });
    });
    if (!record) throw new NotToConnect('forgotten');
    if (!record.confirmed) throw new NotToConnect('unconfirmed');
    return connect(this.environment, record, signal);
  }

  #up(connection: Connection, closed: (closed: Closed) => void): void {
    const routes = new Routes(connection);
    this.#line = { connection, routes };
    this.#me = connection.welcome.device;
    connection.begin({
      event: (event) => this.#hear(event, routes),
      output: (chunk) => routes.deliver(chunk.session, (track) => track.output(chunk)),
      snapshot: (chunk) => routes.deliver(chunk.session, (track) => track.snapshotChunk(chunk)),
      inputWritten: ({ session, offset }) =>
        routes.deliver(session, (track) => track.inputWritten(offset)),
      closed,
    });
    for (const attachment of [...this.#attachments]) attachment.connected(this.#line);
    this.#listNow(connection);
    this.#emit('devices', undefined);
  }

  #down(): void {
    const routes = this.#line?.routes;
    this.#heard = this.heard;
    this.#line = undefined;
    this.#cancelListing?.();
    for (const attachment of [...this.#attachments]) attachment.disconnected();
    routes?.end();
  }

  /** Asks for the list now, and again while somebody looks. */
  #listNow(connection: Connection): void {
    const load = async () => {
      await this.#list.load(connection).catch(ignoreRefusal);
      if (connection.closed) return;
      this.#cancelListing = this.environment.after(LIST_AGAIN, listAgain);
    };
    const listAgain = () => {
      if (this.environment.visible() && this.#listeners.sessions.size > 0) return void load();
      this.#cancelListing = this.environment.after(LIST_AGAIN, listAgain);
    };
    void load().then(() => this.#settle(connection));
  }

  /** The daemon has answered: the pairing is finished, and its name is known. */
  async #settle(connection: Connection): Promise<void> {
    if (connection.closed) return;
    const name = connection.welcome.daemon;
    const { state, name: before, fingerprint } = this.known();
    try {
      if (state !== 'paired' || before !== name) {
        await this.store.change(this.id, (record) => paired(record, name, this.environment.now()));
      }
      if (fingerprint === '') await this.#fingerprint();
    } catch {
      // What cannot be computed or stored now will be by a later connection.
    }
  }

  /** The pairing was cut before the fingerprint was known. */
  async #fingerprint(): Promise<void> {
    const record = await this.store.read(this.id);
    if (!record) return;
    const prints = this.environment.fingerprints();
    try {
      const fingerprint = await prints.of(record.spk);
      await this.store.change(this.id, (kept) => ({ ...kept, fingerprint }));
    } finally {
      prints.end();
    }
  }

  #hear(event: DaemonEvent, routes: Routes): void {
    switch (event.event) {
      case 'snapshot':
        return routes.deliver(event.session, (track) => track.snapshot(event));
      case 'snapshot_end':
        return routes.deliver(event.session, (track) => track.snapshotEnd(event.offset));
      case 'session_ended':
        routes.sessionEnded(event);
        return this.#list.hear(event);
      case 'session_attention': {
        const { event: _, session, name, ...attention } = event;
        this.#list.hear(event);
        return this.#emit('attention', { session, name, attention });
      }
      case 'device_paired':
        this.#emit('paired', event.device);
        return this.#emit('devices', undefined);
      case 'device_revoked':
        this.#emit('deviceRevoked', { id: event.id, name: event.name });
        return this.#emit('devices', undefined);
      case 'device_renamed':
        if (this.#me?.id === event.id) this.#me = { ...this.#me, name: event.name };
        return this.#emit('devices', undefined);
      default:
        return this.#list.hear(event);
    }
  }

  #emit<E extends keyof LinkEvents>(event: E, value: LinkEvents[E]): void {
    this.#listeners[event].tell(value);
  }
}

/** A list that was not given will be asked for again. */
function ignoreRefusal(error: unknown): void {
  if (!(error instanceof RequestRefused)) throw error;
}

const LOCAL = /^https?:\/\/(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/;

function isLocal(address: string): boolean {
  return LOCAL.test(address);
}
