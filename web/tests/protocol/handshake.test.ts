import { beforeAll, describe, expect, it } from 'vitest';
import { Sealer } from '../../src/protocol/channel';
import { UsageError } from '../../src/protocol/error';
import { type Credentials, connect } from '../../src/protocol/handshake';
import { concat, kemKeyPair, kxKeyPair, randomBytes, ready } from '../../src/protocol/sodium';
import { accept, pskOf, readM1, refuse, type Verdict } from './daemon';
import { failure, fc, flipped, hex, toHex, utf8, vectors } from './support';

beforeAll(() => ready);

const vector = vectors('connect.json');
const WELCOME = utf8('whatever the daemon says first');
// Of low order: 0 and 1.
const LOW = [new Uint8Array(32), flipped(new Uint8Array(32), 0)];

function pairOf(keys: { pk: string; sk: string }) {
  return { publicKey: hex(keys.pk), secretKey: hex(keys.sk) };
}

/** A paired device, and its daemon. */
function paired(): { credentials: Credentials; daemon: ReturnType<typeof kxKeyPair> } {
  const daemon = kxKeyPair();
  const credentials = { daemonKey: daemon.publicKey, device: kxKeyPair(), token: randomBytes(32) };
  return { credentials, daemon };
}

/** As far as M3, with a psk of the daemon's choice. */
function untilM3(psk?: Uint8Array) {
  const { credentials, daemon } = paired();
  const { state, m1 } = connect(credentials);
  const { m2, readM3 } = readM1(daemon, m1);
  const { state: last, m3 } = state.readM2(m2);
  return { last, m3, verdict: readM3(m3, psk ?? pskOf(credentials.token)) };
}

describe('the vector of Connect', () => {
  function run() {
    const credentials: Credentials = {
      daemonKey: hex(vector.daemon_static.pk),
      device: pairOf(vector.device_static),
      token: hex(vector.token),
    };
    const { state, m1 } = connect(credentials, {
      kx: kxKeyPair(hex(vector.device.kx_seed)),
      kem: kemKeyPair(hex(vector.device.kem_seed)),
    });
    const { m2, readM3 } = readM1(pairOf(vector.daemon_static), m1, {
      kx: kxKeyPair(hex(vector.daemon.kx_seed)),
      kemSeed: hex(vector.daemon.kem_enc_seed),
    });
    const { state: last, m3 } = state.readM2(m2);
    return { m1, m2, m3, last, verdict: readM3(m3, hex(vector.psk)) };
  }

  it('is what both ends make', () => {
    const { m1, m2, m3, verdict } = run();
    expect(toHex(m1)).toBe(vector.m1);
    expect(toHex(m2)).toBe(`00${vector.m2}`);
    expect(toHex(m3.subarray(0, 64))).toBe(vector.m3);
    expect(m3.length).toBe(88);
    expect(toHex(verdict.schedule.sub('d'))).toBe(vector.device_to_daemon);
    expect(toHex(verdict.schedule.sub('s'))).toBe(vector.daemon_to_device);
    expect(verdict.proved).toBe(true);
  });

  it('has the refusal', () => {
    const refusal = concat(Uint8Array.of(1), hex(vector.refusal_1));
    expect(failure(() => run().last.readM4(refusal))).toEqual({
      kind: 'refused',
      refusal: 'not-paired',
    });
  });
});

describe('a device that connects', () => {
  it('gets a channel both ways', () => {
    const { last, verdict } = untilM3();
    const { channel: daemon, message } = accept(verdict, WELCOME);
    const { channel, first } = last.readM4(message);
    expect(first).toEqual(WELCOME);
    const there = daemon.opener.open(channel.sealer.seal(0, utf8('there')));
    expect(there).toEqual({ final: false, plaintext: utf8('there') });
    expect(channel.opener.open(daemon.sealer.finish(utf8('back'))).final).toBe(true);
  });

  it('draws everything afresh', () => {
    const { credentials } = paired();
    const one = connect(credentials).m1;
    const other = connect(credentials).m1;
    expect(one.subarray(0, 3)).toEqual(other.subarray(0, 3));
    expect(one.subarray(3, 35)).not.toEqual(other.subarray(3, 35));
    expect(one.subarray(35, 1219)).not.toEqual(other.subarray(35, 1219));
  });

  it('takes each step once', () => {
    const { credentials, daemon } = paired();
    const { state, m1 } = connect(credentials);
    const { m2, readM3 } = readM1(daemon, m1);
    const { state: last, m3 } = state.readM2(m2);
    expect(() => state.readM2(m2)).toThrow(UsageError);
    const { message } = accept(readM3(m3, pskOf(credentials.token)), WELCOME);
    last.readM4(message);
    expect(() => last.readM4(message)).toThrow(UsageError);
  });

  it('is over after a step that failed', () => {
    const { credentials, daemon } = paired();
    const { state, m1 } = connect(credentials);
    const { m2 } = readM1(daemon, m1);
    failure(() => state.readM2(flipped(m2, 40)));
    expect(() => state.readM2(m2)).toThrow(UsageError);
  });

  it('is not believed with another token', () => {
    const { last, verdict } = untilM3(pskOf(randomBytes(32)));
    expect(verdict.proved).toBe(false);
    const refusal = refuse(verdict, Uint8Array.of(1));
    expect(failure(() => last.readM4(refusal))).toEqual({ kind: 'refused', refusal: 'not-paired' });
  });

  it('rejects a daemon key of low order', () => {
    for (const daemonKey of LOW) {
      const credentials = { ...paired().credentials, daemonKey };
      expect(failure(() => connect(credentials))).toEqual({ kind: 'misbehaved', how: 'key' });
    }
  });

  it('is told by alerts', () => {
    for (const [byte, alert] of [
      [1, 'version'],
      [2, 'too-many-attempts'],
      [3, 'no-offer'],
      [4, 'malformed'],
      [5, 'wrong-key'],
      [0, 'unknown'],
      [99, 'unknown'],
    ] as const) {
      const message = Uint8Array.of(0xff, byte);
      const { state } = connect(paired().credentials);
      expect(failure(() => state.readM2(message))).toEqual({ kind: 'alert', alert });
      expect(failure(() => untilM3().last.readM4(message))).toEqual({ kind: 'alert', alert });
    }
  });
});

describe('M2', () => {
  /** Hands the device a changed M2. */
  function given(change: (m2: Uint8Array) => Uint8Array) {
    const known = paired();
    const { state, m1 } = connect(known.credentials);
    return failure(() => state.readM2(change(readM1(known.daemon, m1).m2)));
  }

  it('is rejected with another length, tag or key', () => {
    const misbehaved = (how: string) => ({ kind: 'misbehaved', how });
    expect(given(() => new Uint8Array(0))).toEqual(misbehaved('length'));
    expect(given((m2) => m2.subarray(0, 1136))).toEqual(misbehaved('length'));
    expect(given((m2) => concat(m2, Uint8Array.of(0)))).toEqual(misbehaved('length'));
    expect(given(() => new Uint8Array(18).fill(1))).toEqual(misbehaved('tag'));
    expect(given((m2) => flipped(m2, 0))).toEqual(misbehaved('tag'));
    expect(given((m2) => flipped(m2, 0, 1))).toEqual(misbehaved('tag'));
    expect(given(() => Uint8Array.of(0xff))).toEqual(misbehaved('length'));
    expect(given(() => Uint8Array.of(0xff, 1, 1))).toEqual(misbehaved('length'));
    for (const low of LOW) {
      const changed = (m2: Uint8Array) => concat(m2.subarray(0, 1), low, m2.subarray(33));
      expect(given(changed)).toEqual(misbehaved('key'));
    }
  });

  it('is rejected with any bit changed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1136 }), fc.nat(7), (at, bit) => {
        const seen = given((m2) => flipped(m2, at, bit));
        // X25519 ignores the uppermost bit of a key; the transcript does not.
        expect(seen.kind).toBe('misbehaved');
      }),
    );
  });

  it('is rejected from another daemon', () => {
    expect(
      given(() => {
        const other = paired();
        return readM1(other.daemon, connect(other.credentials).m1).m2;
      }),
    ).toEqual({ kind: 'misbehaved', how: 'seal' });
  });
});

describe('M4', () => {
  /** Hands the device a changed M4 that accepts. */
  function accepted(change: (m4: Uint8Array) => Uint8Array) {
    const { last, verdict } = untilM3();
    return failure(() => last.readM4(change(accept(verdict, WELCOME).message)));
  }

  /** Hands the device a refusal of this content, changed. */
  function refused(content: Uint8Array, change = (m4: Uint8Array) => m4) {
    const { last, verdict } = untilM3();
    return failure(() => last.readM4(change(refuse(verdict, content))));
  }

  it('is rejected with any bit changed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 105 }), fc.nat(7), (at, bit) => {
        expect(accepted((m4) => flipped(m4, at, bit))).toEqual({ kind: 'tampered' });
      }),
    );
  });

  it('is rejected with another length or tag', () => {
    const length = { kind: 'misbehaved', how: 'length' };
    expect(accepted(() => new Uint8Array(0))).toEqual(length);
    expect(accepted((m4) => m4.subarray(0, 105))).toEqual(length);
    expect(accepted(() => new Uint8Array(65_643))).toEqual(length);
    expect(accepted((m4) => concat(m4, Uint8Array.of(0)))).toEqual({ kind: 'tampered' });
    expect(accepted((m4) => flipped(m4, 0, 1))).toEqual({ kind: 'misbehaved', how: 'tag' });
    expect(accepted((m4) => flipped(m4, 0, 0))).toEqual(length);
  });

  it('may not hold a final record first', () => {
    const { last, verdict } = untilM3();
    expect(failure(() => last.readM4(finalFirst(verdict)))).toEqual({
      kind: 'misbehaved',
      how: 'tag',
    });
  });

  it('refuses only with a sealed byte that is listed', () => {
    expect(refused(Uint8Array.of(1))).toEqual({ kind: 'refused', refusal: 'not-paired' });
    for (const byte of [0, 2, 3, 255]) {
      expect(refused(Uint8Array.of(byte))).toEqual({ kind: 'misbehaved', how: 'tag' });
    }
    for (const content of [new Uint8Array(0), Uint8Array.of(1, 1)]) {
      expect(refused(content)).toEqual({ kind: 'misbehaved', how: 'length' });
    }
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 17 }), fc.nat(7), (at, bit) => {
        const seen = refused(Uint8Array.of(1), (m4) => flipped(m4, at, bit));
        expect(seen).toEqual({ kind: 'tampered' });
      }),
    );
  });

  it('throws nothing but what it says, whatever comes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        failure(() => untilM3().last.readM4(bytes));
        failure(() => connect(paired().credentials).state.readM2(bytes));
      }),
      { numRuns: 40 },
    );
  });
});

function finalFirst({ schedule }: Verdict): Uint8Array {
  const { sealer, header } = Sealer.begin(schedule.sub('s'));
  return concat(Uint8Array.of(0), header, sealer.finish(WELCOME));
}
