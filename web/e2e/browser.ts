/** Browsers as the tests use them: where they run, and with what screens. */

import type { BrowserContextOptions, LaunchOptions } from '@playwright/test';

/** Where a project's pages are served. */
export interface Place {
  /** The address of daemons there, without the port. */
  origin: string;
}

/** `desk.test` is this computer; every other name leads nowhere. */
const NAMES = 'MAP desk.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1';

/** The Chromium of the system; `CHROMIUM` names another. */
export const launchOptions: LaunchOptions = {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-3d-apis',
    '--no-first-run',
    '--disable-background-networking',
    `--host-resolver-rules=${NAMES}`,
  ],
};

export const DESKTOP = {
  viewport: { width: 1280, height: 800 },
  deviceScaleFactor: 1,
} satisfies BrowserContextOptions;

export const PHONE = {
  viewport: { width: 360, height: 780 },
  deviceScaleFactor: 2,
  hasTouch: true,
  isMobile: true,
  userAgent:
    'Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) ' +
    'Chrome/156.0.0.0 Mobile Safari/537.36',
} satisfies BrowserContextOptions;
