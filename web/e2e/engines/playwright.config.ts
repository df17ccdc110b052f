import { defineConfig } from '@playwright/test';
import type { Kind } from './fixtures';

/**
 * The web app in browsers that are no Chromium, against a real daemon. Playwright runs the tests; the
 * browsers are the system's, driven by the protocols that they speak themselves.
 */
export default defineConfig<object, Kind>({
  testDir: '.',
  testMatch: '*.spec.ts',
  // A WebKit may have to be started twice.
  timeout: 180_000,
  expect: { timeout: 30_000 },
  workers: 2,
  retries: 0,
  forbidOnly: true,
  reporter: 'list',
  // One browser for each: to start it takes longer than most tests.
  projects: [
    { name: 'firefox', use: { kind: 'firefox' }, workers: 1, testIgnore: '*.*.spec.ts' },
    { name: 'webkit', use: { kind: 'webkit' }, workers: 1, testIgnore: '*.touch.spec.ts' },
    {
      name: 'firefox-touch',
      use: { kind: 'firefox', touch: true },
      workers: 1,
      testMatch: '*.touch.spec.ts',
    },
  ],
});
