/**
 * What the views know of the device: its daemons, its links and its attachments. Types alone; the
 * rest of this directory makes them true. Times that end in `At` are seconds since 1970, as on the
 * wire; `until` and other clock times are `Date.now()` milliseconds.
 */

import type {
  Attention,
  DeviceEntry,
  ExitStatus,
  OfferEntry,
  ProgramEntry,
  SessionEntry,
  TerminalSize,
} from '../protocol/message';

/** A daemon that this browser is paired with, without its secrets. */
export interface KnownDaemon {
  /** Names the record in this browser. */
  readonly id: string;
  /** `http://host:port`, lower-case, as in a pairing link. */
  readonly address: string;
  /** The daemon's own name, cleaned. */
  readonly name: string;
  /** `XXXX-XXXX`. */
  readonly fingerprint: string;
  /** Whether its pairing was finished; a pending one waits for the user or for the link. */
  readonly state: 'paired' | 'pending';
  /** Whether the user has still to compare the fingerprint. */
  readonly unconfirmed: boolean;
}

/** Why a link is down, for good or for now. */
export type LinkProblem =
  | 'unreachable' // nothing answers, or not with codeout
  | 'cut' // it was up, and ended without a word
  | 'stopping' // the daemon said that it stops
  | 'restarting'
  | 'too-many' // alert 2
  | 'handshake' // an alert or a failure that says nothing
  | 'tampered'; // a record or refusal that does not open

/** Why a link has ended, and is not tried again by itself. */
export type LinkEnd =
  | 'revoked'
  | 'expired'
  | 'not-paired' // a sealed refusal: the only one after which forgetting may be offered
  | 'other-key' // alert 5: what answers is not the daemon that was paired
  | 'version' // either side is older
  | 'protocol' // a fault of an implementation
  | 'unconfirmed' // the fingerprint must be compared first
  | 'forgotten';

/** What a link is doing, always honestly. */
export type LinkState =
  | { readonly state: 'connecting' }
  | { readonly state: 'connected' }
  | { readonly state: 'waiting'; readonly until: number; readonly problem: LinkProblem }
  | { readonly state: 'asleep' } // the page is hidden or the browser says that it is offline
  | { readonly state: 'ended'; readonly end: LinkEnd };

/** What a link tells, by name. */
export interface LinkEvents {
  state: LinkState;
  /** The list of sessions, or an entry of it, has changed. */
  sessions: undefined;
  /** The list of devices may have changed: whoever shows it asks again. */
  devices: undefined;
  attention: { readonly session: number; readonly name: string; readonly attention: Attention };
  /** Another device was paired just now. */
  paired: DeviceEntry;
  deviceRevoked: { readonly id: string; readonly name: string };
}

/** What a session is opened with; absent members are the daemon's choice. */
export interface OpenWish {
  readonly size: TerminalSize;
  readonly program?: string;
  readonly arguments?: readonly string[];
  readonly directory?: string;
  readonly name?: string;
}

/**
 * A request that was not done. `code` is the protocol's, or `cut`: the link ended before the reply,
 * and what became of the request is not known. `message` is cleaned, for people.
 */
export interface RequestFailure extends Error {
  readonly code: string;
}

/** One daemon, over as many connections as it takes. It connects by itself, for ever. */
export interface Link {
  readonly daemon: KnownDaemon;
  readonly state: LinkState;
  /** When the daemon was last heard, by `Date.now()`; undefined before the first time. */
  readonly heard: number | undefined;
  /** This device's own entry, once the daemon has told it. */
  readonly me: DeviceEntry | undefined;
  /** Every session, by number; kept while the link is down. */
  readonly sessions: ReadonlyMap<number, SessionEntry>;
  /** Calls `listener` at each event until the returned function is called. */
  on<E extends keyof LinkEvents>(event: E, listener: (value: LinkEvents[E]) => void): () => void;
  /** Tries now instead of later; starts again what has ended by itself. */
  retry(): void;
  /** Ends the connection in order, for good. */
  close(): void;

  open(wish: OpenWish): Promise<SessionEntry>;
  /** Opens another session with what that one was opened with, word by word. */
  openAgain(session: number, size: TerminalSize): Promise<SessionEntry>;
  end(session: number): Promise<void>;
  renameSession(session: number, name: string): Promise<string>;
  dismiss(session: number): Promise<void>;
  programs(): Promise<ProgramEntry[]>;
  devices(): Promise<DeviceEntry[]>;
  revoke(device: string): Promise<void>;
  renameDevice(device: string, name: string): Promise<string>;
  offer(limits: { watchOnly?: boolean; forSeconds?: number }): Promise<OfferEntry>;
  /**
   * Asks for the list of sessions now: what a session prints changes its `last_line`, and is no
   * news. Somebody who listens for `sessions` gets that every few seconds by itself.
   */
  refresh(): Promise<void>;

  /** Attaches to a session, again after each cut, until `detach` or its end. */
  attach(session: number, sink: TerminalSink, options: AttachOptions): Attachment;
}

export interface AttachOptions {
  /** Only looks: no keyboard. Always so for a watch-only device. */
  readonly watchOnly?: boolean;
  /** Lines of history wanted at first; absent: all. */
  readonly history?: number;
}

/** Where an attachment's bytes go: a terminal. */
export interface TerminalSink {
  /**
   * A snapshot begins: what is shown is void. The terminal gets this size; with `history` what has
   * scrolled off goes too. Nothing that was written before it needs to be shown any more.
   */
  snapshot(size: TerminalSize, history: boolean, sizeBy: string | undefined): void;
  /** Bytes to show, in order; `shown` is called once when the terminal has dealt with them. */
  write(bytes: Uint8Array, shown: () => void): void;
  /** The snapshot is whole: from here on comes what the program prints. */
  live(): void;
  /** The session ended, behind its last byte. */
  ended(status: ExitStatus): void;
  /** It is another session, or none, or input was lost: see `AttachmentState`. */
  changed(state: AttachmentState): void;
}

/** What an attachment is doing. */
export type AttachmentState =
  | { readonly state: 'attaching' }
  | { readonly state: 'attached' }
  | { readonly state: 'waiting' } // the link is down: output stands still, input is kept
  | { readonly state: 'ended'; readonly status: ExitStatus }
  | { readonly state: 'gone' } // no such session any more
  | { readonly state: 'failed'; readonly message: string }; // refused: limit, fault

/** One session in one view. */
export interface Attachment {
  readonly session: number;
  readonly state: AttachmentState;
  /** Whether what is typed may go to the session. */
  readonly mayType: boolean;
  /** Bytes typed that the session's program has not been given yet, as far as is known. */
  readonly unsent: number;
  /** Whether it is unknown what of the input arrived; nothing more is sent until `resetInput`. */
  readonly inputUncertain: boolean;
  /**
   * Types. The bytes are kept while the link is down and sent exactly once.
   * @returns false, and takes nothing, when more than `MAX_KEPT_INPUT` would wait or it may not type.
   */
  type(bytes: Uint8Array): boolean;
  /** Forgets the input that waits, and goes on with a fresh keyboard. */
  resetInput(): void;
  /** Gives the session's terminal this size. */
  fit(size: TerminalSize): Promise<void>;
  /** Ends the attachment; the session runs on. */
  detach(): void;
}

/** Why a pairing did not come about. Each has its own sentence and next step in the views. */
export type PairProblem =
  | 'bad-link' // not a pairing link
  | 'bad-code' // not a code: length or characters
  | 'other-address' // the link is for another daemon's address: open it there
  | 'unreachable'
  | 'not-codeout' // something answers, but no daemon
  | 'version'
  | 'too-many' // wait some seconds
  | 'no-offer'
  | 'wrong-code'
  | 'other-key' // by a link: not the daemon that made the QR
  | 'used'
  | 'expired'
  | 'declined'
  | 'tampered'
  | 'cut' // the link broke, and the pending pairing is kept: try again
  | 'handshake'
  | 'storage'; // this browser keeps nothing

export interface PairFailure extends Error {
  readonly problem: PairProblem;
}

/** How far a pairing is: for progress on the screen. */
export type PairStep =
  | 'connecting'
  | 'proving'
  | 'fingerprint'
  | 'waiting-for-daemon'
  | 'finishing';

/** A pairing that by a typed code waits for its user. */
export interface PairedByCode {
  readonly fingerprint: string;
  /** The user says that both fingerprints are the same. Resolves when paired. */
  match(): Promise<KnownDaemon>;
  /** The user says that they differ, or leaves: everything of this pairing is forgotten. */
  differ(): Promise<void>;
}

/** Settings of this browser, by name: no secrets. */
export interface Settings {
  /** What was set, or undefined. It is as trustworthy as this browser's disk: check its type. */
  setting(name: string): Promise<unknown>;
  /** @param value what structured clone can copy */
  set(name: string, value: unknown): Promise<void>;
}

/** This browser as a device. */
export interface Device {
  readonly settings: Settings;
  /** Whether what it keeps lasts; 'no': private mode or blocked storage, kept for this page alone. */
  readonly lasting: 'yes' | 'no';
  daemons(): Promise<KnownDaemon[]>;
  onDaemons(listener: () => void): () => void;
  /** Pairs by a link, which checks the daemon's key; resolves when paired. */
  pairByLink(link: string, name: string, step: (step: PairStep) => void): Promise<KnownDaemon>;
  /** Pairs by a typed code, up to the comparison of the fingerprint. */
  pairByCode(
    address: string,
    code: string,
    name: string,
    step: (step: PairStep) => void,
  ): Promise<PairedByCode>;
  /** Goes on with a pending pairing whose fingerprint has still to be compared. */
  resumePending(daemon: string): Promise<PairedByCode>;
  /** The link to that daemon; one for each, made when first asked for. */
  link(daemon: string): Link;
  /** Forgets a daemon and every secret of it. */
  forget(daemon: string): Promise<void>;
}
