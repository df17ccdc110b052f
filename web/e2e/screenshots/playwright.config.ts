import { defineConfig } from '@playwright/test';
import { DESKTOP, PHONE, type Place } from '../browser';

const place = { origin: 'http://desk.test' };

/** Makes a picture of every view, for the docs and to be looked at. */
export default defineConfig<Place>({
  testDir: '.',
  testMatch: 'screenshots.ts',
  timeout: 180_000,
  workers: 1,
  reporter: 'list',
  use: { actionTimeout: 10_000, ...place },
  projects: [
    { name: 'phone-light', use: { ...PHONE, colorScheme: 'light' } },
    { name: 'phone-dark', use: { ...PHONE, colorScheme: 'dark' } },
    { name: 'desktop-light', use: { ...DESKTOP, colorScheme: 'light' } },
    { name: 'desktop-dark', use: { ...DESKTOP, colorScheme: 'dark' } },
  ],
});
