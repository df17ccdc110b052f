/** What is fuzzed: each target throws when something does not hold. */
import assert from 'node:assert/strict';
import { baseOf, formatAddress, parseAddress } from '../src/protocol/address';
import { formatCode, isCode, parseCode } from '../src/protocol/code';
import { ProtocolError } from '../src/protocol/error';
import { parseFingerprint } from '../src/protocol/fingerprint';
import { readAnswer, readClosing, readFromDaemon, readWelcome } from '../src/protocol/frame';
import { formatLink, parseLink, qrText } from '../src/protocol/link';
import { MAX_CHUNK, type RequestName, type UnreadAnswer } from '../src/protocol/message';
import { cleanName, cleanText } from '../src/protocol/name';
import { ready } from '../src/protocol/sodium';
import { handshake } from './handshake';
import { records } from './records';

export { ready };

export interface Target {
  /** The directory of its first inputs, below `fuzz/seeds`. */
  readonly seeds: string;
  run(input: Uint8Array): void;
}

const REQUESTS: readonly RequestName[] = [
  ...(['ping', 'sessions', 'programs', 'open', 'attach', 'detach', 'resize', 'end'] as const),
  ...(['rename_session', 'dismiss', 'devices', 'revoke', 'rename', 'offer'] as const),
];

/** What `read` returns; `undefined` for a violation, which is all that may be thrown. */
export function violating<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    assert(error instanceof ProtocolError, `${error}`);
    return undefined;
  }
}

/** Texts can be shown as they are, numbers are those of the document. */
function checkSafe(value: unknown): void {
  if (typeof value === 'string') {
    assert.equal(cleanText(value, 1024), value);
  } else if (typeof value === 'number') {
    assert(Number.isSafeInteger(value) && value >= 0);
  } else if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array)) {
    assert(!(value instanceof Map));
    Object.values(value).forEach(checkSafe);
  }
}

function checkAnswer(ok: UnreadAnswer): void {
  for (const request of REQUESTS) {
    checkSafe(violating(() => readAnswer(request, ok)));
  }
}

function message(input: Uint8Array): void {
  const before = input.slice();
  const read = violating(() => readFromDaemon(input));
  const welcome = violating(() => readWelcome(input));
  const reason = readClosing(input);
  assert.deepEqual(input, before);
  if (welcome !== undefined) assert.deepEqual(read, { kind: 'event', event: welcome });
  if (read?.kind === 'event' && read.event.event === 'closing') {
    assert.equal(reason, read.event.reason);
  } else {
    assert.equal(reason, 'unknown');
  }
  switch (read?.kind) {
    case 'output':
    case 'snapshot':
      assert(read.chunk.bytes.length >= 1 && read.chunk.bytes.length <= MAX_CHUNK);
      assert(Number.isSafeInteger(read.chunk.offset + read.chunk.bytes.length));
      assert.deepEqual(read.chunk.bytes, input.subarray(13));
      break;
    case 'reply':
      if ('ok' in read.reply) checkAnswer(read.reply.ok);
      else checkSafe(read.reply.error);
      break;
    default:
      checkSafe(read);
  }
}

function texts(input: Uint8Array): void {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(input);
  const code = parseCode(text);
  if (isCode(code)) assert.equal(parseCode(formatCode(code)), code);
  const fingerprint = parseFingerprint(text);
  if (fingerprint !== undefined) assert.equal(parseFingerprint(fingerprint), fingerprint);
  const address = parseAddress(text);
  if (address !== undefined) assert.deepEqual(parseAddress(formatAddress(address)), address);
  const base = baseOf(text);
  if (base !== undefined) assert.equal(baseOf(base), base);
  const link = parseLink(text);
  if (link !== undefined) {
    assert.deepEqual(parseLink(formatLink(link)), link);
    assert.deepEqual(parseLink(qrText(link)), link);
  }
  const name = cleanName(text);
  if (name !== undefined) {
    assert(new TextEncoder().encode(name).length <= 64);
    assert.equal(cleanName(name), name);
  }
}

export const TARGETS: Readonly<Record<string, Target>> = {
  message_from_daemon: { seeds: 'message_from_daemon', run: message },
  link_code_address_fingerprint: { seeds: 'link_code_address_fingerprint', run: texts },
  handshake_device: { seeds: 'web_handshake_device', run: handshake },
  records: { seeds: 'web_records', run: records },
};
