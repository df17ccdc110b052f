/** One pairing as the views see it: which step it is at, and what may be done there. */

import type {
  Device,
  KnownDaemon,
  Link,
  PairedByCode,
  PairProblem,
  PairStep,
} from '../../device/types';
import { daemonAt } from '../daemon-at';
import { ownName } from '../device-name';
import { limitWords } from '../devices/device-words';
import { isUnlimited } from '../link-view.svelte';
import { pairProblem } from '../pair-words';

export type How = 'link' | 'code';

export type PairingState =
  | { readonly at: 'form'; readonly problem?: PairProblem }
  /** A link was opened in a browser that is paired with this daemon already. */
  | { readonly at: 'known'; readonly daemon: KnownDaemon }
  | { readonly at: 'working'; readonly how: How; readonly step: PairStep }
  | { readonly at: 'compare'; readonly fingerprint: string; readonly busy: boolean }
  | { readonly at: 'done'; readonly how: How; readonly daemon: KnownDaemon }
  | { readonly at: 'differed' }
  | {
      readonly at: 'failed';
      readonly problem: PairProblem;
      /** Whether the same can be tried again as it is. */
      readonly again: boolean;
      /** Whether a begun pairing is kept, which may be given up. */
      readonly pending: boolean;
    };

/** Problems after which a code is good for nothing. */
const SPENT: readonly PairProblem[] = ['used', 'expired', 'declined'];

/** Problems that another attempt with the same code may overcome. */
const PASSING: readonly PairProblem[] = [
  'unreachable',
  'not-codeout',
  'too-many',
  'other-key',
  'tampered',
  'cut',
  'handshake',
  'storage',
  'version',
];

export class Pairing {
  state = $state.raw<PairingState>({ at: 'form' });
  /** The code as it was typed, so that a wrong one can be corrected. */
  typed = '';
  /** What this device is to be called. */
  name = $state('');
  /** Whether this device may rename itself; known when the daemon has told its limits. */
  renames = $state(false);
  /** What it is limited to, each in words; known as soon. */
  limits = $state.raw<readonly string[]>([]);
  #nameTouched = false;
  readonly #proposed: Promise<void>;
  readonly #device: Promise<Device>;
  readonly #address: string;
  #compared: PairedByCode | undefined;
  #again: (() => Promise<void>) | undefined;
  #link: string | undefined;

  /**
   * @param device this browser as a device; still on its way when the form is shown
   * @param address the page's own
   */
  constructor(device: Promise<Device>, address: string) {
    this.#device = device;
    this.#address = address;
    this.#proposed = ownName(navigator).then((name) => {
      if (!this.#nameTouched) this.name = name;
    });
  }

  rename(name: string): void {
    this.#nameTouched = true;
    this.name = name;
  }

  /** The link that a problem is about; secret. */
  get link(): string | undefined {
    return this.#link;
  }

  /**
   * Begins with what there is: a link pairs at once, unless this browser knows the daemon and its
   * user is to be asked; a pairing whose fingerprint was not compared goes on.
   */
  async begin(link: string | undefined): Promise<void> {
    this.#link = link;
    if (link !== undefined) this.state = { at: 'working', how: 'link', step: 'connecting' };
    const known = await this.#known().catch(() => undefined);
    if (link !== undefined) {
      if (known?.state === 'paired') this.state = { at: 'known', daemon: known };
      else await this.byLink(link);
    } else if (known?.state === 'pending' && known.unconfirmed && this.state.at === 'form') {
      await this.#resume(known.id);
    }
  }

  /** Pairs by the link that was opened, though this browser is paired already. */
  async anew(): Promise<void> {
    if (this.#link !== undefined) await this.byLink(this.#link);
  }

  async byLink(link: string): Promise<void> {
    this.#link = link;
    await this.#try('link', async (device, name) => {
      const before = await this.#known();
      const daemon = await device.pairByLink(link, name, (step) => this.#step('link', step));
      if (before && before.id !== daemon.id) await device.forget(before.id);
      this.#done('link', daemon, device);
    });
  }

  async byCode(code: string): Promise<void> {
    await this.#try('code', async (device, name) => {
      this.#ask(
        await device.pairByCode(this.#address, code, name, (step) => this.#step('code', step)),
      );
    });
  }

  async match(): Promise<void> {
    const compared = this.#compared;
    if (compared === undefined) return;
    this.state = { at: 'compare', fingerprint: compared.fingerprint, busy: true };
    try {
      this.#done('code', await compared.match(), await this.#device);
    } catch (error) {
      this.#again = () => this.match();
      this.state = { at: 'failed', problem: pairProblem(error), again: true, pending: true };
    }
  }

  async differ(): Promise<void> {
    const compared = this.#compared;
    this.#compared = undefined;
    this.state = { at: 'differed' };
    await compared?.differ();
  }

  async again(): Promise<void> {
    await this.#again?.();
  }

  /** Gives up a pairing that was begun, and forgets all of it. */
  async giveUp(): Promise<void> {
    await this.#compared?.differ();
    this.#compared = undefined;
    for (const { id } of await this.#pending()) await (await this.#device).forget(id);
    this.restart();
  }

  restart(): void {
    this.#link = undefined;
    this.state = { at: 'form' };
  }

  async #resume(daemon: string): Promise<void> {
    await this.#try('code', async (device) => this.#ask(await device.resumePending(daemon)));
  }

  async #known(): Promise<KnownDaemon | undefined> {
    return daemonAt(await (await this.#device).daemons(), this.#address);
  }

  async #pending(): Promise<KnownDaemon[]> {
    const daemons = await (await this.#device).daemons();
    return daemons.filter((one) => one.address === this.#address && one.state === 'pending');
  }

  async #try(how: How, attempt: (device: Device, name: string) => Promise<void>): Promise<void> {
    this.#again = () => this.#try(how, attempt);
    this.state = { at: 'working', how, step: 'connecting' };
    try {
      await this.#proposed;
      await attempt(await this.#device, this.name.trim() || 'Browser');
    } catch (error) {
      await this.#failed(how, pairProblem(error));
    }
  }

  async #failed(how: How, problem: PairProblem): Promise<void> {
    const pending = (await this.#pending().catch(() => [])).length > 0;
    if (SPENT.includes(problem)) this.typed = '';
    if (how === 'code' && !pending) this.state = { at: 'form', problem };
    else this.state = { at: 'failed', problem, again: PASSING.includes(problem), pending };
  }

  #step(how: How, step: PairStep): void {
    if (this.state.at === 'working') this.state = { at: 'working', how, step };
  }

  #ask(compared: PairedByCode): void {
    this.#compared = compared;
    this.state = { at: 'compare', fingerprint: compared.fingerprint, busy: false };
  }

  #done(how: How, daemon: KnownDaemon, device: Device): void {
    this.#compared = undefined;
    this.#link = undefined;
    this.typed = '';
    this.state = { at: 'done', how, daemon };
    this.renames = false;
    this.limits = [];
    this.#learnOwn(device.link(daemon.id));
  }

  /** The daemon may have given this device another name than it proposed, and limits. */
  #learnOwn(link: Link): void {
    if (link.me !== undefined) {
      this.name = link.me.name;
      this.renames = isUnlimited(link.me);
      this.limits = limitWords(link.me, Date.now() / 1000);
      return;
    }
    const stop = link.on('state', () => {
      if (link.me === undefined) return;
      stop();
      this.#learnOwn(link);
    });
  }
}
