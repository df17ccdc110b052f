/** What this page cannot do, why, and how to turn it on. */

export interface OffHere {
  readonly what: string;
  readonly why: string;
  readonly instead: string;
}

/** All that a page over plain http is refused by the browser. */
export const OFF_WITHOUT_HTTPS: readonly OffHere[] = [
  {
    what: 'Live camera',
    why: 'Browsers give the camera to https pages only.',
    instead: 'The phone’s own camera app opens the QR’s link; a photo of the QR is read here.',
  },
  {
    what: 'Clipboard button',
    why: 'A page over http may not read or write the clipboard by itself.',
    instead: 'The terminal has a box to paste into, and selected text is copied by the browser.',
  },
  {
    what: 'Install as an app',
    why: 'Only https pages can be installed.',
    instead: 'A bookmark on the home screen opens this page.',
  },
  {
    what: 'Notifications',
    why: 'Only https pages may notify.',
    instead: 'The title counts the sessions that want you; a hook of the daemon can push.',
  },
  {
    what: 'Opening without the daemon',
    why: 'Only https pages can keep themselves for later, by a service worker.',
    instead: 'The page loads from the daemon each time.',
  },
];
