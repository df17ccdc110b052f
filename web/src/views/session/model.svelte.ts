/** One session in one view, as state for its parts: what is attached, typed, held and asked. */

import type { Attachment, AttachmentState, Link, LinkState } from '../../device/types';
import {
  type DeviceEntry,
  INPUT_WINDOW,
  type SessionEntry,
  type TerminalSize,
} from '../../protocol/message';
import { encodeCharacter, encodeKey } from '../../terminal/keys';
import type { LinkTarget } from '../../terminal/links';
import {
  cleanPaste,
  encodeCompose,
  encodePaste,
  lineCount,
  MAX_PASTE,
  runsAtOnce,
} from '../../terminal/paste';
import { answersForAll } from '../../terminal/queries';
import {
  type Held,
  modifiers,
  NOTHING_HELD,
  type StickyKey,
  spend,
  tap,
} from '../../terminal/sticky';
import { SessionTerminal } from '../../terminal/terminal';
import { requestFailure } from '../link-view.svelte';
import { toasts } from '../toasts.svelte';
import { whoIs } from '../who';
import { bytesTyped } from './status';

/** What lies over the terminal. */
export type Over =
  | { readonly sheet: 'menu' | 'keys' | 'select' | 'paste-box' | 'rename' | 'end' }
  | { readonly sheet: 'paste'; readonly text: string }
  | { readonly sheet: 'link'; readonly target: LinkTarget }
  | { readonly sheet: 'clipboard'; readonly text: string };

/** Bells closer together than this, in milliseconds, are one. */
const ONE_BELL = 300;

/** How often it is looked how much input waits, while some does, in milliseconds. */
const LOOK = 400;

export class SessionModel {
  readonly link: Link;
  readonly session: number;
  readonly terminal: SessionTerminal;
  #attachment: Attachment;
  #entry = $state.raw<SessionEntry | undefined>();
  #linkState = $state.raw<LinkState>({ state: 'connecting' });
  #me = $state.raw<DeviceEntry | undefined>();
  #state = $state.raw<AttachmentState>({ state: 'attaching' });
  #size = $state.raw<TerminalSize | undefined>();
  #mayType = $state(false);
  #uncertain = $state(false);
  #unsent = $state(0);
  #bells = $state(0);
  held = $state.raw<Held>(NOTHING_HELD);
  over = $state.raw<Over | undefined>();
  composing = $state(false);
  readonly #offs: (() => void)[];
  readonly #encoder = new TextEncoder();
  #tapped: Partial<Record<StickyKey, number>> = {};
  #timer: ReturnType<typeof setTimeout> | undefined;
  #seen = false;
  #rang = Number.NEGATIVE_INFINITY;
  #refused = false;
  /** Called when something was typed that the terminal did not see itself. */
  onTyped: () => void = () => {};

  constructor(link: Link, session: number, look: { textSize: number; screenReader: boolean }) {
    this.link = link;
    this.session = session;
    this.terminal = new SessionTerminal(look, {
      typed: (data) => this.#typed(data),
      typedBytes: (bytes) => this.#send(bytes),
      mayAnswer: () => this.#mayAnswer(),
      pasted: (text) => this.paste(text),
      bell: () => this.#ring(),
      linkChosen: (target) => {
        this.over = { sheet: 'link', target };
      },
      clipboardRequested: (text) => {
        if (!this.#refused) this.over ??= { sheet: 'clipboard', text };
      },
      sized: (size) => {
        this.#size = size;
      },
      ended: (status) => {
        this.#state = { state: 'ended', status };
      },
      changed: (state) => this.#changed(state),
    });
    this.#attachment = link.attach(session, this.terminal, {});
    this.#offs = [link.on('state', () => this.#read()), link.on('sessions', () => this.#read())];
    this.#changed(this.#attachment.state);
    this.#read();
  }

  dispose(): void {
    clearTimeout(this.#timer);
    for (const off of this.#offs) off();
    this.#tellLost();
    this.#attachment.detach();
    this.terminal.dispose();
  }

  /** What waits for a link goes with the view, which is not to happen in silence. */
  #tellLost(): void {
    const { unsent, state } = this.#attachment;
    const isUp = this.link.state.state === 'connected' && state.state === 'attached';
    // What is on its way by a link that is up arrives.
    if (unsent <= (isUp ? INPUT_WINDOW : 0)) return;
    const where = this.#entry ? ` in ${this.#entry.name}` : '';
    toasts.show(`${bytesTyped(unsent)}${where} may not have arrived.`, 'bad');
  }

  /** What the daemon says of the session; the last that it said when the session is gone. */
  get entry(): SessionEntry | undefined {
    return this.#entry;
  }

  get linkState(): LinkState {
    return this.#linkState;
  }

  get state(): AttachmentState {
    return this.#state;
  }

  get size(): TerminalSize | undefined {
    return this.#size;
  }

  get mayType(): boolean {
    return this.#mayType;
  }

  /** Whether this device may only look, as far as is known. */
  get watchOnly(): boolean {
    return this.#me?.watch_only === true;
  }

  get uncertain(): boolean {
    return this.#uncertain;
  }

  get unsent(): number {
    return this.#unsent;
  }

  /** How often the bell has rung. */
  get bells(): number {
    return this.#bells;
  }

  /** Whether all is well: attached, with nothing that has to be said. */
  get settled(): boolean {
    const connected = this.#linkState.state === 'connected';
    return connected && this.#state.state === 'attached' && !this.#uncertain;
  }

  /** Whether this device gave the terminal its size. */
  get sizedHere(): boolean {
    return this.#me !== undefined && this.#entry?.size_by === this.#me.name;
  }

  /** Who is meant by a name that the daemon says. */
  who(name: string): string {
    return whoIs(name, this.#me?.name);
  }

  /** Gives the session this size: its user wants it. */
  async fit(size: TerminalSize): Promise<void> {
    await this.#attachment.fit(size).catch((reason: unknown) => {
      toasts.show(requestFailure(reason, 'The size was not changed'), 'bad');
    });
  }

  /** Types a key of the key bar. */
  key(name: string): void {
    const { applicationCursorKeysMode } = this.terminal.xterm.modes;
    const data = encodeKey(name, modifiers(this.held), applicationCursorKeysMode);
    this.held = spend(this.held);
    if (data !== undefined) this.#fromBar(data);
  }

  /** Types a sign of the key bar, under what is held. */
  sign(text: string): void {
    this.#fromBar(text);
  }

  control(character: string): void {
    this.#fromBar(encodeCharacter(character, { ...modifiers(this.held), ctrl: true }));
    this.held = spend(this.held);
  }

  sticky(key: StickyKey): void {
    const now = performance.now();
    this.held = tap(this.held, key, now - (this.#tapped[key] ?? Number.NEGATIVE_INFINITY));
    this.#tapped[key] = now;
  }

  /** Pastes text from outside; several lines, and what runs at once, are asked about first. */
  paste(text: string): void {
    if (!this.#mayType) return;
    if (text.length > MAX_PASTE) {
      toasts.show('Not pasted: that is more than a program takes in one piece.', 'bad');
      return;
    }
    const cleaned = cleanPaste(text);
    if (cleaned === '') return;
    const { bracketedPasteMode } = this.terminal.xterm.modes;
    const asks = lineCount(cleaned) > 1 || runsAtOnce(cleaned, bracketedPasteMode);
    if (asks) this.over = { sheet: 'paste', text: cleaned };
    else this.pasteNow(cleaned);
  }

  /** @param cleaned what `cleanPaste` gave */
  pasteNow(cleaned: string): void {
    this.#sendText(encodePaste(cleaned, this.terminal.xterm.modes.bracketedPasteMode));
    this.onTyped();
  }

  /**
   * Sends a message that was written elsewhere, in one piece.
   * @returns whether it was taken
   */
  compose(text: string, enter: boolean): boolean {
    const { bracketedPasteMode } = this.terminal.xterm.modes;
    const taken = this.#sendText(encodeCompose(cleanPaste(text), bracketedPasteMode, enter));
    this.onTyped();
    return taken;
  }

  /** The user does not want what a program offers to copy: it does not ask again in this view. */
  refuseClipboard(): void {
    this.#refused = true;
  }

  resetInput(): void {
    this.#attachment.resetInput();
    this.#look();
  }

  /** Attaches afresh, after a refusal. */
  attachAgain(): void {
    this.#attachment.detach();
    this.#attachment = this.link.attach(this.session, this.terminal, {});
    this.#changed(this.#attachment.state);
  }

  /** Whether what is typed can arrive, now or later. */
  get #isHeard(): boolean {
    return this.#attachment.mayType && this.link.state.state !== 'ended';
  }

  #ring(): void {
    const now = performance.now();
    if (now - this.#rang < ONE_BELL) return;
    this.#rang = now;
    this.#bells += 1;
  }

  #typed(data: string): void {
    const held = modifiers(this.held);
    // An answer to the program is never one character.
    const single = (held.ctrl || held.alt) && [...data].length === 1;
    if (single) this.held = spend(this.held);
    this.#sendText(single ? encodeCharacter(data, held) : data);
  }

  /** By way of the terminal, which then shows the answer at once. */
  #fromBar(data: string): void {
    this.terminal.xterm.input(data, true);
    this.onTyped();
  }

  #sendText(text: string): boolean {
    return this.#send(this.#encoder.encode(text));
  }

  #send(bytes: Uint8Array): boolean {
    if (!this.#isHeard) return false;
    const taken = this.#attachment.type(bytes);
    if (!taken && !this.#attachment.inputUncertain) {
      toasts.show('Not typed: too much waits to be sent already.', 'bad');
    }
    if (this.#linkState.state !== 'connected') this.#look();
    return taken;
  }

  #mayAnswer(): boolean {
    if (!this.#isHeard) return false;
    const entry = this.link.sessions.get(this.session);
    return answersForAll(this.link.me?.name, entry?.size_by, entry?.watchers ?? []);
  }

  #changed(state: AttachmentState): void {
    // The end of a session is shown behind its last output: the terminal tells.
    if (state.state !== 'ended' || this.#state.state === 'ended') this.#state = state;
    this.#look();
  }

  /** Looks how the input is doing; again later while some waits. */
  #look(): void {
    // Called while the attachment is being made, too.
    const attachment = this.#attachment as Attachment | undefined;
    if (!attachment) return;
    this.#unsent = attachment.unsent;
    this.#uncertain = attachment.inputUncertain;
    this.#mayType = this.#isHeard;
    this.terminal.keyboard = this.#mayType;
    clearTimeout(this.#timer);
    if (this.#unsent > 0) this.#timer = setTimeout(() => this.#look(), LOOK);
  }

  #read(): void {
    const entry = this.link.sessions.get(this.session);
    if (entry) {
      this.#entry = entry;
      this.#seen = true;
    }
    this.#linkState = this.link.state;
    this.#me = this.link.me;
    if (!entry && this.#seen && this.link.state.state === 'connected') this.#gone();
    this.#look();
  }

  #gone(): void {
    if (this.#state.state !== 'ended') this.#state = { state: 'gone' };
  }
}
