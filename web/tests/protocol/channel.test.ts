import { beforeAll, describe, expect, it } from 'vitest';
import {
  MAX_PLAINTEXT,
  MAX_RECORD,
  Opener,
  REKEY_AFTER,
  REKEY_RECORDS,
  Sealer,
} from '../../src/protocol/channel';
import { UsageError } from '../../src/protocol/error';
import { Pull, Push, randomBytes, ready, type Tag } from '../../src/protocol/sodium';
import { cases, failure, fc, flipped, hex, toHex, utf8, vectors } from './support';

beforeAll(() => ready);

const vector = vectors('channel.json');
const KEY = Uint8Array.from({ length: 32 }, (_, at) => at);
const RECORD = { kind: 'record' };

function both(): { sealer: Sealer; opener: Opener; header: Uint8Array } {
  const { sealer, header } = Sealer.begin(KEY);
  return { sealer, opener: new Opener(KEY, header), header };
}

/** An opener, and the record of these padded bytes under any tag. */
function crafted(padded: Uint8Array, tag = 0) {
  const { push, header } = Push.begin(KEY);
  return { opener: new Opener(KEY, header), record: push.push(padded, tag as Tag) };
}

function padded(length: number, blocks: number): Uint8Array {
  const bytes = new Uint8Array(blocks * 64);
  bytes[length] = 0x80;
  return bytes;
}

describe('the vector of records', () => {
  it('is opened, and nothing behind it', () => {
    const opener = new Opener(hex(vector.key), hex(vector.header));
    for (const { plaintext, record, tag } of vector.records) {
      const opened = opener.open(hex(record));
      expect(toHex(opened.plaintext)).toBe(plaintext);
      expect(opened.final).toBe(tag === 'FINAL');
    }
    expect(opener.hasEnded).toBe(true);
    expect(failure(() => opener.open(hex(vector.records[0].record)))).toEqual({ kind: 'ended' });
  });

  it('is what is sealed', () => {
    const sealer = Sealer.withHeader(hex(vector.key), hex(vector.header));
    let now = 0;
    for (const { plaintext, record, tag, padded_length: padded } of vector.records) {
      if (tag === 'REKEY') now += REKEY_AFTER;
      const bytes = hex(plaintext);
      const made = tag === 'FINAL' ? sealer.finish(bytes) : sealer.seal(now, bytes);
      expect(toHex(made)).toBe(record);
      expect(made.length).toBe(padded + 17);
    }
  });

  it.each(cases(vector.reject_padding))('rejects $why', ({ header, record }) => {
    const pull = Pull.begin(hex(vector.key), hex(header));
    expect(pull.pull(hex(record))).toBeDefined();
    const opener = new Opener(hex(vector.key), hex(header));
    expect(failure(() => opener.open(hex(record)))).toEqual(RECORD);
  });
});

describe('a direction', () => {
  it('carries anything, in order', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }), (texts) => {
        const { sealer, opener } = both();
        for (const text of texts) {
          const record = sealer.seal(0, text);
          expect(record.length).toBe((Math.floor(text.length / 64) + 1) * 64 + 17);
          expect(opener.open(record)).toEqual({ final: false, plaintext: text });
        }
        expect(opener.hasEnded).toBe(false);
        expect(opener.open(sealer.finish(utf8('end')))).toEqual({
          final: true,
          plaintext: utf8('end'),
        });
      }),
    );
  });

  it('carries up to 65536 bytes', () => {
    const { sealer, opener } = both();
    const most = randomBytes(MAX_PLAINTEXT);
    expect(() => sealer.seal(0, randomBytes(MAX_PLAINTEXT + 1))).toThrow(UsageError);
    const record = sealer.seal(0, most);
    expect(record.length).toBe(MAX_RECORD);
    expect(record.length).toBe(65_617);
    expect(opener.open(record).plaintext).toEqual(most);
  });

  it('rejects what is dropped, repeated, reordered or changed, and all that follows', () => {
    const kinds = fc.constantFrom('drop', 'repeat', 'swap', 'change', 'cut', 'lengthen');
    fc.assert(
      fc.property(
        kinds,
        fc.integer({ min: 1, max: 3 }),
        fc.nat(),
        fc.nat(7),
        (kind, at, where, bit) => {
          const { sealer, opener } = both();
          const records = Array.from({ length: 6 }, (_, n) => sealer.seal(0, utf8(`record ${n}`)));
          const [one, two] = [records[at], records[at + 1]] as [Uint8Array, Uint8Array];
          const changed = {
            drop: [two],
            repeat: [records[at - 1] as Uint8Array],
            swap: [two, one],
            change: [flipped(one, where % one.length, bit)],
            cut: [one.subarray(0, where % one.length)],
            lengthen: [Uint8Array.from([...one, 0])],
          }[kind];
          for (const record of records.slice(0, at)) opener.open(record);
          for (const record of changed) expect(failure(() => opener.open(record))).toEqual(RECORD);
          expect(failure(() => opener.open(one))).toEqual(RECORD);
          expect(failure(() => opener.open(two))).toEqual(RECORD);
          expect(opener.hasEnded).toBe(false);
        },
      ),
    );
  });

  it('rejects the other direction’s records and arbitrary bytes', () => {
    const { sealer } = both();
    const { opener } = both();
    expect(failure(() => opener.open(sealer.seal(0, utf8('x'))))).toEqual(RECORD);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(failure(() => both().opener.open(bytes))).toEqual(RECORD);
      }),
    );
  });

  it('rejects PUSH, and more than a record may be', () => {
    for (const tag of [0, 2, 3]) {
      const { opener, record } = crafted(padded(5, 1), tag);
      expect(opener.open(record).plaintext).toEqual(new Uint8Array(5));
    }
    const pushed = crafted(padded(5, 1), 1);
    expect(failure(() => pushed.opener.open(pushed.record))).toEqual(RECORD);
    const long = crafted(padded(65_537, 1025));
    expect(long.record.length).toBe(MAX_RECORD);
    expect(failure(() => long.opener.open(long.record))).toEqual(RECORD);
    const longer = crafted(padded(5 + 65_536, 1026));
    expect(failure(() => longer.opener.open(longer.record))).toEqual(RECORD);
  });

  it('rejects every padding but the right one', () => {
    const bytes = fc.uint8Array({ minLength: 0, maxLength: 130 });
    fc.assert(
      fc.property(bytes, fc.constantFrom(0, 0x80, 1), fc.nat(70), (start, marker, zeros) => {
        const all = Uint8Array.from([...start, marker, ...new Uint8Array(zeros)]);
        const last = all.findLastIndex((byte) => byte !== 0);
        const whole = all.length % 64 === 0 && last >= all.length - 64 && all[last] === 0x80;
        const { opener, record } = crafted(all);
        if (whole) expect(opener.open(record).plaintext).toEqual(all.subarray(0, last));
        else expect(failure(() => opener.open(record))).toEqual(RECORD);
      }),
      { numRuns: 500 },
    );
  });

  it('is over behind its final record', () => {
    const { sealer, opener } = both();
    const final = sealer.finish(new Uint8Array(0));
    expect(() => sealer.seal(0, utf8('more'))).toThrow(UsageError);
    expect(() => sealer.finish(utf8('more'))).toThrow(UsageError);
    expect(opener.open(final)).toEqual({ final: true, plaintext: new Uint8Array(0) });
    expect(failure(() => opener.open(final))).toEqual({ kind: 'ended' });
  });

  it('is over when it is closed', () => {
    const { sealer, opener } = both();
    const record = sealer.seal(0, utf8('x'));
    sealer.close();
    opener.close();
    sealer.close();
    opener.close();
    expect(() => sealer.seal(0, utf8('x'))).toThrow(UsageError);
    expect(failure(() => opener.open(record))).toEqual(RECORD);
  });
});

describe('the key of a direction', () => {
  /** The tags of records, by a receiver of its own. */
  function tags(header: Uint8Array) {
    const pull = Pull.begin(KEY, header);
    return (record: Uint8Array) => pull.pull(record)?.tag;
  }

  it('changes an hour after the first record, and an hour after that', () => {
    const { sealer, header } = both();
    const tag = tags(header);
    const start = 5_000;
    const seen = [0, 10, REKEY_AFTER - 1, REKEY_AFTER, REKEY_AFTER + 1, 2 * REKEY_AFTER].map(
      (after) => tag(sealer.seal(start + after, utf8('x'))),
    );
    expect(seen).toEqual([0, 0, 0, 2, 0, 2]);
  });

  it('changes on the 2^20th record', { timeout: 120_000 }, () => {
    const { sealer, header } = both();
    const tag = tags(header);
    const nothing = new Uint8Array(0);
    let changed = 0;
    for (let record = 1; record < REKEY_RECORDS; record += 1) {
      changed += tag(sealer.seal(0, nothing)) === 0 ? 0 : 1;
    }
    expect(changed).toBe(0);
    expect(tag(sealer.seal(0, nothing))).toBe(2);
    expect(tag(sealer.seal(0, nothing))).toBe(0);
  });
});
