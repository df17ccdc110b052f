/** The keys that the key bar can have, and those that it has at first. */

/** What a key of the bar does. */
export type BarAction =
  | { readonly kind: 'key'; readonly key: string; readonly repeats?: boolean }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'control'; readonly character: string }
  | { readonly kind: 'sticky'; readonly key: 'ctrl' | 'alt' }
  | { readonly kind: 'compose' | 'paste' | 'keyboard' };

export interface BarKey {
  readonly id: string;
  /** What is on the key. */
  readonly face: string;
  /** What a screen reader says. */
  readonly label: string;
  readonly action: BarAction;
}

function named(id: string, face: string, label: string, repeats = false): BarKey {
  return { id, face, label, action: { kind: 'key', key: id, ...(repeats && { repeats }) } };
}

function control(character: string): BarKey {
  const face = `^${character.toUpperCase()}`;
  const label = `Control ${character.toUpperCase()}`;
  return { id: `ctrl-${character}`, face, label, action: { kind: 'control', character } };
}

function sign(text: string, label: string): BarKey {
  return { id: text, face: text, label, action: { kind: 'text', text } };
}

function tool(id: 'compose' | 'paste' | 'keyboard', face: string, label: string): BarKey {
  return { id, face, label, action: { kind: id } };
}

const FUNCTION_KEYS = Array.from({ length: 12 }, (_, index) =>
  named(`f${index + 1}`, `F${index + 1}`, `F${index + 1}`),
);

export const BAR_KEYS: readonly BarKey[] = [
  named('escape', 'Esc', 'Escape'),
  named('tab', 'Tab', 'Tab'),
  { id: 'ctrl', face: 'Ctrl', label: 'Control', action: { kind: 'sticky', key: 'ctrl' } },
  { id: 'alt', face: 'Alt', label: 'Alt', action: { kind: 'sticky', key: 'alt' } },
  named('left', '←', 'Left', true),
  named('down', '↓', 'Down', true),
  named('up', '↑', 'Up', true),
  named('right', '→', 'Right', true),
  tool('compose', '✎', 'Write a message'),
  control('c'),
  sign('|', 'Pipe'),
  sign('~', 'Tilde'),
  sign('/', 'Slash'),
  sign('-', 'Minus'),
  named('home', 'Home', 'Home'),
  named('end', 'End', 'End'),
  named('pageup', 'PgUp', 'Page up', true),
  named('pagedown', 'PgDn', 'Page down', true),
  tool('paste', 'Paste', 'Paste'),
  tool('keyboard', '⌨', 'Show or hide the keyboard'),
  named('enter', '⏎', 'Enter'),
  named('backspace', '⌫', 'Backspace', true),
  named('delete', 'Del', 'Delete', true),
  named('insert', 'Ins', 'Insert'),
  ...['d', 'z', 'r', 'l', 'a', 'e', 'u', 'w', 'o', 'x', 'b'].map(control),
  sign('_', 'Underscore'),
  sign('\\', 'Backslash'),
  sign('`', 'Backtick'),
  sign("'", 'Quote'),
  sign('"', 'Double quote'),
  sign('$', 'Dollar'),
  sign('&', 'Ampersand'),
  sign('*', 'Asterisk'),
  sign('#', 'Hash'),
  sign('=', 'Equals'),
  sign('+', 'Plus'),
  sign(':', 'Colon'),
  sign(';', 'Semicolon'),
  sign('!', 'Exclamation mark'),
  sign('?', 'Question mark'),
  sign('@', 'At'),
  sign('%', 'Percent'),
  sign('^', 'Caret'),
  sign('<', 'Less than'),
  sign('>', 'Greater than'),
  sign('(', 'Open parenthesis'),
  sign(')', 'Close parenthesis'),
  sign('[', 'Open bracket'),
  sign(']', 'Close bracket'),
  sign('{', 'Open brace'),
  sign('}', 'Close brace'),
  ...FUNCTION_KEYS,
];

const BY_ID = new Map(BAR_KEYS.map((key) => [key.id, key]));

/** The keys that the bar has at first, in order. */
export const FIRST_KEYS: readonly string[] = BAR_KEYS.slice(0, 19).map((key) => key.id);

/** The keys by their ids; those that are not known are left out. */
export function barKeys(ids: readonly string[]): BarKey[] {
  return ids.flatMap((id) => BY_ID.get(id) ?? []);
}

/** The bar's keys in rows: the first takes as many as the others, or one less. */
export function inRows(keys: readonly BarKey[], rows: number): BarKey[][] {
  const each = Math.floor(keys.length / rows);
  return Array.from({ length: rows }, (_, row) =>
    keys.slice(row * each, row === rows - 1 ? undefined : (row + 1) * each),
  ).filter((row) => row.length > 0);
}
