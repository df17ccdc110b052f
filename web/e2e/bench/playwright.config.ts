import { defineConfig } from '@playwright/test';
import { DESKTOP, type Place } from '../browser';

/** How fast the page is. Figures are printed, and never judged: machines differ. */
export default defineConfig<Place>({
  testDir: '.',
  testMatch: 'bench.ts',
  timeout: 600_000,
  workers: 1,
  reporter: 'line',
  use: {
    ...DESKTOP,
    actionTimeout: 30_000,
    origin: 'http://localhost',
    // What it keeps for later would be counted nowhere.
    serviceWorkers: 'block',
  },
});
