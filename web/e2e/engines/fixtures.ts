/** What every test stands on: one browser, and desks, for all of a project. */

import { writeFileSync } from 'node:fs';
import { test as base, expect } from '@playwright/test';
import { Desk } from '../desk';
import type { Engine } from './engine';
import { Firefox } from './firefox';
import { plainPlace } from './place';
import { User } from './user';
import { WebKit } from './webkit';

export interface Kind {
  kind: 'firefox' | 'webkit';
  /** Whether it has a screen for fingers. */
  touch: boolean;
}

interface Shared {
  engine: Engine;
  securePlace: Desk;
  plainPlace: Desk;
}

interface Drawing {
  /** Whether the page may draw with WebGL. */
  webgl: boolean;
}

interface Fixtures {
  /** At `localhost`, which is secure to browsers. */
  desk: Desk;
  /** At a name over plain http, where browsers withhold what they keep for secure pages. */
  plainDesk: Desk;
  /** In a browser that has never been here. */
  user: User;
  /** Messages that the browser itself writes to the console, such as of a refused connection. */
  expected: RegExp[];
}

/** What a page holds that outlives it, or that others may see. */
function held() {
  return {
    hash: location.hash,
    cookie: document.cookie,
    local: Object.keys(localStorage).filter((key) => key !== 'codeout.settings'),
    session: Object.keys(sessionStorage),
  };
}

export const test = base.extend<Fixtures & Drawing, Shared & Kind>({
  kind: ['firefox', { option: true, scope: 'worker' }],

  touch: [false, { option: true, scope: 'worker' }],

  engine: [
    async ({ kind, touch }, use) => {
      const engine = await (kind === 'firefox' ? Firefox.start(touch) : WebKit.start());
      await use(engine);
      await engine.close();
    },
    { scope: 'worker' },
  ],

  securePlace: [
    async ({ kind: _ }, use) => {
      const desk = await Desk.start({ origin: 'http://localhost' });
      await use(desk);
      await desk.stop();
    },
    { scope: 'worker' },
  ],

  plainPlace: [
    async ({ kind: _ }, use) => {
      const desk = await Desk.start(await plainPlace());
      await use(desk);
      await desk.stop();
    },
    { scope: 'worker' },
  ],

  webgl: [false, { option: true }],

  desk: async ({ securePlace }, use) => {
    await use(securePlace);
    await securePlace.clear();
  },

  plainDesk: async ({ plainPlace }, use) => {
    await use(plainPlace);
    await plainPlace.clear();
  },

  expected: async ({ kind: _ }, use) => {
    await use([]);
  },

  user: async ({ engine, webgl, expected }, use, info) => {
    await engine.begin(webgl);
    await engine.resize(1200, 860);
    await use(new User(engine));
    // A failed test says why itself.
    if (info.status !== info.expectedStatus) {
      const path = info.outputPath('page.png');
      writeFileSync(path, await engine.screenshot());
      await info.attach('page', { path, contentType: 'image/png' });
      return;
    }
    const nothing = { hash: '', cookie: '', local: [], session: [] };
    expect(await engine.evaluate(held), 'what the page keeps').toEqual(nothing);
    const faults = (await engine.faults()).filter((one) => !expected.some((it) => it.test(one)));
    expect(faults, 'faults').toEqual([]);
    await engine.goto('about:blank');
  },
});

export { expect } from '@playwright/test';
