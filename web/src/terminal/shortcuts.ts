/** Keys of a real keyboard that are the page's own, and not the program's. */

import type { Terminal } from '@xterm/xterm';

export type Shortcut = 'copy' | 'paste' | 'leave';

/** What people are told: how the keyboard gets out of the terminal, which takes Tab and Escape. */
export const LEAVE_KEYS = 'Ctrl+Shift+X';

/** Which of them a key event is. */
export function shortcutOf(
  event: Pick<KeyboardEvent, 'ctrlKey' | 'shiftKey' | 'altKey' | 'metaKey' | 'code'>,
): Shortcut | undefined {
  if (!event.ctrlKey || !event.shiftKey || event.altKey || event.metaKey) return undefined;
  const keys: Record<string, Shortcut> = { KeyC: 'copy', KeyV: 'paste', KeyX: 'leave' };
  return keys[event.code];
}

/**
 * Keeps these keys from the terminal.
 * @param act does it, and says whether it did; when not, the browser does what it does
 */
export function takeShortcuts(terminal: Terminal, act: (shortcut: Shortcut) => boolean): void {
  terminal.attachCustomKeyEventHandler((event) => {
    const shortcut = shortcutOf(event);
    if (!shortcut) return true;
    if (event.type === 'keydown' && act(shortcut)) event.preventDefault();
    return false;
  });
}
