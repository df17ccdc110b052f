/**
 * Android's keyboards compose every word, and would give a program its letters only behind the next
 * space. Here what they do to the text field is sent as it happens: letters that came, and a
 * backspace for each that went, so that a correction by the keyboard corrects what was typed.
 */

import type { IDisposable } from '@xterm/xterm';

/** A text field that grows beyond this is emptied at the next pause. */
const LONGEST = 400;
const BACKSPACE = '\x7f';

/**
 * What to type so that `before` becomes `after`.
 * @returns backspaces for what is not common at the start, and the rest; line ends as Enter sends
 */
export function difference(before: string, after: string): string {
  const old = [...before];
  const now = [...after];
  let same = 0;
  while (same < old.length && same < now.length && old[same] === now[same]) same++;
  const added = now.slice(same).join('').replace(/\r?\n/g, '\r');
  return BACKSPACE.repeat(old.length - same) + added;
}

export function isAndroid(): boolean {
  return /\bAndroid\b/.test(navigator.userAgent);
}

/** Whether a key writes into the field, and is taken from there; any other is the terminal's. */
function writes(event: KeyboardEvent): boolean {
  // 229 says that the keyboard does it by itself.
  if (event.keyCode === 229) return true;
  return [...event.key].length === 1 && !event.ctrlKey && !event.altKey && !event.metaKey;
}

/**
 * Takes the text field's input away from the terminal and types it as it comes.
 * @param host an ancestor of the terminal: it hears of everything first
 * @param type gets what is typed
 */
export function typeAsComposed(
  host: HTMLElement,
  field: HTMLTextAreaElement,
  type: (data: string) => void,
): IDisposable {
  const abort = new AbortController();
  const options = { capture: true, signal: abort.signal };
  let before = field.value;
  let composing = false;
  const empty = () => {
    field.value = '';
  };
  const take = () => {
    if (field.readOnly) return;
    const data = difference(before, field.value);
    if (data !== '') type(data);
    const { value } = field;
    if (!composing && (value.length > LONGEST || /[\r\n]/.test(value))) empty();
  };
  const swallow = (name: string, then: (event: Event) => void) => {
    const hear = (event: Event) => {
      if (event.target !== field) return;
      event.stopPropagation();
      then(event);
    };
    host.addEventListener(name, hear, options);
  };
  swallow('compositionstart', () => {
    composing = true;
  });
  swallow('compositionupdate', () => {});
  swallow('compositionend', () => {
    composing = false;
  });
  // The terminal empties the field by itself, too.
  swallow('beforeinput', () => {
    before = field.value;
    // In a field that was just shown the browser may leave the caret before the first letter.
    if (!composing) field.setSelectionRange(before.length, before.length);
  });
  swallow('input', take);
  const key = (event: KeyboardEvent) => {
    if (event.target !== field) return;
    if (writes(event)) event.stopPropagation();
    else if (event.type === 'keydown' && !composing) empty();
  };
  for (const name of ['keydown', 'keypress', 'keyup'] as const) {
    host.addEventListener(name, key, options);
  }
  return { dispose: () => abort.abort() };
}
