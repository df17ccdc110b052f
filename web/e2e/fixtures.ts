/** What every test stands on: a desk, and browsers that are watched from their first request. */

import { type BrowserContextOptions, test as base } from '@playwright/test';
import { launchOptions, type Place } from './browser';
import { type Certificate, makeCertificate } from './certificate';
import { Desk, type DeskOptions } from './desk';
import { BrowserDevice } from './device';

interface Shared {
  /** What daemons serve https with, where the project is served so. */
  certificate: Certificate | undefined;
  /** One daemon for all tests of a worker. */
  sharedDesk: Desk;
}

interface Fixtures {
  /** A daemon without devices and sessions. */
  desk: Desk;
  /** Makes a daemon of the test's own, which it may stop or start with other options. */
  newDesk: (options?: Partial<DeskOptions>) => Promise<Desk>;
  /** Makes a browser that has never been here: a context of its own. */
  newDevice: (options?: BrowserContextOptions) => Promise<BrowserDevice>;
  /** The first browser of the test. */
  device: BrowserDevice;
}

export const test = base.extend<Fixtures, Shared & Place>({
  origin: ['http://localhost', { option: true, scope: 'worker' }],

  certificate: [
    async ({ origin }, use) => {
      const certificate = origin.startsWith('https:') ? makeCertificate() : undefined;
      await use(certificate);
      certificate?.remove();
    },
    { scope: 'worker' },
  ],

  // The browser trusts that one certificate, and no other that it would not trust anyway.
  browser: [
    async ({ playwright, certificate }, use) => {
      const { args = [], ...options } = launchOptions;
      const trusted = `--ignore-certificate-errors-spki-list=${certificate?.spki}`;
      const all = certificate ? [...args, trusted] : args;
      const browser = await playwright.chromium.launch({ ...options, args: all });
      await use(browser);
      await browser.close();
    },
    { scope: 'worker' },
  ],

  sharedDesk: [
    async ({ origin, certificate }, use) => {
      const desk = await Desk.start({ origin, ...(certificate && { tls: certificate }) });
      await use(desk);
      await desk.stop();
    },
    { scope: 'worker' },
  ],

  desk: async ({ sharedDesk }, use) => {
    await use(sharedDesk);
    await sharedDesk.clear();
  },

  newDesk: async ({ origin, certificate }, use) => {
    const desks: Desk[] = [];
    await use(async (options) => {
      const tls = certificate && { tls: certificate };
      const desk = await Desk.start({ origin, ...tls, ...options });
      desks.push(desk);
      return desk;
    });
    for (const desk of desks) await desk.stop();
  },

  // Behind the desks, so that no page outlives the daemon that it is connected to.
  newDevice: async ({ browser, desk, newDesk: _ }, use, info) => {
    const devices: BrowserDevice[] = [];
    await use(async (options) => {
      const context = await browser.newContext(options);
      const device = await BrowserDevice.start(context, desk);
      devices.push(device);
      return device;
    });
    // A failed test says why itself; what its pages then hold only distracts.
    if (info.status === info.expectedStatus) {
      for (const device of devices) await device.watch.check();
    }
    for (const device of devices) await device.stop();
  },

  device: async ({ newDevice }, use) => {
    await use(await newDevice());
  },
});

export { expect } from '@playwright/test';
