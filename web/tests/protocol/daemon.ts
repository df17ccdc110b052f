/** A daemon's side of both handshakes, written from the document for the tests alone. */
import { type Channel, Opener, Sealer } from '../../src/protocol/channel';
import { confirmations, generator, intermediateKey, transcriptIr } from '../../src/protocol/cpace';
import { Schedule } from '../../src/protocol/schedule';
import {
  ascii,
  concat,
  equal,
  hash,
  type KeyPair,
  kemEncapsulate,
  keyed,
  kxKeyPair,
  multiply,
  randomScalar,
  seal,
} from '../../src/protocol/sodium';

export interface DaemonDrawn {
  readonly kx: KeyPair;
  readonly kemSeed?: Uint8Array;
  readonly scalar?: Uint8Array;
}

const NEXT = Uint8Array.of(0);

function take(bytes: Uint8Array, ...lengths: number[]): Uint8Array[] {
  let at = 0;
  return lengths.map((length) => bytes.slice(at, (at += length)));
}

function demand<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the daemon rejects this');
  return value;
}

export interface Verdict {
  readonly schedule: Schedule;
  readonly refusalKey: Uint8Array;
  readonly deviceHeader: Uint8Array;
}

/** M4 or P4 that accepts, and the daemon's channel. */
export function accept(
  verdict: Verdict,
  first: Uint8Array,
): { channel: Channel; message: Uint8Array } {
  const { sealer, header } = Sealer.begin(verdict.schedule.sub('s'));
  const opener = new Opener(verdict.schedule.sub('d'), verdict.deviceHeader);
  return { channel: { sealer, opener }, message: concat(NEXT, header, sealer.seal(0, first)) };
}

/** M4 or P4 that refuses, with any content. */
export function refuse(verdict: Verdict, content: Uint8Array): Uint8Array {
  const { refusalKey, schedule } = verdict;
  return concat(Uint8Array.of(1), seal(refusalKey.slice(), schedule.transcript, content));
}

/** Reads M1 and returns M2, and what reads M3. */
export function readM1(own: KeyPair, m1: Uint8Array, drawn: DaemonDrawn = { kx: kxKeyPair() }) {
  const [hdr, de, ek, t1] = take(m1, 3, 32, 1184, 16) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const h0 = hash(ascii('codeout/1/session'), own.publicKey);
  const schedule = new Schedule(h0, h0);
  schedule.absorb(hdr, de, ek);
  schedule.mixKx(own, de, 'daemon');
  schedule.open('1', t1);
  schedule.absorb(t1);
  const { ciphertext, shared } = demand(kemEncapsulate(ek, drawn.kemSeed));
  schedule.absorb(drawn.kx.publicKey, ciphertext);
  schedule.mixKx(drawn.kx, de, 'daemon');
  schedule.mix(shared);
  const c2 = schedule.seal('2', new Uint8Array(0));
  schedule.absorb(c2);
  const readM3 = (m3: Uint8Array, psk: Uint8Array): Verdict & { proved: boolean } => {
    const [c3, c4, deviceHeader] = take(m3, 48, 16, 24) as [Uint8Array, Uint8Array, Uint8Array];
    const dpk = schedule.open('3', c3);
    schedule.absorb(c3);
    const chain2 = schedule.chain();
    schedule.mixKx(drawn.kx, dpk, 'daemon');
    schedule.mix(psk.slice());
    let proved = true;
    try {
      schedule.open('4', c4);
    } catch {
      proved = false;
    }
    schedule.absorb(c4);
    return { schedule, refusalKey: schedule.sub('r', chain2), deviceHeader, proved };
  };
  return { m2: concat(NEXT, drawn.kx.publicKey, ciphertext, c2), readM3 };
}

export function pskOf(token: Uint8Array): Uint8Array {
  return keyed(token, 32, ascii('codeout/1/psk'));
}

const CI = ascii('\x0ecodeout/1/pair\x06device\x06daemon');

/** Reads P1 and returns P2, and what reads P3. */
export function readP1(
  code: string,
  own: KeyPair,
  p1: Uint8Array,
  drawn: DaemonDrawn = { kx: kxKeyPair() },
) {
  const [hdr, sid, ya, de, ek] = take(p1, 3, 16, 32, 32, 1184) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const scalar = drawn.scalar ?? randomScalar();
  const yb = demand(multiply(scalar, generator(ascii(code), CI, sid)));
  const { ciphertext, shared } = demand(kemEncapsulate(ek, drawn.kemSeed));
  const device = { element: ya, data: concat(hdr, de, ek) };
  const daemon = { element: yb, data: concat(hdr, drawn.kx.publicKey, ciphertext) };
  const isk = demand(intermediateKey(sid, scalar, ya, transcriptIr(device, daemon)));
  const tags = confirmations(sid, isk, device, daemon);
  const h0 = hash(ascii('codeout/1/pair'), sid, ya, device.data, yb, daemon.data);
  const schedule = new Schedule(keyed(isk, 64, h0), h0);
  schedule.mixKx(drawn.kx, de, 'daemon');
  schedule.mix(shared);
  schedule.absorb(tags.responder);
  const c2 = schedule.seal('2', own.publicKey);
  schedule.absorb(c2);
  const readP3 = (
    p3: Uint8Array,
  ): Verdict & { token: Uint8Array; name: string; dpk: Uint8Array } => {
    const [ta, c3, c4, deviceHeader] = take(p3, 32, 48, p3.length - 104, 24) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    if (!equal(ta, tags.initiator)) throw new Error('the daemon saw a wrong code');
    schedule.mixKx(own, de, 'daemon');
    const dpk = schedule.open('3', c3);
    schedule.absorb(ta, c3);
    schedule.mixKx(drawn.kx, dpk, 'daemon');
    const name = new TextDecoder().decode(schedule.open('4', c4));
    schedule.absorb(c4);
    const token = schedule.sub('t');
    return { schedule, refusalKey: schedule.sub('r'), deviceHeader, token, name, dpk };
  };
  const body = concat(yb, drawn.kx.publicKey, ciphertext, tags.responder, c2);
  return { p2: concat(NEXT, body), isk, readP3 };
}
