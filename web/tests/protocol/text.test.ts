import { beforeAll, describe, expect, it } from 'vitest';
import { baseOf, parseAddress, webSocketOf } from '../../src/protocol/address';
import { type Code, formatCode, formatTyping, isCode, parseCode } from '../../src/protocol/code';
import { decode, encode } from '../../src/protocol/crockford';
import { fingerprintOf, parseFingerprint } from '../../src/protocol/fingerprint';
import { formatLink, parseLink, qrText } from '../../src/protocol/link';
import { cleanName, cleanText } from '../../src/protocol/name';
import { ready } from '../../src/protocol/sodium';
import { cases, fc, hex, toHex, utf8, vectors } from './support';

beforeAll(() => ready);

const canonical = fc
  .array(fc.constantFrom(...'0123456789ABCDEFGHJKMNPQRSTVWXYZ'), { minLength: 12, maxLength: 12 })
  .map((characters) => characters.join('') as Code);

describe('pairing codes', () => {
  const { valid, reject } = vectors('code.json');

  it.each(cases(valid))('reads $typed', ({ typed, canonical: meant, printed }) => {
    const code = parseCode(typed);
    expect(code).toBe(meant);
    expect(formatCode(code as Code)).toBe(printed);
  });

  it.each(cases(reject))('rejects $why', ({ typed }) => {
    expect(isCode(parseCode(typed))).toBe(false);
  });

  it('says what is wrong', () => {
    expect(parseCode('K7QM-3FBR-9TZ')).toEqual({ problem: 'length', length: 11 });
    expect(parseCode('K7QM-3FBR-9TZU')).toMatchObject({ problem: 'character' });
  });

  it('upper-cases ASCII alone', () => {
    for (const sly of ['ı', 'ſ', '\u212a', 'Ⅰ', '–', '_', '\t', '\n', '\u00a0', 'u', 'U']) {
      expect(isCode(parseCode(`K7QM3FBR9TZ${sly}`)), sly).toBe(false);
    }
  });

  it('comes back however it is typed', () => {
    fc.assert(
      fc.property(
        canonical,
        fc.array(fc.constantFrom(' ', '-', ''), { maxLength: 12 }),
        (code, gaps) => {
          const typed = [...code].map((c, at) => c.toLowerCase() + (gaps[at] ?? '')).join('');
          expect(parseCode(typed)).toBe(code);
          expect(parseCode(formatCode(code))).toBe(code);
        },
      ),
    );
  });

  it('is formatted while it is typed', () => {
    for (const [typed, shown] of [
      ['', ''],
      ['k7qm', 'K7QM'],
      ['k7qm3', 'K7QM-3'],
      ['K7QM-', 'K7QM'],
      ['k7qm3fbr9', 'K7QM-3FBR-9'],
      ['k7q_m!3f', 'K7QM-3F'],
      ['oil', '011'],
      ['K7QM-3FBR-9TZXZZ', 'K7QM-3FBR-9TZX'],
    ] as const) {
      expect(formatTyping(typed)).toBe(shown);
      expect(formatTyping(shown)).toBe(shown);
    }
  });

  it('is formatted so that it reads as typed', () => {
    fc.assert(
      fc.property(canonical, fc.nat(12), (code, length) => {
        const shown = formatTyping(code.slice(0, length).toLowerCase());
        expect(shown.replaceAll('-', '')).toBe(code.slice(0, length));
      }),
    );
  });
});

describe('base32', () => {
  it('has one encoding for each value', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (bytes) => {
        expect(decode(encode(bytes), bytes.length)).toEqual(bytes);
      }),
    );
    expect(decode('7', 1)).toBeUndefined();
    expect(decode('7Z', 1)).toBeUndefined();
    expect(toHex(decode('7W', 1) ?? new Uint8Array())).toBe('3f');
  });
});

describe('pairing links', () => {
  const { valid, reject } = vectors('link.json');

  it.each(cases(valid))('reads and writes $base', ({ base, code, spk, link }) => {
    const meant = { base, code: code as Code, daemonKey: hex(spk) };
    expect(parseLink(link)).toEqual(meant);
    expect(parseLink(` ${link}\n`)).toEqual(meant);
    expect(formatLink(meant)).toBe(link);
    expect(parseLink(qrText(meant))).toEqual(meant);
    expect(qrText(meant)).toMatch(/^[0-9A-Z $%*+\-./:[\]]*#[0-9A-Z]*$/);
  });

  it.each(cases(reject))('rejects $why', ({ link }) => {
    expect(parseLink(link)).toBeUndefined();
  });

  it('rejects what is near to one', () => {
    const fragment = String(valid[0].link).split('#')[1];
    expect(parseLink(`http://desk/#${fragment}`)).toBeDefined();
    for (const base of [
      'ftp://desk',
      'desk',
      '//desk',
      'http:/desk',
      'http://',
      'http://desk/path',
      'http://desk?q',
      'http://user@desk',
      'http://u:p@desk',
      'http://desk:',
      'http://desk:0',
      'http://desk:65536',
      'http://desk:+80',
      'http://desk:-1',
      'http://-desk',
      'http://.desk',
      'http://de sk',
      'http://d%65sk',
      'http://[::1',
      'http://::1',
      'http://[fe80::1%eth0]',
      'http://[]',
      'http://[12.3]',
      'http://a]b[',
      'http://desk\n',
      'http://désk',
      `http://${'a'.repeat(254)}`,
      'http://deſk',
      'http://des\u212a',
    ]) {
      expect(parseLink(`${base}/#${fragment}`), base).toBeUndefined();
    }
    expect(parseLink(`http://${'a'.repeat(253)}/#${fragment}`)).toBeDefined();
    expect(parseLink(`http://desk#${fragment}`)).toBeUndefined();
    expect(parseLink(`http://desk/#%4B${fragment?.slice(1)}`)).toBeUndefined();
  });

  it('never takes a link with a character changed for the same', () => {
    const { link } = valid[0];
    const meant = parseLink(link);
    fc.assert(
      fc.property(fc.nat(link.length - 1), fc.constantFrom(...'07ABZ:/#.-uU~'), (at, other) => {
        const read = parseLink(link.slice(0, at) + other + link.slice(at + 1));
        if (read !== undefined && formatLink(read) !== link) expect(read).not.toEqual(meant);
      }),
    );
  });

  it('throws nothing, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 120 }), (text) => {
        for (const tried of [text, `http://desk/#${text}`]) {
          const read = parseLink(tried);
          if (read) expect(parseLink(formatLink(read))).toEqual(read);
        }
      }),
    );
  });
});

describe('addresses', () => {
  it('reads what people type', () => {
    for (const [typed, base] of [
      ['desk', 'http://desk:8400'],
      ['desk:9000', 'http://desk:9000'],
      [' http://Desk:8400/ ', 'http://desk:8400'],
      ['[::1]', 'http://[::1]:8400'],
      ['HTTPS://mbp.tail1234.ts.net', 'https://mbp.tail1234.ts.net'],
      ['', undefined],
      ['http://desk/path', undefined],
    ] as const) {
      expect(baseOf(typed)).toBe(base);
    }
  });

  it('says where the WebSocket is', () => {
    const at = (base: string) => webSocketOf(parseAddress(base) ?? expect.fail());
    expect(at('http://desk:8400')).toBe('ws://desk:8400/ws');
    expect(at('https://desk')).toBe('wss://desk/ws');
  });
});

describe('fingerprints', () => {
  const { cases: known } = vectors('fingerprint.json');

  it.each(cases(known))('are $fingerprint', ({ spk, fingerprint }) => {
    expect(fingerprintOf(hex(spk))).toBe(fingerprint);
    expect(parseFingerprint(fingerprint.toLowerCase().replace('-', ' '))).toBe(fingerprint);
  });

  it('have eight characters', () => {
    for (const typed of ['', '6N5A-N82', '6N5A-N82MM', '6N5A-N82U', '6N5A–N82M']) {
      expect(parseFingerprint(typed), typed).toBeUndefined();
    }
  });
});

describe('names', () => {
  it('lose what could confuse', () => {
    for (const [text, clean] of [
      ['Pixel 9', 'Pixel 9'],
      ['  two \t\n words ', 'two words'],
      ['\x1b[31mred\x07', '[31mred'],
      ['abc\u202ecba', 'abccba'],
      ['a\u200bb\u00adc', 'abc'],
      ['a\u0085b\u2028c', 'a b c'],
      ['a\ufeffb', 'ab'],
      ['Müllers Gerät 東京', 'Müllers Gerät 東京'],
      ['a\ud800b', 'ab'],
      ['tag\u{e0041}', 'tag'],
      ['\u3164\u2800', undefined],
      [' \x00\x7f\x9b ', undefined],
      ['', undefined],
    ] as const) {
      expect(cleanName(text), JSON.stringify(text)).toBe(clean);
    }
  });

  it('drops every character of the document', () => {
    const ranges = [
      [0xad],
      [0x34f],
      [0x61c],
      [0x115f],
      [0x1160],
      [0x17b4],
      [0x17b5],
      [0x180b, 0x180f],
      [0x200b, 0x200f],
      [0x202a, 0x202e],
      [0x2060, 0x206f],
      [0x2800],
      [0x3164],
      [0xe000, 0xf8ff],
      [0xfe00, 0xfe0f],
      [0xfeff],
      [0xffa0],
      [0xfff0, 0xffff],
      [0x1d173, 0x1d17a],
      [0xe0000, 0x10ffff],
    ] as const;
    for (const [first, last = first] of ranges) {
      for (const point of [first, last]) {
        expect(cleanName(String.fromCodePoint(point)), point.toString(16)).toBeUndefined();
      }
    }
  });

  it('are cut between characters', () => {
    expect(cleanName('é'.repeat(40))).toBe('é'.repeat(32));
    expect(cleanName(`${'a'.repeat(63)} x`)).toBe('a'.repeat(63));
    expect(cleanText('😀😀', 7)).toBe('😀');
  });

  it('are bounded, and stay as they are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        const name = cleanName(text);
        if (name === undefined) return;
        expect(utf8(name).length).toBeLessThanOrEqual(64);
        expect(name).not.toMatch(/[\p{Cc}\p{Cs}]|^ | $| {2}/u);
        expect(cleanName(name)).toBe(name);
      }),
    );
  });
});
