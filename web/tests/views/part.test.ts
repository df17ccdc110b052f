import { describe, expect, test, vi } from 'vitest';
import { missingScript, part, Remembered } from '../../src/views/part';

const ORIGIN = 'http://desk.test:8400';
const SCRIPT = `${ORIGIN}/assets/AddDevice-B1x_2-y.js`;

describe('a part of the page', () => {
  test.each([
    `Failed to fetch dynamically imported module: ${SCRIPT}`,
    `error loading dynamically imported module: ${SCRIPT}`,
    `Failed to fetch dynamically imported module: ${SCRIPT}?again=2`,
  ])('that did not come is known by what the browser says: %s', (message) => {
    expect(missingScript(new TypeError(message), ORIGIN)).toBe(SCRIPT);
  });

  test.each([
    'Importing a module script failed.',
    'Failed to fetch dynamically imported module: https://attacker.test/assets/x.js',
    `Failed to fetch dynamically imported module: ${ORIGIN}.attacker.test/assets/x.js`,
    `Unable to preload CSS for ${ORIGIN}/assets/x.css`,
  ])('of this page, and no other script: %s', (message) => {
    expect(missingScript(new TypeError(message), ORIGIN)).toBeUndefined();
  });

  test('comes once, and is asked for again when it did not come', async () => {
    Object.assign(globalThis, { window: { location: { origin: ORIGIN } } });
    let asked = 0;
    const get = part(async () => {
      asked += 1;
      if (asked === 1) throw new TypeError('Importing a module script failed.');
      return asked;
    });
    await expect(get()).rejects.toThrow('Importing');
    expect(await Promise.all([get(), get()])).toEqual([2, 2]);
    expect(await get()).toBe(2);
  });

  test('whose script comes and which does not wants a page loaded anew', async () => {
    Object.assign(globalThis, { window: { location: { origin: ORIGIN } } });
    const get = part(() => Promise.reject(new TypeError(`Failed to fetch: ${SCRIPT}`)));
    const asked = vi.spyOn(globalThis, 'fetch');
    asked.mockResolvedValueOnce(new Response());
    await expect(get()).rejects.toBeInstanceOf(Remembered);
    asked.mockResolvedValueOnce(new Response(null, { status: 404 }));
    await expect(get()).rejects.not.toBeInstanceOf(Remembered);
    asked.mockRejectedValueOnce(new TypeError('Failed to fetch'));
    await expect(get()).rejects.not.toBeInstanceOf(Remembered);
    expect(asked).toHaveBeenCalledTimes(3);
    asked.mockRestore();
  });
});
