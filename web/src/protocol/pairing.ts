/**
 * Pair: a device that holds the pairing code becomes one that the daemon knows. CPace proves the
 * code without showing it; the device token comes out at both ends and never travels. Each state
 * is consumed by the step that leaves it.
 */
import type { Code } from './code';
import { confirmations, generator, intermediateKey, type Share, transcriptIr } from './cpace';
import { misbehaved, ProtocolError, type Refusal, UsageError } from './error';
import type { Credentials } from './handshake';
import { MAX_NAME } from './name';
import {
  type Accepted,
  AwaitVerdict,
  type DeviceEphemeral,
  drawEphemeral,
  HEADER_PAIR,
  nextStep,
  Schedule,
  Step,
  split,
  transcriptOf,
  verdictOf,
  wipeEphemeral,
} from './schedule';
import {
  AEAD_OVERHEAD,
  ascii,
  concat,
  ELEMENT,
  equal,
  KEM_CIPHERTEXT,
  type KeyPair,
  KX_KEY,
  kemDecapsulate,
  keyed,
  kxKeyPair,
  multiply,
  randomBytes,
  randomScalar,
  wipe,
} from './sodium';

const SID = 16;
const TAG = 32;
const SEALED_KEY = KX_KEY + AEAD_OVERHEAD;
const P2_BODY = ELEMENT + KX_KEY + KEM_CIPHERTEXT + TAG + SEALED_KEY;

// lv_cat("codeout/1/pair", "device", "daemon")
const CHANNEL_IDENTIFIER = ascii('\x0ecodeout/1/pair\x06device\x06daemon');

/** What a device draws for one pairing. */
export interface Drawn {
  readonly sid: Uint8Array;
  readonly scalar: Uint8Array;
  readonly ephemeral: DeviceEphemeral;
}

function draw(): Drawn {
  return { sid: randomBytes(SID), scalar: randomScalar(), ephemeral: drawEphemeral() };
}

interface Sent extends Drawn {
  readonly share: Share;
}

/** Begins to pair. Send `p1` (1267 bytes). `drawn` is given for test vectors alone. */
export function pair(code: Code, drawn: Drawn = draw()): { state: AwaitP2; p1: Uint8Array } {
  const { sid, scalar, ephemeral } = drawn;
  const password = ascii(code);
  const base = generator(password, CHANNEL_IDENTIFIER, sid);
  const element = multiply(scalar, base);
  wipe(password, base);
  if (element === undefined) throw new UsageError('the scalar is zero');
  const data = concat(HEADER_PAIR, ephemeral.kx.publicKey, ephemeral.kem.publicKey);
  const p1 = concat(HEADER_PAIR, sid, element, data.subarray(HEADER_PAIR.length));
  return { state: new AwaitP2({ ...drawn, share: { element, data } }), p1 };
}

/** P1 is on its way; P2 is awaited, for 10 seconds. */
export class AwaitP2 extends Step<Sent> {
  /**
   * Reads P2: whether the daemon holds the same code, and which key it has.
   * @throws ProtocolError `wrong-code` when the codes differ, or someone on the way guessed and
   * missed; `alert` when the daemon answered with one; else `misbehaved`.
   */
  readP2(p2: Uint8Array): DaemonProved {
    const { sid, scalar, ephemeral, share } = this.consume();
    try {
      const [element, se, ct, tag, c2] = split(
        nextStep(p2, P2_BODY),
        ...([ELEMENT, KX_KEY, KEM_CIPHERTEXT, TAG, SEALED_KEY] as const),
      );
      const daemon = { element, data: concat(HEADER_PAIR, se, ct) };
      const isk = intermediateKey(sid, scalar, element, transcriptIr(share, daemon));
      if (isk === undefined) throw misbehaved('key');
      const tags = confirmations(sid, isk, share, daemon);
      if (!equal(tags.responder, tag)) throw new ProtocolError({ kind: 'wrong-code' });

      const sides = [share.element, share.data, daemon.element, daemon.data];
      const transcript = transcriptOf('codeout/1/pair', sid, ...sides);
      const schedule = new Schedule(keyed(isk, 64, transcript), transcript);
      wipe(isk);
      schedule.mixKx(ephemeral.kx, se);
      schedule.mix(kemDecapsulate(ephemeral.kem, ct));
      schedule.absorb(tag);
      const daemonKey = schedule.open('2', c2);
      schedule.absorb(c2);
      const proved = { schedule, ephemeral, se: se.slice(), tag: tags.initiator, daemonKey };
      return new DaemonProved(proved);
    } catch (error) {
      wipeEphemeral(ephemeral);
      throw error;
    } finally {
      wipe(scalar);
    }
  }

  protected override discard({ scalar, ephemeral }: Sent): void {
    wipe(scalar);
    wipeEphemeral(ephemeral);
  }
}

interface Proved {
  readonly schedule: Schedule;
  readonly ephemeral: DeviceEphemeral;
  readonly se: Uint8Array;
  readonly tag: Uint8Array;
  readonly daemonKey: Uint8Array;
}

/** The daemon has proved the code and shown its key. */
export class DaemonProved extends Step<Proved> {
  /** The daemon's long-term key, 32 bytes. */
  readonly daemonKey: Uint8Array;

  constructor(proved: Proved) {
    super(proved);
    this.daemonKey = proved.daemonKey;
  }

  /**
   * By a link: the daemon's key must be the link's, else the state is spent.
   * @throws ProtocolError `other-key`: not the daemon that made the QR.
   */
  expectKey(daemonKey: Uint8Array): void {
    if (equal(daemonKey, this.daemonKey)) return;
    this.abandon();
    throw new ProtocolError({ kind: 'other-key' });
  }

  /**
   * Makes the credentials, which must be kept durably, as pending, before `p3` is sent.
   * `name` is what the device proposes to be called: 1 to 64 bytes of UTF-8. `device` is given
   * for test vectors alone.
   * @throws ProtocolError `misbehaved` when the daemon's key is of low order.
   */
  prove(
    name: string,
    device: KeyPair = kxKeyPair(),
  ): { state: AwaitP4; p3: Uint8Array; credentials: Credentials } {
    const nameBytes = new TextEncoder().encode(name);
    if (nameBytes.length < 1 || nameBytes.length > MAX_NAME) {
      throw new UsageError('a name has 1 to 64 bytes');
    }
    const held = this.consume();
    const { schedule, ephemeral, se, tag, daemonKey } = held;
    try {
      schedule.mixKx(ephemeral.kx, daemonKey);
      const c3 = schedule.seal('3', device.publicKey);
      schedule.absorb(tag, c3);
      schedule.mixKx(device, se);
      const c4 = schedule.seal('4', nameBytes);
      schedule.absorb(c4);
      const token = schedule.sub('t');
      const { held, header } = verdictOf(schedule, schedule.sub('r'));
      const credentials = { daemonKey, device, token };
      return { state: new AwaitP4(held), p3: concat(tag, c3, c4, header), credentials };
    } finally {
      this.discard(held);
    }
  }

  protected override discard({ schedule, ephemeral }: Proved): void {
    schedule.wipe();
    wipeEphemeral(ephemeral);
  }
}

const REFUSALS: Readonly<Record<number, Refusal>> = {
  1: 'already-used',
  2: 'expired',
  3: 'declined',
};

/** P3 is on its way; the daemon's verdict is awaited, for 330 seconds. */
export class AwaitP4 extends AwaitVerdict {
  /**
   * Reads P4. By a typed code, nothing may be sent on the channel before the user has compared
   * the fingerprint.
   * @throws ProtocolError `refused`: forget the credentials; everything else leaves them pending.
   */
  readP4(p4: Uint8Array): Accepted {
    return this.readVerdict(p4);
  }

  protected override refusal(byte: number): Refusal | undefined {
    return REFUSALS[byte];
  }
}
