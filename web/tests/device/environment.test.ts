import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { browserEnvironment, type Circumstance } from '../../src/device/environment';

/** The parts of a page that tell of its circumstances, as browsers name them. */
class PageParts {
  readonly document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  readonly window = new EventTarget();
  readonly connection = Object.assign(new EventTarget(), { type: 'wifi' });
  readonly navigator = { onLine: true, connection: this.connection };
}

let page: PageParts;
let told: Circumstance[];
let stop: () => void;

beforeEach(() => {
  page = new PageParts();
  vi.stubGlobal('document', page.document);
  vi.stubGlobal('window', page.window);
  vi.stubGlobal('navigator', page.navigator);
  vi.stubGlobal('location', { origin: 'http://desk:8400' });
  told = [];
  stop = browserEnvironment().onCircumstance((what) => told.push(what));
});

afterEach(() => {
  stop();
  vi.unstubAllGlobals();
});

describe("a page's circumstances", () => {
  it('change when it is hidden and seen again', () => {
    page.document.visibilityState = 'hidden';
    page.document.dispatchEvent(new Event('visibilitychange'));
    page.document.visibilityState = 'visible';
    page.document.dispatchEvent(new Event('visibilitychange'));
    expect(told).toEqual(['hidden', 'woke']);
  });

  it('change with the network', () => {
    page.window.dispatchEvent(new Event('offline'));
    page.window.dispatchEvent(new Event('online'));
    expect(told).toEqual(['offline', 'woke']);
  });

  it('change when another network carries it, and not with each estimate of its speed', () => {
    page.connection.dispatchEvent(new Event('change'));
    expect(told).toEqual([]);
    page.connection.type = 'cellular';
    page.connection.dispatchEvent(new Event('change'));
    expect(told).toEqual(['woke']);
  });

  it('change when it is restored, and not when it is loaded', () => {
    const show = (persisted: boolean) => Object.assign(new Event('pageshow'), { persisted });
    page.window.dispatchEvent(show(false));
    expect(told).toEqual([]);
    page.window.dispatchEvent(show(true));
    expect(told).toEqual(['woke']);
  });

  it('are not told any more when nobody listens', () => {
    stop();
    page.document.dispatchEvent(new Event('visibilitychange'));
    page.window.dispatchEvent(new Event('online'));
    expect(told).toEqual([]);
  });

  it('are asked for as they are', () => {
    const environment = browserEnvironment();
    expect(environment.visible()).toBe(true);
    expect(environment.online()).toBe(true);
    page.document.visibilityState = 'hidden';
    page.navigator.onLine = false;
    expect(environment.visible()).toBe(false);
    expect(environment.online()).toBe(false);
    // Plain http has no storage to ask.
    expect(() => environment.keepStorage()).not.toThrow();
  });
});
