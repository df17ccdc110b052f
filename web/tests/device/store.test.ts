import { IDBDatabase, IDBFactory, IDBObjectStore } from 'fake-indexeddb';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import 'fake-indexeddb/auto';
import { openDevice } from '../../src/device/device';
import { type DaemonRecord, paired, Store } from '../../src/device/store';
import { NodeEnvironment } from './page';
import { until } from './wait';

const open: Store[] = [];

async function opened(): Promise<Store> {
  const store = await Store.open();
  open.push(store);
  return store;
}

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
});

afterEach(() => {
  vi.restoreAllMocks();
  for (const store of open.splice(0)) store.close();
});

function record(id: string, presentedAt = 0): DaemonRecord {
  return {
    id,
    address: 'http://desk:8400',
    spk: Uint8Array.of(1),
    dpk: Uint8Array.of(2),
    dsk: Uint8Array.of(3),
    token: Uint8Array.of(4),
    state: 'pending',
    confirmed: false,
    presentedAt,
    name: 'desk',
  };
}

describe('a store', () => {
  it('keeps records and settings for the next page', async () => {
    const store = await opened();
    expect(store.lasting).toBe('yes');
    await store.write(record('b', 2));
    await store.write(record('a', 1));
    await store.set('text size', 14);
    const later = await opened();
    expect(await later.all()).toEqual([record('a', 1), record('b', 2)]);
    expect(await later.setting('text size')).toBe(14);
    expect(await later.setting('other')).toBeUndefined();
    await later.remove('a');
    expect(await store.read('a')).toBeUndefined();
  });

  it('writes through to the disk', async () => {
    const store = await opened();
    const begun = vi.spyOn(IDBDatabase.prototype, 'transaction');
    await store.write(record('a'));
    await store.change('a', (kept) => ({ ...kept, confirmed: true }));
    await store.remove('a');
    const ways = begun.mock.calls.map(([, mode, options]) => [mode, options?.durability]);
    expect(ways).toEqual(Array(3).fill(['readwrite', 'strict']));
  });

  it('says when a write has failed', async () => {
    const store = await opened();
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
      throw new DOMException('no room', 'QuotaExceededError');
    });
    await expect(store.write(record('a'))).rejects.toThrow('no room');
    expect(await store.all()).toEqual([]);
  });

  it('changes only what is still there', async () => {
    const store = await opened();
    expect(await store.change('a', (kept) => kept)).toBeUndefined();
    await store.write(record('a'));
    expect(await store.change('a', (kept) => paired(kept, 'desk', 5))).toMatchObject({
      state: 'paired',
      pairedAt: 5,
    });
    expect(await store.change('a', (kept) => paired(kept, 'table', 9))).toMatchObject({
      name: 'table',
      pairedAt: 5,
    });
  });

  it('tells this tab and the others', async () => {
    const [store, other] = [await opened(), await opened()];
    const told: string[] = [];
    store.onChange(() => told.push('here'));
    const stop = other.onChange(() => told.push('there'));
    await store.write(record('a'));
    await until('both are told', () => told.length === 2);
    expect(told).toEqual(['here', 'there']);
    stop();
    await other.write(record('b'));
    await until('the first is told', () => told.length === 3);
    expect(told[2]).toBe('here');
  });

  it('goes on when the browser has closed the database behind its back', async () => {
    const store = await opened();
    await store.write(record('a'));
    const real = IDBDatabase.prototype.transaction;
    let closed = true;
    vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementation(function (
      this: IDBDatabase,
      ...how
    ) {
      if (closed) {
        closed = false;
        this.close();
      }
      return real.apply(this, how);
    });
    expect(await store.all()).toHaveLength(1);
    expect(closed).toBe(false);
  });

  it('goes on when Safari has ended the process that had the database open', async () => {
    const store = await opened();
    await store.write(record('a'));
    const lost = vi.spyOn(IDBObjectStore.prototype, 'get').mockImplementationOnce(() => {
      throw new DOMException('Connection to Indexed Database server lost', 'UnknownError');
    });
    expect(await store.read('a')).toEqual(record('a'));
    expect(lost).toHaveBeenCalledTimes(2);
  });

  it('opens the database again although that has failed before', async () => {
    const store = await opened();
    await store.write(record('a'));
    const other = new IDBFactory();
    await new Promise((resolve) => other.open('codeout', 2).addEventListener('success', resolve));
    vi.spyOn(IDBDatabase.prototype, 'transaction').mockImplementationOnce(() => {
      throw new DOMException('closing', 'InvalidStateError');
    });
    vi.spyOn(indexedDB, 'open').mockImplementationOnce((...what) => other.open(...what));
    await expect(store.all()).rejects.toMatchObject({ name: 'VersionError' });
    expect(await store.all()).toHaveLength(1);
  });
});

describe('a browser that keeps nothing', () => {
  it.each([
    ['refuses', () => new Proxy(new IDBFactory(), { get: () => refuse })],
    ['has none', () => undefined],
  ])('and %s gets a store for this page alone', async (_, factory) => {
    globalThis.indexedDB = factory() as unknown as IDBFactory;
    const store = await opened();
    expect(store.lasting).toBe('no');
    await store.write(record('a'));
    await store.change('a', (kept) => ({ ...kept, confirmed: true }));
    await store.set('theme', 'dark');
    expect(await store.all()).toMatchObject([{ id: 'a', confirmed: true }]);
    expect(await store.read('a')).toMatchObject({ confirmed: true });
    expect(await store.setting('theme')).toBe('dark');
    await store.remove('a');
    expect(await store.all()).toEqual([]);
    const device = await openDevice(new NodeEnvironment('http://desk:8400', undefined));
    expect(device.lasting).toBe('no');
    await device.end();
  });
});

function refuse(): never {
  throw new DOMException('not in this mode', 'SecurityError');
}
