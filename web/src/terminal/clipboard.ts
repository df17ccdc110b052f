/** The clipboard, as far as this page may use it. */

/** Whether the page may read it: only where the context is secure. */
export function mayReadClipboard(): boolean {
  return window.isSecureContext && typeof navigator.clipboard?.readText === 'function';
}

/** @returns its text, or undefined when the browser or its user does not allow it */
export async function readClipboard(): Promise<string | undefined> {
  if (!mayReadClipboard()) return undefined;
  return navigator.clipboard.readText().catch(() => undefined);
}

/**
 * Copies text; call it from a user's action.
 * @returns whether it was copied
 */
export async function copyText(text: string): Promise<boolean> {
  if (window.isSecureContext && navigator.clipboard) {
    const copied = await navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    );
    if (copied) return true;
  }
  return copyByCommand(text);
}

/** The way of pages without a clipboard API: the command copies what its event is given. */
function copyByCommand(text: string): boolean {
  let given = false;
  const give = (event: ClipboardEvent) => {
    event.clipboardData?.setData('text/plain', text);
    event.preventDefault();
    event.stopImmediatePropagation();
    given = true;
  };
  document.addEventListener('copy', give, { capture: true });
  const release = selectSomething();
  const done = document.execCommand('copy');
  release();
  document.removeEventListener('copy', give, { capture: true });
  return done && given;
}

/**
 * Without a selection the command does nothing. The focus stays where it is.
 * @returns what puts back the selection that was there
 */
function selectSomething(): () => void {
  const selection = window.getSelection();
  if (!selection) return () => {};
  const before = Array.from({ length: selection.rangeCount }, (_, at) => selection.getRangeAt(at));
  const carrier = document.createElement('span');
  carrier.textContent = '.';
  Object.assign(carrier.style, { position: 'fixed', opacity: '0', userSelect: 'text' });
  // What is outside of an open dialog cannot be selected.
  const open = [...document.querySelectorAll('dialog[open]')].at(-1);
  (open ?? document.body).append(carrier);
  selection.selectAllChildren(carrier);
  return () => {
    selection.removeAllRanges();
    for (const range of before) selection.addRange(range);
    carrier.remove();
  };
}
