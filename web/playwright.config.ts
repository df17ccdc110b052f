import { defineConfig } from '@playwright/test';
import { DESKTOP, PHONE, type Place } from './e2e/browser';

/**
 * The web app in a real browser, against a real daemon. Everything is shown on a laptop at
 * `localhost`, and on a phone over plain http by a name, where browsers withhold what they keep for
 * secure pages; and what every device does once more over the daemon's own https.
 */
export default defineConfig<Place>({
  testDir: 'e2e',
  // Those of its directories have configurations of their own.
  testMatch: 'e2e/*.spec.ts',
  // A machine that is busy with other things may take its time: only what hangs is to fail.
  timeout: 150_000,
  expect: { timeout: 30_000 },
  workers: 2,
  retries: 0,
  forbidOnly: true,
  reporter: 'list',
  use: { actionTimeout: 30_000, trace: 'off', video: 'off', screenshot: 'off' },
  projects: [
    {
      name: 'localhost-desktop',
      testIgnore: ['tls.spec.ts', '*.phone.spec.ts'],
      use: { ...DESKTOP, origin: 'http://localhost' },
    },
    {
      name: 'http-phone',
      // A phone has no such keyboard; where a screen is emulated, WebGL gives way by itself; icons
      // are no matter of screens; and this page is not secure.
      testIgnore: [
        'tls.spec.ts',
        'keyboard.spec.ts',
        'webgl.spec.ts',
        'icons.spec.ts',
        'secure.spec.ts',
      ],
      use: { ...PHONE, origin: 'http://desk.test' },
    },
    {
      name: 'tls',
      // What every device does; the rest knows nothing of how it came to its page.
      testMatch: 'e2e/{tls,pairing,session,sessions,devices,link}.spec.ts',
      // A wire that holds back a message does not find it inside TLS.
      grepInvert: /breaks half-way|ends while it is proved/,
      use: { ...PHONE, origin: 'https://desk.test' },
    },
  ],
});
