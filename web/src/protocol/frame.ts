/** The bytes of messages: one kind byte and a body, JSON or binary. */
import {
  bool,
  flag,
  integer,
  list,
  optional,
  rawText,
  readAttention,
  readDevice,
  readExitStatus,
  readOffer,
  readProgram,
  readSession,
  readSize,
  record,
  text,
  u32,
  word,
} from './entries';
import { misbehaved, UsageError } from './error';
import { type JsonObject, readObject } from './json';
import {
  type Answers,
  type Chunk,
  type ClosingReason,
  type DaemonEvent,
  type FromDaemon,
  MAX_CHUNK,
  type Progress,
  type Reply,
  type Request,
  type RequestName,
  type UnreadAnswer,
  type Welcome,
} from './message';
import { concat } from './sodium';

const KIND_REQUEST = 0x01;
const KIND_REPLY = 0x02;
const KIND_EVENT = 0x03;
const KIND_OUTPUT = 0x10;
const KIND_OUTPUT_READ = 0x11;
const KIND_INPUT = 0x12;
const KIND_INPUT_WRITTEN = 0x13;
const KIND_SNAPSHOT = 0x14;
/** Kind, session and offset. */
const HEAD = 13;
const MAX_TEXT = 512;
const MAX_U32 = 4_294_967_295;

/**
 * Reads a record's plaintext, FINAL excepted (`readClosing`). The bytes of a chunk are a part of
 * `plaintext`.
 * @throws ProtocolError `misbehaved`/`message`: a violation; close the WebSocket.
 */
export function readFromDaemon(plaintext: Uint8Array): FromDaemon {
  switch (plaintext[0]) {
    case KIND_REPLY:
      return { kind: 'reply', reply: readReply(readObject(plaintext.subarray(1))) };
    case KIND_EVENT: {
      const event = readEvent(readObject(plaintext.subarray(1)));
      return event === undefined ? { kind: 'unknown-event' } : { kind: 'event', event };
    }
    case KIND_OUTPUT:
      return { kind: 'output', chunk: readChunk(plaintext) };
    case KIND_SNAPSHOT:
      return { kind: 'snapshot', chunk: readChunk(plaintext) };
    case KIND_INPUT_WRITTEN:
      if (plaintext.length !== HEAD) throw misbehaved('message');
      return { kind: 'input-written', progress: readHead(plaintext) };
    default:
      throw misbehaved('message');
  }
}

/**
 * Reads the first record of a connection.
 * @throws ProtocolError `misbehaved`/`message` when it is not the event `welcome`.
 */
export function readWelcome(plaintext: Uint8Array): Welcome {
  const message = readFromDaemon(plaintext);
  if (message.kind !== 'event' || message.event.event !== 'welcome') throw misbehaved('message');
  return message.event;
}

/** Why the daemon ends the connection: the content of its FINAL record. Never throws. */
export function readClosing(plaintext: Uint8Array): ClosingReason {
  try {
    const message = readFromDaemon(plaintext);
    if (message.kind === 'event' && message.event.event === 'closing') return message.event.reason;
  } catch {
    // A later version may say something else here.
  }
  return 'unknown';
}

function readReply(object: JsonObject): Reply {
  const id = u32(object, 'id');
  if (object.has('ok') === object.has('error')) throw misbehaved('message');
  if (object.has('ok')) return { id, ok: record(object, 'ok') as unknown as UnreadAnswer };
  const error = record(object, 'error');
  const code = word(error, 'code', ERROR_CODES, 'unknown');
  return { id, error: { code, message: text(error, 'message', MAX_TEXT) } };
}

const ERROR_CODES = [
  'unknown_request',
  'bad_request',
  'not_allowed',
  'not_found',
  'limit',
  'taken',
  'ended',
  'failed',
] as const;

const done = () => ({});
const opened = (ok: JsonObject) => ({ opened: readSession(record(ok, 'opened')) });
const renamed = (ok: JsonObject) => ({ name: text(ok, 'name') });

const ANSWERS: { readonly [N in RequestName]: (ok: JsonObject) => Answers[N] } = {
  ping: done,
  sessions: (ok) => ({ sessions: list(ok, 'sessions', readSession), more: flag(ok, 'more') }),
  programs: (ok) => ({ programs: list(ok, 'programs', readProgram) }),
  open: opened,
  open_again: opened,
  attach: (ok) => ({
    attached: readSession(record(ok, 'attached')),
    resumed: bool(ok, 'resumed'),
    input: integer(ok, 'input'),
  }),
  detach: done,
  resize: done,
  end: done,
  rename_session: renamed,
  dismiss: done,
  devices: (ok) => ({ devices: list(ok, 'devices', readDevice) }),
  revoke: done,
  rename: renamed,
  offer: readOffer,
};

/**
 * Reads `ok` by the request that was sent.
 * @throws ProtocolError `misbehaved`/`message`: it has not the members that the request demands.
 */
export function readAnswer<N extends RequestName>(request: N, ok: UnreadAnswer): Answers[N] {
  return ANSWERS[request](ok as unknown as JsonObject);
}

type EventName = DaemonEvent['event'];

const CLOSING = ['revoked', 'expired', 'stopping', 'restarting', 'goodbye', 'protocol'] as const;

const EVENTS: { readonly [N in EventName]: (o: JsonObject) => DaemonEvent & { event: N } } = {
  welcome: (o) => ({
    event: 'welcome',
    protocol: u32(o, 'protocol'),
    daemon: text(o, 'daemon'),
    device: readDevice(record(o, 'device')),
  }),
  session_opened: (o) => ({
    event: 'session_opened',
    session: readSession(record(o, 'session')),
  }),
  session_changed: (o) => ({
    event: 'session_changed',
    session: readSession(record(o, 'session')),
  }),
  session_attention: (o) => ({
    event: 'session_attention',
    session: u32(o, 'session'),
    name: text(o, 'name'),
    ...readAttention(o),
  }),
  session_ended: (o) => ({
    event: 'session_ended',
    session: u32(o, 'session'),
    ...readExitStatus(o),
  }),
  session_dismissed: (o) => ({ event: 'session_dismissed', session: u32(o, 'session') }),
  snapshot: (o) => ({
    event: 'snapshot',
    session: u32(o, 'session'),
    ...readSize(o),
    ...optional(o, 'size_by', text),
    history: flag(o, 'history'),
  }),
  snapshot_end: (o) => ({
    event: 'snapshot_end',
    session: u32(o, 'session'),
    offset: integer(o, 'offset'),
  }),
  device_paired: (o) => ({ event: 'device_paired', device: readDevice(record(o, 'device')) }),
  device_revoked: (o) => ({ event: 'device_revoked', id: text(o, 'id'), name: text(o, 'name') }),
  device_renamed: (o) => ({ event: 'device_renamed', id: text(o, 'id'), name: text(o, 'name') }),
  closing: (o) => ({ event: 'closing', reason: word(o, 'reason', CLOSING, 'unknown') }),
};

/** The event, or `undefined` when it is of a later version. */
function readEvent(object: JsonObject): DaemonEvent | undefined {
  const name = rawText(object, 'event');
  return Object.hasOwn(EVENTS, name) ? EVENTS[name as EventName](object) : undefined;
}

function readChunk(plaintext: Uint8Array): Chunk {
  const bytes = plaintext.subarray(HEAD);
  if (bytes.length < 1 || bytes.length > MAX_CHUNK) throw misbehaved('message');
  const { session, offset } = readHead(plaintext);
  if (!Number.isSafeInteger(offset + bytes.length)) throw misbehaved('message');
  return { session, offset, bytes };
}

/** Session and offset of at least `HEAD` bytes. */
function readHead(plaintext: Uint8Array): Progress {
  const view = new DataView(plaintext.buffer, plaintext.byteOffset, HEAD);
  const offset = view.getBigUint64(5);
  if (offset > BigInt(Number.MAX_SAFE_INTEGER)) throw misbehaved('message');
  return { session: view.getUint32(1), offset: Number(offset) };
}

/** The plaintext of a request under its number (u32), not used while a reply to it is due. */
export function writeRequest(id: number, request: Request): Uint8Array {
  if (!Number.isSafeInteger(id) || id < 0 || id > MAX_U32) throw new UsageError('no number');
  const body = new TextEncoder().encode(JSON.stringify({ id, ...request }));
  return concat(Uint8Array.of(KIND_REQUEST), body);
}

/** The plaintext of a chunk of input: 1 to `MAX_CHUNK` bytes. */
export function writeInput(chunk: Chunk): Uint8Array {
  if (chunk.bytes.length < 1 || chunk.bytes.length > MAX_CHUNK) {
    throw new UsageError(`a chunk has 1 to ${MAX_CHUNK} bytes`);
  }
  return concat(writeHead(KIND_INPUT, chunk), chunk.bytes);
}

/** The plaintext of "everything before `offset` is shown": of output and snapshots. */
export function writeOutputRead(progress: Progress): Uint8Array {
  return writeHead(KIND_OUTPUT_READ, progress);
}

function writeHead(kind: number, { session, offset }: Progress): Uint8Array {
  if (!Number.isSafeInteger(offset) || offset < 0) throw new UsageError('no offset');
  const head = new Uint8Array(HEAD);
  const view = new DataView(head.buffer);
  view.setUint8(0, kind);
  view.setUint32(1, session);
  view.setBigUint64(5, BigInt(offset));
  return head;
}
