import { beforeAll, describe, expect, it } from 'vitest';
import { UsageError } from '../../src/protocol/error';
import {
  readAnswer,
  readFromDaemon,
  writeInput,
  writeOutputRead,
  writeRequest,
} from '../../src/protocol/frame';
import { readObject } from '../../src/protocol/json';
import * as message from '../../src/protocol/message';
import { concat, randomKeyboard, ready } from '../../src/protocol/sodium';
import { body, event, samples, VIOLATION, WELCOME } from './samples';
import { failure, fc, hex, utf8 } from './support';

beforeAll(() => ready);

describe('chunks and progress', () => {
  const head = (offset: string) => hex(`00000007${offset}`);
  const chunk = (kind: number, offset: string, length: number) =>
    concat(Uint8Array.of(kind), head(offset), new Uint8Array(length));

  it('are read', () => {
    for (const [kind, name] of [
      [0x10, 'output'],
      [0x14, 'snapshot'],
    ] as const) {
      for (const length of [1, message.MAX_CHUNK]) {
        expect(readFromDaemon(chunk(kind, '0000000100000002', length))).toEqual({
          kind: name,
          chunk: { session: 7, offset: 4_294_967_298, bytes: new Uint8Array(length) },
        });
      }
    }
    const within = concat(new Uint8Array(5), chunk(0x13, '0000000000000003', 0)).subarray(5);
    expect(readFromDaemon(within)).toEqual({
      kind: 'input-written',
      progress: { session: 7, offset: 3 },
    });
  });

  it('are violations otherwise', () => {
    const bad = [
      new Uint8Array(0),
      chunk(0x10, '0000000000000000', 0),
      chunk(0x14, '0000000000000000', 0),
      chunk(0x10, '0000000000000000', message.MAX_CHUNK + 1),
      chunk(0x10, '001fffffffffffff', 1),
      chunk(0x10, 'ffffffffffffffff', 1),
      chunk(0x13, '0020000000000000', 0),
      chunk(0x13, '0000000000000000', 1),
      chunk(0x13, '0000000000000000', 0).subarray(0, 12),
      chunk(0x10, '0000000000000000', 0).subarray(0, 5),
    ];
    for (const kind of [0x00, 0x01, 0x04, 0x0f, 0x11, 0x12, 0x15, 0xff]) {
      bad.push(chunk(kind, '0000000000000000', 5), body(kind, WELCOME));
    }
    for (const plaintext of bad)
      expect(failure(() => readFromDaemon(plaintext))).toEqual(VIOLATION);
  });

  it('are written as they are read', () => {
    fc.assert(
      fc.property(
        fc.nat(2 ** 32 - 1),
        fc.maxSafeNat(),
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        (session, offset, bytes) => {
          fc.pre(Number.isSafeInteger(offset + bytes.length));
          const output = writeInput({ session, offset, bytes });
          output[0] = 0x10;
          const read = readFromDaemon(output);
          expect(read).toEqual({ kind: 'output', chunk: { session, offset, bytes } });
          const progress = writeOutputRead({ session, offset });
          expect(progress[0]).toBe(0x11);
          progress[0] = 0x13;
          expect(readFromDaemon(progress)).toMatchObject({ progress: { session, offset } });
        },
      ),
    );
  });

  it('are not written with what does not fit', () => {
    for (const length of [0, message.MAX_CHUNK + 1]) {
      const given = { session: 1, offset: 0, bytes: new Uint8Array(length) };
      expect(() => writeInput(given)).toThrow(UsageError);
    }
    for (const offset of [-1, 2 ** 53, 0.5]) {
      expect(() => writeOutputRead({ session: 1, offset })).toThrow(UsageError);
    }
    for (const id of [-1, 2 ** 32, 0.5]) {
      expect(() => writeRequest(id, { request: 'ping' })).toThrow(UsageError);
    }
  });
});

describe('JSON', () => {
  const object = (text: string) => readObject(utf8(text));

  it('is one object', () => {
    expect(
      object(' \t\r\n{ "a" : [1, true, null, "x\\u00e9\\n\\ud83d\\ude00"] , "b":{} }\n'),
    ).toEqual(
      new Map<string, unknown>([
        ['a', [1, true, null, 'xé\n😀']],
        ['b', new Map()],
      ]),
    );
    for (const text of [
      '',
      ' ',
      '[]',
      '[{}]',
      '"a"',
      '1',
      'null',
      'true',
      '{}{}',
      '{} x',
      '\ufeff{}',
      '{',
      '{"a"',
      '{"a":}',
      '{"a":1,}',
      '{,}',
      '{a:1}',
      "{'a':1}",
      '{"a":1 "b":2}',
      '{"a":[1,]}',
      '{"a":[,1]}',
      '{"a":[1 2]}',
      '{"a":01}',
      '{"a":+1}',
      '{"a":.5}',
      '{"a":1.}',
      '{"a":1e}',
      '{"a":NaN}',
      '{"a":tru}',
      '{"a":"\t"}',
      '{"a":"\\x"}',
      '{"a":"\\u12"}',
      '{"a":"b}',
      '{"a":"b\\"}',
      '{"a":1}//',
      '{"a":1,"a":1}',
      '{"a":1,"\\u0061":1}',
      '{"a":"\\ud800"}',
      '{"\\udc00":1}',
      '{"a":"\\ude00\\ud83d"}',
      '\u00a0{}',
    ]) {
      expect(
        failure(() => object(text)),
        text,
      ).toEqual(VIOLATION);
    }
    expect(failure(() => readObject(hex('7b2261223a22ff227d')))).toEqual(VIOLATION);
  });

  it('has numbers in plain digits only', () => {
    const number = (text: string) => object(`{"a":${text}}`).get('a');
    for (const plain of [0, 7, Number.MAX_SAFE_INTEGER]) expect(number(String(plain))).toBe(plain);
    for (const text of ['-1', '-0', '1.0', '1e3', '9007199254740992', '18446744073709551615']) {
      expect(number(text), text).toBeNaN();
    }
  });

  it('is at most 16 deep', () => {
    const nested = (levels: number) => `${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`;
    expect(object(nested(16)).has('a')).toBe(true);
    expect(failure(() => object(nested(17)))).toEqual(VIOLATION);
    expect(failure(() => object(`{"a":${'['.repeat(60_000)}`))).toEqual(VIOLATION);
  });

  it('gives no member a meaning of JavaScript', () => {
    expect(failure(() => event('{"event":"__proto__"}'.replace('"event"', '"__proto__"')))).toEqual(
      VIOLATION,
    );
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      expect(event({ event: name })).toBe('unknown-event');
    }
    const polluting = '{"event":"session_dismissed","__proto__":{"session":1}}';
    expect(failure(() => event(polluting))).toEqual(VIOLATION);
  });

  it('is read as JSON.parse does, where that is as strict', () => {
    const plain = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.maxSafeNat(),
        fc.string({ unit: 'binary' }).filter((text) => !/\p{Cs}/u.test(text)),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(fc.string(), tie('value'), { maxKeys: 4 }),
      ),
    })).value;
    const asMaps = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(asMaps);
      if (typeof value !== 'object' || value === null) return value;
      return new Map(Object.entries(value).map(([name, member]) => [name, asMaps(member)]));
    };
    fc.assert(
      fc.property(plain, (value) => {
        const text = JSON.stringify({ value });
        expect(object(text)).toEqual(asMaps(JSON.parse(text)));
      }),
    );
  });
});

describe('whatever comes', () => {
  /** Reading throws a violation or nothing. */
  function harmless(plaintext: Uint8Array): void {
    try {
      const read = readFromDaemon(plaintext);
      if (read.kind !== 'reply' || !('ok' in read.reply)) return;
      for (const { request } of samples.requests) readAnswer(request, read.reply.ok);
    } catch (error) {
      expect(error).toMatchObject({ failure: VIOLATION });
    }
  }

  it('is read or a violation', () => {
    const kind = fc.constantFrom(0x02, 0x03, 0x10, 0x13, 0x14, 0x00);
    fc.assert(
      fc.property(kind, fc.uint8Array({ maxLength: 80 }), (first, bytes) => {
        harmless(concat(Uint8Array.of(first), bytes));
      }),
    );
    fc.assert(
      fc.property(fc.constantFrom(2, 3), fc.json(), (first, text) => {
        harmless(body(first, text));
        harmless(body(2, `{"id":1,"ok":${text}}`));
      }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...samples.events), fc.nat(), fc.nat(255), (sample, at, byte) => {
        const plaintext = body(3, sample);
        plaintext[1 + (at % (plaintext.length - 1))] = byte;
        harmless(plaintext);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('the number of a keyboard', () => {
  it('has 53 random bits', () => {
    const drawn = Array.from({ length: 2000 }, randomKeyboard);
    expect(drawn.every((number) => Number.isSafeInteger(number) && number >= 0)).toBe(true);
    expect(new Set(drawn).size).toBe(2000);
    for (let bit = 0; bit < 53; bit += 1) {
      const set = drawn.filter((number) => Math.floor(number / 2 ** bit) % 2 === 1).length;
      expect(Math.abs(set - 1000), `bit ${bit}`).toBeLessThan(200);
    }
  });
});
