/**
 * Connect: a paired device and its daemon agree on a channel. Each state is consumed by the step
 * that leaves it.
 */
import type { Refusal } from './error';
import {
  type Accepted,
  AwaitVerdict,
  type DeviceEphemeral,
  drawEphemeral,
  HEADER_CONNECT,
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
  KEM_CIPHERTEXT,
  type KeyPair,
  KX_KEY,
  kemDecapsulate,
  keyed,
} from './sodium';

export { type Accepted, MAX_MESSAGE } from './schedule';
export type { KeyPair } from './sodium';

const M2_BODY = KX_KEY + KEM_CIPHERTEXT + AEAD_OVERHEAD;
const EMPTY = new Uint8Array(0);

/** What a device keeps of a daemon: enough to connect. Secret but for `daemonKey`. */
export interface Credentials {
  /** The daemon's long-term key, 32 bytes. */
  readonly daemonKey: Uint8Array;
  /** This device's key pair, made for this daemon alone. */
  readonly device: KeyPair;
  /** The device token, 32 bytes. */
  readonly token: Uint8Array;
}

interface Sent {
  readonly schedule: Schedule;
  readonly ephemeral: DeviceEphemeral;
  readonly credentials: Credentials;
}

/**
 * Begins to connect. Send `m1` (1235 bytes). `ephemeral` is given for test vectors alone.
 * @throws ProtocolError `misbehaved` when the stored daemon key is of low order.
 */
export function connect(
  credentials: Credentials,
  ephemeral: DeviceEphemeral = drawEphemeral(),
): { state: AwaitM2; m1: Uint8Array } {
  const transcript = transcriptOf('codeout/1/session', credentials.daemonKey);
  const schedule = new Schedule(transcript, transcript);
  const head = concat(HEADER_CONNECT, ephemeral.kx.publicKey, ephemeral.kem.publicKey);
  schedule.absorb(head);
  schedule.mixKx(ephemeral.kx, credentials.daemonKey);
  const t1 = schedule.seal('1', EMPTY);
  schedule.absorb(t1);
  return { state: new AwaitM2({ schedule, ephemeral, credentials }), m1: concat(head, t1) };
}

/** M1 is on its way; M2 is awaited, for 10 seconds. */
export class AwaitM2 extends Step<Sent> {
  /**
   * Reads M2. Send `m3` (88 bytes).
   * @throws ProtocolError `alert` when the daemon answered with one, else `misbehaved`.
   */
  readM2(m2: Uint8Array): { state: AwaitM4; m3: Uint8Array } {
    const { schedule, ephemeral, credentials } = this.consume();
    try {
      const [se, ct, c2] = split(nextStep(m2, M2_BODY), KX_KEY, KEM_CIPHERTEXT, AEAD_OVERHEAD);
      schedule.absorb(se, ct);
      schedule.mixKx(ephemeral.kx, se);
      schedule.mix(kemDecapsulate(ephemeral.kem, ct));
      schedule.open('2', c2);
      schedule.absorb(c2);

      const c3 = schedule.seal('3', credentials.device.publicKey);
      schedule.absorb(c3);
      // What is refused may be the token, so a refusal is sealed under the chain before it.
      const chain2 = schedule.chain();
      schedule.mixKx(credentials.device, se);
      schedule.mix(keyed(credentials.token, 32, ascii('codeout/1/psk')));
      const c4 = schedule.seal('4', EMPTY);
      schedule.absorb(c4);
      const refusalKey = schedule.sub('r', chain2);
      chain2.fill(0);
      const { held, header } = verdictOf(schedule, refusalKey);
      return { state: new AwaitM4(held), m3: concat(c3, c4, header) };
    } finally {
      this.discard({ schedule, ephemeral, credentials });
    }
  }

  // The credentials are the caller's: they outlive the handshake.
  protected override discard({ schedule, ephemeral }: Sent): void {
    schedule.wipe();
    wipeEphemeral(ephemeral);
  }
}

/** M3 is on its way; the daemon's verdict is awaited, for 10 seconds. */
export class AwaitM4 extends AwaitVerdict {
  /**
   * Reads M4.
   * @throws ProtocolError `refused` with `not-paired` is the daemon's own word, and the only thing
   * on which a device may offer to forget the daemon; everything else, `tampered` among it, says
   * nothing about the pairing.
   */
  readM4(m4: Uint8Array): Accepted {
    return this.readVerdict(m4);
  }

  protected override refusal(byte: number): Refusal | undefined {
    return byte === 1 ? 'not-paired' : undefined;
  }
}
