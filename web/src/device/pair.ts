/**
 * Pair: from a link or a typed code to a daemon that knows this device.
 *
 * The record is on disk before the daemon can accept this device, so that whatever happens after
 * that, the next try finds out by connecting whether it did.
 */

import { baseOf, parseAddress } from '../protocol/address';
import { isCode, parseCode } from '../protocol/code';
import { parseLink } from '../protocol/link';
import { WAIT_FOR_P4 } from '../protocol/message';
import { cleanName } from '../protocol/name';
import { equal, ready } from '../protocol/sodium';
import { begin, type Wish } from './attempt';
import { connect } from './connect';
import type { Environment } from './environment';
import { computedOnce, type Fingerprints } from './fingerprint';
import { type Landed, land, listen } from './landing';
import { PairFault, pairProblem } from './pair_failure';
import type { DaemonRecord, Store } from './store';
import { socketUrl, TransportFailure } from './transport';
import type { PairProblem, PairStep } from './types';
import { Unconfirmed } from './unconfirmed';

/** How many times a pairing is begun whose last message did not arrive. */
const ROUNDS = 3;
/** How long the daemon may go on asking its user without knowing that the link is gone. */
const MAY_STILL_LAND = WAIT_FOR_P4 * 1_000;

/** What says that no earlier attempt can land any more either. */
const FINAL: readonly PairProblem[] = ['used', 'expired', 'declined'];

export class Pairing {
  constructor(
    private readonly environment: Environment,
    private readonly store: Store,
  ) {}

  /**
   * Pairs by a link. A daemon with which this browser is paired already, without limits, stays
   * as it is. The connection is the caller's to use or close, as that of `Unconfirmed.match` is.
   * @throws PairFault
   */
  async byLink(text: string, name: string, step: (step: PairStep) => void): Promise<Landed> {
    const link = parseLink(text);
    if (!link) throw new PairFault('bad-link');
    this.#mustBeHere(link.base);
    const prints = computedOnce(this.environment.fingerprints());
    const { code, daemonKey: pinned } = link;
    const address = this.environment.origin;
    // It takes most of a second, so it begins before anything else; it fails where it is waited for.
    const print = prints.of(pinned);
    print.catch(() => {});
    try {
      await ready;
      const wish = { address, code, pinned, name: proposed(name), step, prints };
      const known = await this.#alreadyPaired(wish);
      if (known) return known;
      const landed = await this.#run(wish);
      step('fingerprint');
      const record = await this.#fingerprinted(landed.record, await print.catch(() => undefined));
      await this.#arrived(record);
      return { record, connection: landed.connection };
    } catch (error) {
      throw await this.#fault(error, address);
    } finally {
      prints.end();
    }
  }

  /**
   * Pairs by a typed code, up to the comparison of the fingerprint.
   * @throws PairFault
   */
  async byCode(
    typed: string,
    text: string,
    name: string,
    step: (step: PairStep) => void,
  ): Promise<Unconfirmed> {
    const code = parseCode(text);
    if (!isCode(code)) throw new PairFault('bad-code');
    this.#mustBeHere(baseOf(typed) ?? '');
    const address = this.environment.origin;
    const prints = computedOnce(this.environment.fingerprints());
    try {
      await ready;
      const landed = await this.#run({ address, code, name: proposed(name), step, prints });
      step('fingerprint');
      return await this.#toConfirm(landed, prints);
    } catch (error) {
      throw await this.#fault(error, address);
    } finally {
      prints.end();
    }
  }

  /**
   * Goes on with a pairing by code whose fingerprint was not compared.
   * @throws PairFault `cut`: the daemon may still accept it, and it can be called again
   */
  async resume(id: string): Promise<Unconfirmed> {
    const record = await this.store.read(id);
    if (!record || record.confirmed) throw new PairFault('expired');
    const prints = computedOnce(this.environment.fingerprints());
    try {
      await ready;
      const landed = await land(this.environment, this.store, record);
      if (landed) return await this.#toConfirm(landed, prints);
      if (this.#mayStillLand(record)) throw new PairFault('cut');
      await this.store.remove(id);
      throw new PairFault('expired');
    } catch (error) {
      throw await this.#fault(error, record.address);
    } finally {
      prints.end();
    }
  }

  /** The page belongs to the daemon that served it, and pairs with that one alone. */
  #mustBeHere(base: string): void {
    if (!sameAddress(base, this.environment.origin)) throw new PairFault('other-address');
  }

  /** The record of a finished pairing with the link's daemon that still holds, without limits. */
  async #alreadyPaired({ pinned, address, step }: Wish): Promise<Landed | undefined> {
    const records = await this.store.all();
    for (const record of records) {
      if (record.state !== 'paired' || !pinned || !equal(record.spk, pinned)) continue;
      step('connecting');
      try {
        const connection = listen(await connect(this.environment, { ...record, address }));
        const { watch_only, expires_at } = connection.welcome.device;
        if (!watch_only && expires_at === undefined) return { record, connection };
        void connection.close();
      } catch {
        // Kept, whatever that was, until a new pairing has taken its place.
      }
    }
    return undefined;
  }

  /** Takes up what an earlier attempt left, or pairs anew, until a pairing has landed. */
  async #run(wish: Wish): Promise<Landed> {
    const lost: DaemonRecord[] = [];
    for (const record of await this.#pending(wish)) {
      const landed = await this.#takeUp(record, lost);
      if (landed) return landed;
    }
    try {
      return await this.#rounds(wish, lost);
    } catch (error) {
      const problem = pairProblem(error);
      // A message that was thought lost may have arrived after all.
      const late = problem === 'used' ? await this.#landedLate(lost) : undefined;
      if (late) return late;
      if (FINAL.includes(problem)) for (const { id } of lost) await this.store.remove(id);
      throw error;
    }
  }

  async #landedLate(lost: DaemonRecord[]): Promise<Landed | undefined> {
    for (const record of lost) {
      const landed = await land(this.environment, this.store, record);
      if (landed) return landed;
    }
    return undefined;
  }

  async #rounds(wish: Wish, lost: DaemonRecord[]): Promise<Landed> {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { record, connection } = await begin(this.environment, this.store, wish);
      const landed = await land(this.environment, this.store, record, connection);
      if (landed) return landed;
      lost.push(record);
    }
    throw new PairFault('cut');
  }

  /** What earlier attempts with this daemon left. */
  async #pending({ address, pinned }: Wish): Promise<DaemonRecord[]> {
    const records = await this.store.all();
    return records.filter(({ state, spk, confirmed, address: at }) => {
      if (state !== 'pending') return false;
      // What a link checks needs no comparison any more, and the other way round.
      return pinned ? confirmed && equal(spk, pinned) : !confirmed && sameAddress(at, address);
    });
  }

  /** Finds out whether an earlier attempt landed. One that may still is put to those `lost`. */
  async #takeUp(record: DaemonRecord, lost: DaemonRecord[]): Promise<Landed | undefined> {
    try {
      const landed = await land(this.environment, this.store, record);
      if (!landed && this.#mayStillLand(record)) lost.push(record);
      else if (!landed) await this.store.remove(record.id);
      return landed;
    } catch (error) {
      // What answers now is another daemon; the record stays, since anybody can say that.
      if (pairProblem(error) === 'other-key') return undefined;
      throw error;
    }
  }

  /** Whether the daemon may accept a pairing that it does not know yet. */
  #mayStillLand({ presentedAt }: DaemonRecord): boolean {
    return this.environment.now() - presentedAt <= MAY_STILL_LAND;
  }

  async #toConfirm(landed: Landed, prints: Fingerprints): Promise<Unconfirmed> {
    try {
      const fingerprint = await prints.of(landed.record.spk).catch((error) => {
        throw new PairFault('handshake', error);
      });
      const record = await this.#fingerprinted(landed.record, fingerprint);
      const { connection } = landed;
      return new Unconfirmed(this.environment, this.store, { record, connection }, (done) =>
        this.#arrived(done),
      );
    } catch (error) {
      landed.connection.cut();
      throw error;
    }
  }

  async #fingerprinted(record: DaemonRecord, print: string | undefined): Promise<DaemonRecord> {
    if (print === undefined) return record;
    const changed = await this.store.change(record.id, (kept) => ({ ...kept, fingerprint: print }));
    return changed ?? { ...record, fingerprint: print };
  }

  /** It is paired: what this browser had of the same daemon, or had begun there, is void. */
  async #arrived(record: DaemonRecord): Promise<void> {
    this.environment.keepStorage();
    for (const other of await this.store.all()) {
      if (other.id === record.id || !sameAddress(other.address, record.address)) continue;
      const isVoid = other.state === 'pending' || equal(other.spk, record.spk);
      if (isVoid) await this.store.remove(other.id);
    }
  }

  /** The failure in the words of the views; asks what answers where nothing else can tell. */
  async #fault(error: unknown, address: string): Promise<PairFault> {
    if (error instanceof PairFault) return error;
    if (error instanceof TransportFailure && error.why === 'unreachable') {
      const answering = await this.environment.probe(socketUrl(address).replace(/^ws/, 'http'));
      if (answering === 'busy') return new PairFault('too-many', error);
      if (answering === 'something') return new PairFault('not-codeout', error);
    }
    return new PairFault(pairProblem(error), error);
  }
}

/** The nearest name that a daemon takes; without any it names the device itself. */
function proposed(name: string): string {
  return cleanName(name) ?? 'device';
}

/** Whether both are the same scheme, host and port. */
export function sameAddress(one: string, other: string): boolean {
  const [first, second] = [parseAddress(one), parseAddress(other)];
  if (!first || !second || first.secure !== second.secure) return false;
  const port = first.secure ? 443 : 80;
  return first.host === second.host && (first.port ?? port) === (second.port ?? port);
}
