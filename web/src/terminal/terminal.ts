/** A session's terminal on this page: xterm.js, fed by an attachment. */

import { type IDisposable, Terminal } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import type { AttachmentState, TerminalSink } from '../device/types';
import type { ExitStatus, TerminalSize } from '../protocol/message';
import { isAndroid, typeAsComposed } from './android-input';
import { watchClipboardRequests } from './clipboard-requests';
import { correct, correctDrawing } from './corrections';
import { Feed } from './feed';
import type { Cell } from './fitting';
import { findLinks } from './found-links';
import { type LinkTarget, linkHandler } from './links';
import { paceDrawing } from './pacing';
import { guardQueries, isFocusReport } from './queries';
import { drawWithWebgl } from './renderer';
import { FONTS, SCROLLBACK } from './settings';
import { allowSpanStyles, strictDocument } from './strict-styles';
import { LEAST_CONTRAST, onTheme, themeNow } from './theme';

allowSpanStyles();

/**
 * Ends whatever sequence the terminal is in, leaves the alternate screen, and drops what has
 * scrolled off: put before a snapshot that brings its own history.
 */
const FORGET = new TextEncoder().encode('\x18\x1b[?1049l\x1b[3J');

/** What the terminal tells. Nothing of it is called once for each chunk. */
export interface TerminalEvents {
  /** Something to be typed: a key, or an answer to the program. */
  typed(data: string): void;
  /** Bytes to be typed that are no text: mouse reports of old. */
  typedBytes(bytes: Uint8Array): void;
  /** Whether this device answers the program's queries. */
  mayAnswer(): boolean;
  pasted(text: string): void;
  bell(): void;
  linkChosen(target: LinkTarget): void;
  clipboardRequested(text: string): void;
  /** The session's size is another, or came from another device. */
  sized(size: TerminalSize, sizeBy: string | undefined): void;
  ended(status: ExitStatus): void;
  changed(state: AttachmentState): void;
}

export interface TerminalOptions {
  readonly textSize: number;
  readonly screenReader: boolean;
}

export class SessionTerminal implements TerminalSink {
  /** For what shows and moves the terminal. Only this class writes to it or resizes it. */
  readonly xterm: Terminal;
  readonly #events: TerminalEvents;
  readonly #feed: Feed;
  readonly #held: IDisposable[] = [];
  #live = false;
  #forget = false;

  constructor(options: TerminalOptions, events: TerminalEvents) {
    this.#events = events;
    this.xterm = new Terminal({
      documentOverride: strictDocument(document),
      fontFamily: FONTS,
      fontSize: options.textSize,
      linkHandler: linkHandler((target) => events.linkChosen(target)),
      macOptionClickForcesSelection: true,
      minimumContrastRatio: LEAST_CONTRAST,
      screenReaderMode: options.screenReader,
      scrollback: SCROLLBACK,
      theme: themeNow(),
    });
    correct(this.xterm);
    this.#feed = new Feed(this.xterm);
    this.#listen();
  }

  /** Opens the terminal; call it once, with an element that is shown. */
  open(host: HTMLElement, label: string): void {
    const { xterm } = this;
    xterm.open(host);
    correctDrawing(xterm);
    this.#feed.calmed = paceDrawing(xterm, () => this.#feed.isRushing);
    const field = xterm.textarea;
    if (!field) return;
    field.setAttribute('autocomplete', 'off');
    this.setLabel(label);
    this.#held.push(drawWithWebgl(xterm), interceptPaste(host, this.#events));
    if (isAndroid()) {
      this.#held.push(typeAsComposed(host, field, (data) => xterm.input(data, true)));
    }
    this.#held.push(findLinks(xterm, (target) => this.#events.linkChosen(target)));
  }

  dispose(): void {
    for (const one of this.#held) one.dispose();
    this.xterm.dispose();
  }

  // A sink's duties

  snapshot(size: TerminalSize, history: boolean, sizeBy: string | undefined): void {
    this.#live = false;
    this.#forget ||= history;
    this.#feed.drop();
    if (this.#forget) this.#feed.write(FORGET, () => {});
    this.#feed.then(() => {
      this.#forget = false;
      this.xterm.resize(size.columns, size.rows);
      this.#events.sized(size, sizeBy);
    });
  }

  write(bytes: Uint8Array, shown: () => void): void {
    this.#feed.write(bytes, shown);
  }

  live(): void {
    this.#feed.then(() => {
      this.#live = true;
    });
  }

  ended(status: ExitStatus): void {
    this.#feed.then(() => this.#events.ended(status));
  }

  changed(state: AttachmentState): void {
    this.#events.changed(state);
  }

  // What the view asks for

  /** Whether keys and answers come out of it at all. */
  set keyboard(on: boolean) {
    this.xterm.options.disableStdin = !on;
  }

  set textSize(pixels: number) {
    if (this.xterm.options.fontSize !== pixels) this.xterm.options.fontSize = pixels;
  }

  get textSize(): number {
    return this.xterm.options.fontSize ?? 0;
  }

  set screenReader(on: boolean) {
    this.xterm.options.screenReaderMode = on;
  }

  setLabel(label: string): void {
    this.xterm.textarea?.setAttribute('aria-label', label);
  }

  /** The size of one cell, in CSS pixels. */
  get cell(): Cell {
    const screen = this.xterm.element?.querySelector('.xterm-screen');
    const { cols, rows } = this.xterm;
    return {
      width: (screen?.clientWidth ?? 0) / cols,
      height: (screen?.clientHeight ?? 0) / rows,
    };
  }

  #listen(): void {
    const { xterm } = this;
    const events = this.#events;
    this.#held.push(
      xterm.onData((data) => {
        if (this.#live || !isFocusReport(data)) events.typed(data);
      }),
      xterm.onBinary((data) => {
        events.typedBytes(Uint8Array.from(data, (character) => character.charCodeAt(0)));
      }),
      xterm.onBell(() => {
        if (this.#live) events.bell();
      }),
      guardQueries(xterm, () => this.#live && events.mayAnswer()),
      watchClipboardRequests(
        xterm,
        () => this.#live,
        (text) => events.clipboardRequested(text),
      ),
      {
        dispose: onTheme(() => {
          xterm.options.theme = themeNow();
        }),
      },
    );
  }
}

/** Takes what is pasted before the terminal does, which would type it as it is. */
function interceptPaste(host: HTMLElement, events: TerminalEvents): IDisposable {
  const abort = new AbortController();
  const paste = (event: ClipboardEvent) => {
    event.preventDefault();
    event.stopPropagation();
    const text = event.clipboardData?.getData('text/plain');
    if (text) events.pasted(text);
  };
  host.addEventListener('paste', paste, { capture: true, signal: abort.signal });
  return { dispose: () => abort.abort() };
}
