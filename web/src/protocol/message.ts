/**
 * What travels inside the channel: requests, replies and events as JSON, terminal bytes as they
 * are. Types and limits; `frame` reads and writes their bytes.
 *
 * Members are named as on the wire. Texts of the daemon are cleaned and bounded when they are
 * read. Every number is one: a u64 (offset, time) above 2^53 − 1 is a violation when it is read,
 * since no session prints nine petabytes and no clock shows such a year.
 */

/** The version of the message layer, said in `welcome`. */
export const VERSION = 1;
/** The most bytes of terminal output or input in one record. */
export const MAX_CHUNK = 61_440;
/** The most that a daemon may have unacknowledged on its way to one attachment, in bytes. */
export const OUTPUT_WINDOW = 1_048_576;
/** Output is acknowledged when so many bytes were dealt with… */
export const ACKNOWLEDGE_AFTER = 65_536;
/** …unless that was done less than so many milliseconds ago: then it may wait… */
export const ACKNOWLEDGE_APART = 16;
/** …until so many were dealt with… */
export const ACKNOWLEDGE_AT_LATEST = 524_288;
/** …and when everything that came was dealt with, after so many. */
export const ACKNOWLEDGE_IDLE = 4_096;
/** A keyboard's input that may be on its way, in bytes beyond what is acknowledged. */
export const INPUT_WINDOW = 65_536;
/** The sessions that one connection may be attached to. */
export const MAX_ATTACHED = 16;
/** The largest number of a keyboard. */
export const MAX_KEYBOARD = Number.MAX_SAFE_INTEGER;
/** The largest number of columns or rows of a terminal; the smallest is 1. */
export const MAX_TERMINAL_SIDE = 2_000;
/** The most characters of a terminal: columns times rows. */
export const MAX_TERMINAL_CELLS = 500_000;
/** The longest life of a pairing offer, and a device's wait for P4, in seconds. */
export const OFFER_LIFE = 300;
export const WAIT_FOR_P4 = 330;
/** The most seconds for which a device may be let in. */
export const MAX_FOR_SECONDS = 315_360_000;

/** A terminal's size in characters: sides 1 to 2,000, product at most 500,000. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** How a session's program ended: a status, or a signal (0: not known), 0 to 255. */
export type ExitStatus = { readonly exit: number } | { readonly signal: number };

/** `unknown` stands for every reason of a later version: it wants somebody to look. */
export type AttentionReason = 'bell' | 'notification' | 'quiet' | 'ended' | 'unknown';

/** A session wants somebody to look. */
export interface Attention {
  readonly at: number;
  readonly reason: AttentionReason;
  readonly title?: string;
  readonly text?: string;
}

/** One session as it is listed. Times are seconds since 1970. */
export interface SessionEntry extends TerminalSize {
  readonly session: number;
  readonly name: string;
  readonly program: string;
  readonly directory: string;
  readonly size_by?: string;
  readonly opened_at: number;
  readonly last_output_at?: number;
  readonly title?: string;
  readonly last_line?: string;
  readonly watching: number;
  readonly watchers: readonly string[];
  readonly attention?: Attention;
  readonly ended?: { readonly at: number } & ExitStatus;
}

/** One device of the allow-list. Times are seconds since 1970. */
export interface DeviceEntry {
  readonly id: string;
  readonly name: string;
  readonly paired_at: number;
  readonly last_seen?: number;
  readonly connected: boolean;
  readonly unfinished: boolean;
  readonly watch_only: boolean;
  readonly expires_at?: number;
  readonly this: boolean;
}

/** A fresh pairing offer. Secret: whoever has it can pair a device. */
export interface OfferEntry {
  /** As people read it: `K7QM-3FBR-9TZX`. */
  readonly code: string;
  /** Pairing links, the one most likely to be reached first. */
  readonly links: readonly string[];
  /** Seconds until it expires. */
  readonly expires_in: number;
}

/** A program that a session can be opened with by its name. */
export interface ProgramEntry {
  readonly name: string;
  readonly command: string;
}

/** The daemon's answer to a device that attaches. */
export interface Attached {
  readonly attached: SessionEntry;
  /** Whether output follows from `after` on; else a snapshot comes first. */
  readonly resumed: boolean;
  /** The bytes of this keyboard's input that the daemon has. */
  readonly input: number;
}

/** What a device may ask, as on the wire without its `id`. */
export type Request =
  | { readonly request: 'ping' }
  | { readonly request: 'sessions'; readonly after?: number }
  | { readonly request: 'programs' }
  | OpenRequest
  | ({ readonly request: 'open_again'; readonly session: number } & TerminalSize)
  | AttachRequest
  | { readonly request: 'detach'; readonly session: number }
  | ({ readonly request: 'resize'; readonly session: number } & TerminalSize)
  | { readonly request: 'end'; readonly session: number }
  | { readonly request: 'rename_session'; readonly session: number; readonly name: string }
  | { readonly request: 'dismiss'; readonly session: number }
  | { readonly request: 'devices' }
  | { readonly request: 'revoke'; readonly device: string }
  | { readonly request: 'rename'; readonly device: string; readonly name: string }
  | { readonly request: 'offer'; readonly watch_only?: boolean; readonly for_seconds?: number };

/** Opens a session. */
export interface OpenRequest extends TerminalSize {
  readonly request: 'open';
  readonly program?: string;
  readonly arguments?: readonly string[];
  readonly directory?: string;
  readonly name?: string;
}

/** Attaches this connection to a session. */
export interface AttachRequest {
  readonly request: 'attach';
  readonly session: number;
  readonly after?: number;
  readonly history?: number;
  readonly keyboard?: number;
  readonly size?: TerminalSize;
}

export type RequestName = Request['request'];

/** Nothing: it was done. */
export type Done = Record<never, never>;

/** The members of `ok`, by request. */
export interface Answers {
  ping: Done;
  sessions: { readonly sessions: readonly SessionEntry[]; readonly more: boolean };
  programs: { readonly programs: readonly ProgramEntry[] };
  open: { readonly opened: SessionEntry };
  open_again: { readonly opened: SessionEntry };
  attach: Attached;
  detach: Done;
  resize: Done;
  end: Done;
  rename_session: { readonly name: string };
  dismiss: Done;
  devices: { readonly devices: readonly DeviceEntry[] };
  revoke: Done;
  rename: { readonly name: string };
  offer: OfferEntry;
}

/** `unknown` stands for every code of a later version: treat it as `failed`. */
export type ErrorCode =
  | 'unknown_request'
  | 'bad_request'
  | 'not_allowed'
  | 'not_found'
  | 'limit'
  | 'taken'
  | 'ended'
  | 'failed'
  | 'unknown';

/** Why a request was not done; `message` is for people, cleaned, at most 512 bytes. */
export interface RequestError {
  readonly code: ErrorCode;
  readonly message: string;
}

/** A reply whose `ok` waits to be read by the request that it answers: `readAnswer`. */
export type Reply =
  | { readonly id: number; readonly ok: UnreadAnswer }
  | { readonly id: number; readonly error: RequestError };

declare const unread: unique symbol;
/** The content of a successful reply, before it is read by its request. */
export interface UnreadAnswer {
  readonly [unread]: true;
}

/** The first event of every connection. */
export interface Welcome {
  readonly event: 'welcome';
  /** The version of the message layer that the daemon speaks; another than `VERSION`: end. */
  readonly protocol: number;
  readonly daemon: string;
  readonly device: DeviceEntry;
}

/** Why a daemon ends a connection. `unknown` stands for every reason of a later version. */
export type ClosingReason =
  | 'revoked'
  | 'expired'
  | 'stopping'
  | 'restarting'
  | 'goodbye'
  | 'protocol'
  | 'unknown';

/** A snapshot begins: what the device shows of the session is void. */
export interface SnapshotEvent extends TerminalSize {
  readonly event: 'snapshot';
  readonly session: number;
  readonly size_by?: string;
  readonly history: boolean;
}

/** What a daemon tells unasked. */
export type DaemonEvent =
  | Welcome
  | { readonly event: 'session_opened'; readonly session: SessionEntry }
  | { readonly event: 'session_changed'; readonly session: SessionEntry }
  | ({
      readonly event: 'session_attention';
      readonly session: number;
      readonly name: string;
    } & Attention)
  | ({ readonly event: 'session_ended'; readonly session: number } & ExitStatus)
  | { readonly event: 'session_dismissed'; readonly session: number }
  | SnapshotEvent
  | { readonly event: 'snapshot_end'; readonly session: number; readonly offset: number }
  | { readonly event: 'device_paired'; readonly device: DeviceEntry }
  | { readonly event: 'device_revoked'; readonly id: string; readonly name: string }
  | { readonly event: 'device_renamed'; readonly id: string; readonly name: string }
  | { readonly event: 'closing'; readonly reason: ClosingReason };

/** A part of a session's byte stream. `bytes`: 1 to `MAX_CHUNK`. */
export interface Chunk {
  readonly session: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** All bytes before `offset` are dealt with. */
export interface Progress {
  readonly session: number;
  readonly offset: number;
}

/** What a daemon sends. */
export type FromDaemon =
  | { readonly kind: 'reply'; readonly reply: Reply }
  | { readonly kind: 'event'; readonly event: DaemonEvent }
  /** An event of a later version: drop it. */
  | { readonly kind: 'unknown-event' }
  | { readonly kind: 'output'; readonly chunk: Chunk }
  | { readonly kind: 'snapshot'; readonly chunk: Chunk }
  | { readonly kind: 'input-written'; readonly progress: Progress };
