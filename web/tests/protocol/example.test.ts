/** The worked example of the document, section 14, byte for byte, as it is written there. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { Opener, Sealer } from '../../src/protocol/channel';
import {
  confirmations,
  generator,
  generatorString,
  intermediateKey,
  transcriptIr,
} from '../../src/protocol/cpace';
import {
  readAnswer,
  readClosing,
  readFromDaemon,
  readWelcome,
  writeInput,
  writeOutputRead,
  writeRequest,
} from '../../src/protocol/frame';
import { Schedule } from '../../src/protocol/schedule';
import {
  ascii,
  concat,
  hash,
  kemDecapsulate,
  kemKeyPair,
  keyed,
  kx,
  kxKeyPair,
  multiply,
  ready,
  sha512,
} from '../../src/protocol/sodium';
import { hex, toHex, vectors } from './support';

beforeAll(() => ready);

const document = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8');
const pair = vectors('pair.json');

function section(title: string): string {
  const begin = document.indexOf(`### ${title}`);
  expect(begin).toBeGreaterThan(0);
  return document.slice(begin, document.indexOf('\n#', begin + 4) + 1 || undefined);
}

/** The named values of 14.2. */
function values(): Map<string, string> {
  const named = new Map<string, string>();
  let name = '';
  for (const line of section('14.2').split('\n')) {
    const [, given, bytes] = /^(\S*)\s+([0-9a-f]{20,64})$/.exec(line) ?? [];
    if (bytes === undefined) continue;
    name = given || name;
    named.set(name, (named.get(name) ?? '') + bytes);
  }
  return named;
}

describe('14.2', () => {
  it('is what the pairing computes on its way', () => {
    const sid = hex(pair.device.sid);
    const de = kxKeyPair(hex(pair.device.kx_seed));
    const kem = kemKeyPair(hex(pair.device.kem_seed));
    const scalar = hex(pair.device.scalar);
    const p2 = hex(pair.p2);
    const [yb, se, ct] = [p2.subarray(0, 32), p2.subarray(32, 64), p2.subarray(64, 1152)];
    const [tb, c2] = [p2.subarray(1152, 1184), p2.subarray(1184)];
    const hdr = Uint8Array.of(1, 1, 2);
    const ci = hex('0e636f6465 6f75742f312f7061697206646576696365066461656d6f6e');
    const string = generatorString(ascii(pair.code), ci, sid);
    const g = generator(ascii(pair.code), ci, sid);
    const ya = multiply(scalar, g) ?? expect.fail();
    const device = { element: ya, data: concat(hdr, de.publicKey, kem.publicKey) };
    const daemon = { element: yb, data: concat(hdr, se, ct) };
    const isk = intermediateKey(sid, scalar, yb, transcriptIr(device, daemon)) ?? expect.fail();
    const tags = confirmations(sid, isk, device, daemon);
    const h0 = hash(ascii('codeout/1/pair'), sid, ya, device.data, yb, daemon.data);
    const seen = new Map<string, Uint8Array>();
    const see = (named: Record<string, Uint8Array | undefined>) => {
      for (const [name, bytes] of Object.entries(named)) seen.set(name, bytes ?? expect.fail());
    };
    see({ gen_str: string, g, Ya: ya, Yb: yb, K: multiply(scalar, yb), ISK: isk });
    see({
      mac_key: sha512(ascii('CPaceMac'), sid, isk),
      Ta: tags.initiator,
      Tb: tags.responder,
      h0,
    });
    see({ 'KX(De,Se)': kx('device', de, se), ss: kemDecapsulate(kem, ct) });

    const schedule = new Schedule(keyed(isk, 64, h0), h0);
    schedule.mixKx(de, se);
    schedule.mix(kemDecapsulate(kem, ct));
    schedule.absorb(tb);
    see({ ck1: schedule.chain(), h1: schedule.transcript, c2 });
    const spk = schedule.open('2', c2);
    schedule.absorb(c2);
    const own = { publicKey: hex(pair.device_static.pk), secretKey: hex(pair.device_static.sk) };
    schedule.mixKx(de, spk);
    see({ h2: schedule.transcript, ck2: schedule.chain() });
    const c3 = schedule.seal('3', own.publicKey);
    schedule.absorb(tags.initiator, c3);
    schedule.mixKx(own, se);
    const c4 = schedule.seal('4', ascii(pair.name));
    see({ c3, h3: schedule.transcript, ck3: schedule.chain(), c4 });
    schedule.absorb(c4);
    const token = schedule.sub('t');
    see({ h4: schedule.transcript, token, psk: keyed(token, 32, ascii('codeout/1/psk')) });

    const written = values();
    expect([...seen.keys()].sort()).toEqual([...written.keys()].sort());
    for (const [name, bytes] of seen) expect(toHex(bytes), name).toBe(written.get(name));
  });
});

interface Written {
  readonly from: 'daemon' | 'device';
  readonly final: boolean;
  readonly plaintext: Uint8Array;
  readonly sealed: string;
}

/** The records of 14.3. */
function records(): Written[] {
  const pattern =
    /^(daemon|device), (MESSAGE|FINAL), (\d+) bytes: {2}(?:\(empty\)|(\d\d) (.*))\n {2}sealed: {2}((?:[0-9a-f]+\s+)+)/gm;
  return [...section('14.3').matchAll(pattern)].map(([, from, tag, length, kind, body, sealed]) => {
    const plaintext = kind ? concat(hex(kind), ascii(body ?? '')) : new Uint8Array(0);
    expect(plaintext.length).toBe(Number(length));
    const side = from === 'daemon' ? 'daemon' : 'device';
    return {
      from: side,
      final: tag === 'FINAL',
      plaintext,
      sealed: (sealed ?? '').replace(/\s/g, ''),
    };
  });
}

describe('14.3', () => {
  const headers = {
    device: hex('000102030405060708090a0b0c0d0e0f1011121314151617'),
    daemon: hex('808182838485868788898a8b8c8d8e8f9091929394959697'),
  };
  const keys = { device: hex(pair.device_to_daemon), daemon: hex(pair.daemon_to_device) };

  it('is what is sealed and opened', () => {
    const all = records();
    expect(all.length).toBe(5);
    for (const side of ['device', 'daemon'] as const) {
      const sealer = Sealer.withHeader(keys[side], headers[side]);
      const opener = new Opener(keys[side], headers[side]);
      for (const { final, plaintext, sealed } of all.filter(({ from }) => from === side)) {
        expect(toHex(final ? sealer.finish(plaintext) : sealer.seal(0, plaintext))).toBe(sealed);
        expect(opener.open(hex(sealed))).toEqual({ final, plaintext });
      }
    }
  });

  it('says what the messages are', () => {
    const [welcome, ping, pong, , closing] = records().map(({ plaintext }) => plaintext);
    expect(readWelcome(welcome ?? expect.fail())).toEqual({
      event: 'welcome',
      protocol: 1,
      daemon: 'desk',
      device: {
        id: '3m9k7qaz',
        name: 'Pixel 9',
        paired_at: 1_790_000_000,
        connected: true,
        unfinished: true,
        watch_only: false,
        this: true,
      },
    });
    expect(writeRequest(1, { request: 'ping' })).toEqual(ping);
    const reply = readFromDaemon(pong ?? expect.fail());
    if (reply.kind !== 'reply' || !('ok' in reply.reply)) expect.fail();
    expect(readAnswer('ping', reply.reply.ok)).toEqual({});
    expect(readClosing(closing ?? expect.fail())).toBe('goodbye');
  });
});

describe('14.4', () => {
  it('has the bytes of input and acknowledgements', () => {
    const shown = [
      ...section('14.4').matchAll(
        /^device {2}(1[12]) ([0-9a-f]{8}) ([0-9a-f]{16})(?: ([0-9a-f]+))?/gm,
      ),
    ];
    expect(shown.length).toBe(4);
    for (const [, kind, session, offset, bytes] of shown) {
      const head = {
        session: Number.parseInt(session ?? '', 16),
        offset: Number.parseInt(offset ?? '', 16),
      };
      const made =
        kind === '11' ? writeOutputRead(head) : writeInput({ ...head, bytes: hex(bytes ?? '') });
      expect(toHex(made)).toBe([kind, session, offset, bytes].join(''));
    }
  });

  it('has the bytes of output', () => {
    const shown = [
      ...section('14.4').matchAll(
        /^daemon {2}(1[03]) ([0-9a-f]{8}) ([0-9a-f]{16})(?: ([0-9a-f]+))?/gm,
      ),
    ];
    expect(shown.length).toBe(5);
    for (const [, kind, session, offset, bytes] of shown) {
      const read = readFromDaemon(hex([kind, session, offset, bytes].join('')));
      const head = {
        session: Number.parseInt(session ?? '', 16),
        offset: Number.parseInt(offset ?? '', 16),
      };
      if (kind === '13') expect(read).toEqual({ kind: 'input-written', progress: head });
      else expect(read).toEqual({ kind: 'output', chunk: { ...head, bytes: hex(bytes ?? '') } });
    }
  });
});
