import 'fake-indexeddb/auto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BAR_KEYS, barKeys, FIRST_KEYS, inRows } from '../../src/terminal/keybar';
import { FIRST_SETTINGS, readSettings, SettingsStore } from '../../src/terminal/settings';

describe('settings', () => {
  test('are kept by the browser', async () => {
    const changed = await new SettingsStore().change({ textSize: 18, keys: ['escape', 'tab'] });
    expect(changed.textSize).toBe(18);
    expect(await new SettingsStore().load()).toEqual(changed);
  });

  test('whatever was stored, they can be used', () => {
    const shape = fc.record(
      {
        textSize: fc.anything(),
        keys: fc.anything(),
        keyRows: fc.anything(),
        keyBar: fc.anything(),
        screenReader: fc.anything(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(fc.anything(), shape), (stored) => {
        const settings = readSettings(stored);
        expect(settings.textSize).toBeGreaterThanOrEqual(6);
        expect(settings.textSize).toBeLessThanOrEqual(32);
        expect(barKeys(settings.keys)).toHaveLength(settings.keys.length);
        expect([1, 2]).toContain(settings.keyRows);
        expect(['auto', 'always', 'never']).toContain(settings.keyBar);
        expect(typeof settings.screenReader).toBe('boolean');
      }),
    );
    expect(readSettings(undefined)).toEqual(FIRST_SETTINGS);
  });
});

describe('the key bar', () => {
  test('has every key once', () => {
    expect(new Set(BAR_KEYS.map((key) => key.id)).size).toBe(BAR_KEYS.length);
    expect(new Set(BAR_KEYS.map((key) => key.label)).size).toBe(BAR_KEYS.length);
  });

  test('loses none in rows', () => {
    const keys = barKeys(FIRST_KEYS);
    expect(inRows(keys, 2).flat()).toEqual(keys);
    expect(inRows(keys, 2)[0]).toHaveLength(9);
    expect(inRows(keys, 1)).toEqual([keys]);
    expect(inRows([], 2)).toEqual([]);
  });
});
