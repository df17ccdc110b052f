/**
 * The inputs that fuzzing of the Rust decoders found worth keeping: both decoders must make the
 * same of each. `verdicts.json` is what the other one made of them; its test checks that it is.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { baseOf, formatAddress, parseAddress } from '../../src/protocol/address';
import { isCode, parseCode } from '../../src/protocol/code';
import { ProtocolError } from '../../src/protocol/error';
import { parseFingerprint } from '../../src/protocol/fingerprint';
import { readAnswer, readFromDaemon } from '../../src/protocol/frame';
import { formatLink, parseLink } from '../../src/protocol/link';
import type { FromDaemon, RequestName } from '../../src/protocol/message';
import { cleanName } from '../../src/protocol/name';
import { ready } from '../../src/protocol/sodium';
import { failure, hex } from './support';

beforeAll(() => ready);

const SEEDS = new URL('../../../fuzz/seeds/', import.meta.url);

interface Read {
  readonly written: string;
  /** Whether the app refuses it by rules of its own. */
  readonly stricter: boolean;
  readonly answer: RequestName | null;
}

type Texts = Readonly<
  Record<'code' | 'fingerprint' | 'address' | 'typed' | 'link' | 'name', string | null>
>;

const verdicts: {
  readonly message_from_daemon: Readonly<Record<string, Read | 'later' | null>>;
  readonly link_code_address_fingerprint: Readonly<Record<string, Texts | null>>;
} = JSON.parse(readFileSync(new URL('verdicts.json', SEEDS), 'utf8'));

function inputs(target: keyof typeof verdicts): readonly string[] {
  return readdirSync(new URL(`${target}/`, SEEDS)).sort();
}

function bytesOf(target: keyof typeof verdicts, name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`${target}/${name}`, SEEDS)));
}

/** A message with its answer read as what the other decoder took it for. */
function meaning(plaintext: Uint8Array, answer: RequestName | null): unknown {
  const message: FromDaemon = readFromDaemon(plaintext);
  if (message.kind !== 'reply' || answer === null || !('ok' in message.reply)) return message;
  const { id, ok } = message.reply;
  return { id, answer: readAnswer(answer, ok) };
}

describe('messages of a daemon', () => {
  it('are all judged', () => {
    const names = Object.keys(verdicts.message_from_daemon).sort();
    expect(inputs('message_from_daemon')).toEqual(names);
  });

  it.each(Object.entries(verdicts.message_from_daemon))('%s', (name, verdict) => {
    const bytes = bytesOf('message_from_daemon', name);
    if (verdict === null) {
      failure(() => readFromDaemon(bytes));
    } else if (verdict === 'later') {
      expect(readFromDaemon(bytes)).toEqual({ kind: 'unknown-event' });
    } else if (verdict.stricter) {
      failure(() => meaning(bytes, verdict.answer));
    } else {
      expect(meaning(bytes, verdict.answer)).toEqual(meaning(hex(verdict.written), verdict.answer));
    }
  });
});

/** What `read` makes of a text; a refusal is `null`. */
function orNull(read: () => string | undefined): string | null {
  try {
    return read() ?? null;
  } catch (error) {
    if (error instanceof ProtocolError) return null;
    throw error;
  }
}

describe('texts that people type, scan and propose', () => {
  it('are all judged', () => {
    const names = Object.keys(verdicts.link_code_address_fingerprint).sort();
    expect(inputs('link_code_address_fingerprint')).toEqual(names);
  });

  it.each(Object.entries(verdicts.link_code_address_fingerprint))('%s', (name, verdict) => {
    const bytes = bytesOf('link_code_address_fingerprint', name);
    // What is no text reaches neither.
    if (verdict === null) return;
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
    const code = parseCode(text);
    const address = parseAddress(text);
    const link = parseLink(text);
    expect({
      code: isCode(code) ? code : null,
      fingerprint: orNull(() => parseFingerprint(text)),
      address: address === undefined ? null : formatAddress(address),
      typed: orNull(() => baseOf(text)),
      link: link === undefined ? null : formatLink(link),
      name: cleanName(text) ?? null,
    }).toEqual(verdict);
  });
});
