import { beforeAll, describe, expect, it } from 'vitest';
import type { Code } from '../../src/protocol/code';
import { UsageError } from '../../src/protocol/error';
import { connect } from '../../src/protocol/handshake';
import { pair } from '../../src/protocol/pairing';
import {
  concat,
  type KeyPair,
  kemKeyPair,
  kxKeyPair,
  randomBytes,
  randomScalar,
  ready,
} from '../../src/protocol/sodium';
import { accept, pskOf, readM1, readP1, refuse } from './daemon';
import { failure, fc, flipped, hex, toHex, utf8, vectors } from './support';

beforeAll(() => ready);

const vector = vectors('pair.json');
const CODE = 'K7QM3FBR9TZX' as Code;
const WELCOME = utf8('welcome');
const LOW = [new Uint8Array(32), flipped(new Uint8Array(32), 0)];
const misbehaved = (how: string) => ({ kind: 'misbehaved', how });

function pairOf(keys: { pk: string; sk: string }): KeyPair {
  return { publicKey: hex(keys.pk), secretKey: hex(keys.sk) };
}

/** As far as P3. */
function untilP3(name = 'Pixel 9') {
  const daemon = kxKeyPair();
  const { state, p1 } = pair(CODE);
  const { p2, readP3 } = readP1(CODE, daemon, p1);
  const { state: last, p3, credentials } = state.readP2(p2).prove(name);
  return { daemon, last, p3, credentials, verdict: readP3(p3) };
}

describe('the vector of Pair', () => {
  function run() {
    const { state, p1 } = pair(vector.code, {
      sid: hex(vector.device.sid),
      scalar: hex(vector.device.scalar),
      ephemeral: {
        kx: kxKeyPair(hex(vector.device.kx_seed)),
        kem: kemKeyPair(hex(vector.device.kem_seed)),
      },
    });
    const { p2, isk, readP3 } = readP1(vector.code, pairOf(vector.daemon_static), p1, {
      kx: kxKeyPair(hex(vector.daemon.kx_seed)),
      kemSeed: hex(vector.daemon.kem_enc_seed),
      scalar: hex(vector.daemon.scalar),
    });
    const proved = state.readP2(p2);
    const made = proved.prove(vector.name, pairOf(vector.device_static));
    return { p1, p2, isk, proved, ...made, verdict: readP3(made.p3) };
  }

  it('is what both ends make', () => {
    const { p1, p2, p3, isk, proved, credentials, verdict } = run();
    expect(toHex(p1)).toBe(vector.p1);
    expect(toHex(p2)).toBe(`00${vector.p2}`);
    expect(toHex(isk)).toBe(vector.isk);
    expect(toHex(proved.daemonKey)).toBe(vector.daemon_static.pk);
    expect(toHex(p3.subarray(0, -24))).toBe(vector.p3);
    expect(toHex(credentials.token)).toBe(vector.token);
    expect(toHex(verdict.token)).toBe(vector.token);
    expect(toHex(pskOf(verdict.token))).toBe(vector.psk);
    expect(verdict.name).toBe(vector.name);
    expect(toHex(verdict.schedule.sub('d'))).toBe(vector.device_to_daemon);
    expect(toHex(verdict.schedule.sub('s'))).toBe(vector.daemon_to_device);
  });

  it.each([
    ['1', 'already-used'],
    ['2', 'expired'],
    ['3', 'declined'],
  ])('has refusal %s', (byte, refusal) => {
    const message = concat(Uint8Array.of(1), hex(vector.refusals[byte]));
    expect(failure(() => run().state.readP4(message))).toEqual({ kind: 'refused', refusal });
  });
});

describe('a device that pairs', () => {
  it('has a channel, and connects with what it keeps', () => {
    const { daemon, last, credentials, verdict } = untilP3();
    const { channel: there, message } = accept(verdict, WELCOME);
    const { channel, first } = last.readP4(message);
    expect(first).toEqual(WELCOME);
    expect(there.opener.open(channel.sealer.seal(0, utf8('x'))).plaintext).toEqual(utf8('x'));
    expect(credentials.daemonKey).toEqual(daemon.publicKey);
    expect(credentials.device.publicKey).toEqual(verdict.dpk);

    const { state, m1 } = connect(credentials);
    const { m2, readM3 } = readM1(daemon, m1);
    const again = readM3(state.readM2(m2).m3, pskOf(verdict.token));
    expect(again.proved).toBe(true);
  });

  it('draws everything afresh', () => {
    const one = pair(CODE).p1;
    const other = pair(CODE).p1;
    for (const [from, to] of [
      [3, 19],
      [19, 51],
      [51, 83],
      [83, 1267],
    ] as const) {
      expect(one.subarray(from, to)).not.toEqual(other.subarray(from, to));
    }
    expect(untilP3().credentials.device.publicKey).not.toEqual(
      untilP3().credentials.device.publicKey,
    );
  });

  it('takes each step once', () => {
    const { state, p1 } = pair(CODE);
    const { p2 } = readP1(CODE, kxKeyPair(), p1);
    const proved = state.readP2(p2);
    expect(() => state.readP2(p2)).toThrow(UsageError);
    proved.prove('a');
    expect(() => proved.prove('a')).toThrow(UsageError);
  });

  it('can stop at every step', () => {
    const { state, p1 } = pair(CODE);
    const proved = pair(CODE);
    const daemonProved = proved.state.readP2(readP1(CODE, kxKeyPair(), proved.p1).p2);
    const { last, verdict } = untilP3();
    for (const step of [state, daemonProved, last, connect(untilP3().credentials).state]) {
      step.abandon();
      step.abandon();
    }
    expect(() => state.readP2(readP1(CODE, kxKeyPair(), p1).p2)).toThrow(UsageError);
    expect(() => daemonProved.prove('a')).toThrow(UsageError);
    expect(() => last.readP4(accept(verdict, WELCOME).message)).toThrow(UsageError);
  });

  it('wipes what it needs no more', () => {
    const drawn = {
      sid: randomBytes(16),
      scalar: randomScalar(),
      ephemeral: { kx: kxKeyPair(), kem: kemKeyPair() },
    };
    const { state, p1 } = pair(CODE, drawn);
    const made = state.readP2(readP1(CODE, kxKeyPair(), p1).p2).prove('a');
    const { scalar, ephemeral } = drawn;
    for (const secret of [scalar, ephemeral.kx.secretKey, ephemeral.kem.secretKey]) {
      expect(secret.every((byte) => byte === 0)).toBe(true);
    }
    expect(made.credentials.device.secretKey.some((byte) => byte !== 0)).toBe(true);
    expect(made.credentials.token.some((byte) => byte !== 0)).toBe(true);
  });

  it('proposes a name of 1 to 64 bytes', () => {
    expect(untilP3('é'.repeat(32)).p3.length).toBe(184);
    expect(untilP3('a').p3.length).toBe(121);
    for (const name of ['', 'é'.repeat(33)]) expect(() => untilP3(name)).toThrow(UsageError);
  });

  it('notices a wrong code, and says nothing more', () => {
    const { state, p1 } = pair(CODE);
    const { p2 } = readP1('K7QM3FBR9TZY', kxKeyPair(), p1);
    expect(failure(() => state.readP2(p2))).toEqual({ kind: 'wrong-code' });
    expect(() => state.readP2(p2)).toThrow(UsageError);
  });

  it('checks the key of a link', () => {
    const daemon = kxKeyPair();
    const { state, p1 } = pair(CODE);
    const proved = state.readP2(readP1(CODE, daemon, p1).p2);
    proved.expectKey(daemon.publicKey);
    expect(failure(() => proved.expectKey(kxKeyPair().publicKey))).toEqual({ kind: 'other-key' });
    expect(() => proved.prove('a')).toThrow(UsageError);
  });

  it('rejects a daemon key of low order', () => {
    for (const publicKey of LOW) {
      const { state, p1 } = pair(CODE);
      const daemon = { publicKey, secretKey: new Uint8Array(32) };
      const proved = state.readP2(readP1(CODE, daemon, p1).p2);
      expect(failure(() => proved.prove('a'))).toEqual(misbehaved('key'));
    }
  });
});

describe('P2', () => {
  function given(change: (p2: Uint8Array) => Uint8Array) {
    const { state, p1 } = pair(CODE);
    return failure(() => state.readP2(change(readP1(CODE, kxKeyPair(), p1).p2)));
  }

  it('is rejected with another length, tag, element or key', () => {
    expect(given(() => new Uint8Array(0))).toEqual(misbehaved('length'));
    expect(given((p2) => p2.subarray(0, -1))).toEqual(misbehaved('length'));
    expect(given((p2) => concat(p2, Uint8Array.of(0)))).toEqual(misbehaved('length'));
    expect(given(() => new Uint8Array(18).fill(1))).toEqual(misbehaved('tag'));
    expect(given((p2) => flipped(p2, 0, 3))).toEqual(misbehaved('tag'));
    expect(given(() => Uint8Array.of(0xff, 3))).toEqual({ kind: 'alert', alert: 'no-offer' });
    const { 'Invalid Y1': bad, 'Invalid Y2': identity } = vectors('cpace.json').points;
    for (const element of [bad, identity]) {
      const changed = (p2: Uint8Array) => concat(p2.subarray(0, 1), hex(element), p2.subarray(33));
      expect(given(changed)).toEqual(misbehaved('key'));
    }
  });

  it('is rejected with any bit changed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1232 }), fc.nat(7), (at, bit) => {
        const seen = given((p2) => flipped(p2, at, bit));
        // c2 is behind Tb, which covers what is before both.
        if (at >= 1185) expect(seen).toEqual(misbehaved('seal'));
        else expect([{ kind: 'wrong-code' }, misbehaved('key')]).toContainEqual(seen);
      }),
    );
  });

  it('is of one P1 alone', () => {
    const other = pair(CODE).p1;
    const seen = given(() => readP1(CODE, kxKeyPair(), other).p2);
    expect(seen).toEqual({ kind: 'wrong-code' });
  });
});

describe('P4', () => {
  it('is rejected with any bit changed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 105 }), fc.nat(7), (at, bit) => {
        const { last, verdict } = untilP3();
        const { message } = accept(verdict, WELCOME);
        expect(failure(() => last.readP4(flipped(message, at, bit)))).toEqual({ kind: 'tampered' });
      }),
      { numRuns: 50 },
    );
  });

  it('refuses only with a sealed byte that is listed', () => {
    const refused = (...content: number[]) => {
      const { last, verdict } = untilP3();
      return failure(() => last.readP4(refuse(verdict, Uint8Array.from(content))));
    };
    expect(refused(1)).toEqual({ kind: 'refused', refusal: 'already-used' });
    for (const byte of [0, 4, 255]) expect(refused(byte)).toEqual(misbehaved('tag'));
    expect(refused()).toEqual(misbehaved('length'));
    expect(refused(1, 1)).toEqual(misbehaved('length'));
  });

  it('may be an alert, which changes nothing', () => {
    const alert = Uint8Array.of(0xff, 2);
    expect(failure(() => untilP3().last.readP4(alert))).toEqual({
      kind: 'alert',
      alert: 'too-many-attempts',
    });
  });

  it('is refused when a byte of the handshake before it was changed on the way', () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 1266 }), fc.nat(7), (at, bit) => {
        const { state, p1 } = pair(CODE);
        let p2: Uint8Array;
        try {
          p2 = readP1(CODE, kxKeyPair(), flipped(p1, at, bit)).p2;
        } catch {
          return; // the daemon has noticed already
        }
        expect(failure(() => state.readP2(p2))).toEqual({ kind: 'wrong-code' });
      }),
      { numRuns: 50 },
    );
  });
});
