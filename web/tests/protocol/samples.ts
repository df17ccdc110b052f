/** Messages as the tests hand them in, and the samples of the daemon. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { readAnswer, readFromDaemon } from '../../src/protocol/frame';
import type * as message from '../../src/protocol/message';
import { concat } from '../../src/protocol/sodium';
import { utf8 } from './support';

/** What the daemon's own tests write and read; they hold the file to what they do. */
export const samples = JSON.parse(
  readFileSync(
    new URL('../../../crates/codeout-protocol/src/frame_tests/samples.json', import.meta.url),
    'utf8',
  ),
);

export const VIOLATION = { kind: 'misbehaved', how: 'message' };

export function body(kind: number, content: unknown): Uint8Array {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  return concat(Uint8Array.of(kind), utf8(text));
}

export function event(content: unknown) {
  const read = readFromDaemon(body(3, content));
  return read.kind === 'event' ? read.event : read.kind;
}

export function reply(content: unknown): message.Reply {
  const read = readFromDaemon(body(2, content));
  return read.kind === 'reply' ? read.reply : expect.fail();
}

export function answer<N extends message.RequestName>(request: N, ok: unknown): message.Answers[N] {
  const read = reply({ id: 7, ok });
  return 'ok' in read ? readAnswer(request, read.ok) : expect.fail();
}

export const WELCOME = samples.events.find((e: { event: string }) => e.event === 'welcome');
export const SESSION = samples.events.find(
  (e: { event: string }) => e.event === 'session_changed',
).session;
export const BARE = samples.events.find(
  (e: { event: string }) => e.event === 'session_opened',
).session;
