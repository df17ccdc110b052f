/** Reads the members of messages: types, ranges, and texts made safe to show. */
import { formatCode, isCode, parseCode } from './code';
import { misbehaved } from './error';
import type { Json, JsonObject } from './json';
import { formatLink, parseLink } from './link';
import {
  type Attention,
  type DeviceEntry,
  type ExitStatus,
  MAX_TERMINAL_CELLS,
  MAX_TERMINAL_SIDE,
  type OfferEntry,
  type ProgramEntry,
  type SessionEntry,
  type TerminalSize,
} from './message';
import { cleanText, MAX_NAME } from './name';

const MAX_U8 = 255;
const MAX_U32 = 4_294_967_295;
const MAX_ID = 64;
const MAX_PROGRAM = 512;
const MAX_DIRECTORY = 1_024;
const MAX_TITLE = 256;
const MAX_NOTE = 1_024;
const MAX_LINE_CHARACTERS = 200;
const MAX_LINE = 4 * MAX_LINE_CHARACTERS;
const MAX_WATCHERS = 16;

/** An integer from 0 to `most` (2^53 − 1 unless told otherwise). */
export function integer(object: JsonObject, name: string, most = Number.MAX_SAFE_INTEGER): number {
  const value = object.get(name);
  if (typeof value !== 'number' || !(value <= most)) throw misbehaved('message');
  return value;
}

export function u32(object: JsonObject, name: string): number {
  return integer(object, name, MAX_U32);
}

/** A text, cleaned and cut to `maxBytes`. */
export function text(object: JsonObject, name: string, maxBytes = MAX_NAME): string {
  return cleanText(rawText(object, name), maxBytes);
}

/** A text as it is: to be compared with words of the protocol, never to be shown. */
export function rawText(object: JsonObject, name: string): string {
  const value = object.get(name);
  if (typeof value !== 'string') throw misbehaved('message');
  return value;
}

export function bool(object: JsonObject, name: string): boolean {
  const value = object.get(name);
  if (typeof value !== 'boolean') throw misbehaved('message');
  return value;
}

/** A bool that is false when it is absent. */
export function flag(object: JsonObject, name: string): boolean {
  return object.has(name) && bool(object, name);
}

/** A member that may be absent, read by `read`. */
export function optional<N extends string, T>(
  object: JsonObject,
  name: N,
  read: (object: JsonObject, name: N) => T,
): { [K in N]?: T } {
  return object.has(name) ? ({ [name]: read(object, name) } as { [K in N]: T }) : {};
}

export function record(object: JsonObject, name: string): JsonObject {
  return asObject(object.get(name));
}

function asObject(value: Json | undefined): JsonObject {
  if (!(value instanceof Map)) throw misbehaved('message');
  return value;
}

/** An array, each item read by `read`. */
export function list<T>(object: JsonObject, name: string, read: (item: JsonObject) => T): T[] {
  return items(object, name).map((item) => read(asObject(item)));
}

function items(object: JsonObject, name: string): readonly Json[] {
  const value = object.get(name);
  if (!Array.isArray(value)) throw misbehaved('message');
  return value;
}

function texts(object: JsonObject, name: string): string[] {
  return items(object, name).map((item) => {
    if (typeof item !== 'string') throw misbehaved('message');
    return item;
  });
}

/** One of `words`, or `other` for a word of a later version. */
export function word<W extends string, O>(
  object: JsonObject,
  name: string,
  words: readonly W[],
  other: O,
): W | O {
  const value = rawText(object, name);
  return words.find((known) => known === value) ?? other;
}

const clipped = (bytes: number) => (object: JsonObject, name: string) => text(object, name, bytes);
const time = (object: JsonObject, name: string) => integer(object, name);

/** `columns` and `rows`, in range. */
export function readSize(object: JsonObject): TerminalSize {
  const columns = integer(object, 'columns', MAX_TERMINAL_SIDE);
  const rows = integer(object, 'rows', MAX_TERMINAL_SIDE);
  if (columns < 1 || rows < 1 || columns * rows > MAX_TERMINAL_CELLS) throw misbehaved('message');
  return { columns, rows };
}

/** Exactly one of `exit` and `signal`. */
export function readExitStatus(object: JsonObject): ExitStatus {
  if (object.has('exit') === object.has('signal')) throw misbehaved('message');
  return object.has('exit')
    ? { exit: integer(object, 'exit', MAX_U8) }
    : { signal: integer(object, 'signal', MAX_U8) };
}

const REASONS = ['bell', 'notification', 'quiet', 'ended'] as const;

export function readAttention(object: JsonObject): Attention {
  return {
    at: time(object, 'at'),
    reason: word(object, 'reason', REASONS, 'unknown'),
    ...optional(object, 'title', clipped(MAX_TITLE)),
    ...optional(object, 'text', clipped(MAX_NOTE)),
  };
}

function lastLine(object: JsonObject, name: string): string {
  return [...text(object, name, MAX_LINE)].slice(0, MAX_LINE_CHARACTERS).join('');
}

function watchers(object: JsonObject): string[] {
  if (!object.has('watchers')) return [];
  const names = texts(object, 'watchers');
  return names.slice(0, MAX_WATCHERS).map((name) => cleanText(name, MAX_NAME));
}

export function readSession(object: JsonObject): SessionEntry {
  return {
    session: u32(object, 'session'),
    name: text(object, 'name'),
    program: text(object, 'program', MAX_PROGRAM),
    directory: text(object, 'directory', MAX_DIRECTORY),
    ...readSize(object),
    ...optional(object, 'size_by', clipped(MAX_NAME)),
    opened_at: time(object, 'opened_at'),
    ...optional(object, 'last_output_at', time),
    ...optional(object, 'title', clipped(MAX_TITLE)),
    ...optional(object, 'last_line', lastLine),
    watching: object.has('watching') ? u32(object, 'watching') : 0,
    watchers: watchers(object),
    ...optional(object, 'attention', (from, name) => readAttention(record(from, name))),
    ...optional(object, 'ended', (from, name) => readEnded(record(from, name))),
  };
}

function readEnded(object: JsonObject): { readonly at: number } & ExitStatus {
  return { at: time(object, 'at'), ...readExitStatus(object) };
}

export function readDevice(object: JsonObject): DeviceEntry {
  return {
    id: text(object, 'id', MAX_ID),
    name: text(object, 'name'),
    paired_at: time(object, 'paired_at'),
    ...optional(object, 'last_seen', time),
    connected: flag(object, 'connected'),
    unfinished: flag(object, 'unfinished'),
    watch_only: flag(object, 'watch_only'),
    ...optional(object, 'expires_at', time),
    this: flag(object, 'this'),
  };
}

export function readProgram(object: JsonObject): ProgramEntry {
  return {
    name: text(object, 'name', MAX_PROGRAM),
    command: text(object, 'command', MAX_DIRECTORY),
  };
}

export function readOffer(object: JsonObject): OfferEntry {
  const code = parseCode(rawText(object, 'code'));
  const links = texts(object, 'links').map((link) => parseLink(link));
  if (!isCode(code)) throw misbehaved('message');
  return {
    code: formatCode(code),
    links: links.map((link) => {
      if (link === undefined) throw misbehaved('message');
      return formatLink(link);
    }),
    expires_in: time(object, 'expires_in'),
  };
}
