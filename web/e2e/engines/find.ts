/** What people see on a page: found in it, by role and name, and pointed at. */

export type Role = 'button' | 'textbox' | 'heading' | 'dialog' | 'region' | 'alert' | 'status';

/** A name, whole or by its beginning; JSON, so that it can go into a page. */
export interface Wanted {
  readonly role: Role;
  readonly name: string;
  /** Whether `name` is only how it begins. */
  readonly begins: boolean;
}

export interface Found {
  /** The middle of it, in CSS pixels of the window. */
  readonly x: number;
  readonly y: number;
  readonly name: string;
  readonly disabled: boolean;
  /** Whether a click in its middle is a click on it. */
  readonly onTop: boolean;
  /** Whether nothing moves on the page, other than what never ends. */
  readonly rests: boolean;
}

/** Looks in the page that it runs in, with nothing from outside. */
export function find({ role, name, begins }: Wanted): Found | null {
  const selectors = {
    button: 'button, [role="button"]',
    textbox: 'textarea, input:not([type]), input[type="text"], input[type="url"]',
    heading: 'h1, h2, h3',
    dialog: 'dialog[open]',
    region: 'section[aria-label], [role="region"]',
    alert: '[role="alert"]',
    status: '[role="status"]',
  };
  const plain = (text: string | null | undefined) => (text ?? '').replace(/\s+/g, ' ').trim();
  const nameOf = (element: Element): string => {
    const by = element.getAttribute('aria-labelledby');
    const [label] = (element as HTMLInputElement).labels ?? [];
    return plain(
      element.getAttribute('aria-label') ??
        (by ? document.getElementById(by)?.textContent : undefined) ??
        label?.textContent ??
        element.textContent,
    );
  };
  for (const element of document.querySelectorAll<HTMLElement>(selectors[role])) {
    const found = nameOf(element);
    if (begins ? !found.startsWith(name) : found !== name) continue;
    if (!element.checkVisibility()) continue;
    element.scrollIntoView({ block: 'nearest', behavior: 'instant' });
    const { left, top, width, height } = element.getBoundingClientRect();
    const [x, y] = [Math.round(left + width / 2), Math.round(top + height / 2)];
    const hit = document.elementFromPoint(x, y);
    const onTop = hit !== null && element.contains(hit);
    const rests = document
      .getAnimations()
      .every(({ effect }) => effect?.getComputedTiming().endTime === Number.POSITIVE_INFINITY);
    return { x, y, name: found, disabled: element.matches(':disabled'), onTop, rests };
  }
  return null;
}
