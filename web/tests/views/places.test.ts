import { describe, expect, test } from 'vitest';
import { typedAddress } from '../../src/views/daemons/typed-address';
import { readEntry } from '../../src/views/history-entry';
import { linkTarget } from '../../src/views/pair/link-target';

describe('an address that is typed', () => {
  test.each([
    ['192.168.1.20', 'http://192.168.1.20:8400'],
    ['desk:9000', 'http://desk:9000'],
    ['[fd00::2]', 'http://[fd00::2]:8400'],
    ['https://desk.example.com', 'https://desk.example.com'],
    ['http://desk:8400/#SECRET', 'http://desk:8400/#SECRET'],
    ['', ''],
    ['desk/path', ''],
    ['user@desk', ''],
  ])('%j is %j', (text, address) => {
    expect(typedAddress(text)).toBe(address);
  });
});

describe('where a link leads', () => {
  test('to its own address, with its fragment', () => {
    expect(linkTarget('HTTP://DESK:8400/#SECRET')).toEqual({
      host: 'desk:8400',
      origin: 'http://desk:8400',
      href: 'http://desk:8400/#SECRET',
    });
  });

  test.each(['javascript:alert(1)//#', 'data:text/html,/#x', 'http://a:b@desk/#x', 'desk', ''])(
    'never by %j',
    (link) => {
      expect(linkTarget(link)).toBeUndefined();
    },
  );
});

describe('a history entry', () => {
  test.each([null, undefined, 7, 'x', {}, { route: 7 }, { route: { view: 'other' } }])(
    'of another page, %j, is the list of sessions',
    (state) => {
      expect(readEntry(state)).toEqual({ route: { view: 'sessions' }, depth: 0 });
    },
  );

  test('names a view', () => {
    const session = { route: { view: 'session', session: 3 }, depth: 2 };
    expect(readEntry(session)).toEqual(session);
    expect(readEntry({ route: { view: 'devices' }, depth: 1 }).route).toEqual({ view: 'devices' });
  });

  test('names no session that is none', () => {
    expect(readEntry({ route: { view: 'session', session: '3' }, depth: 1 })).toEqual({
      route: { view: 'sessions' },
      depth: 1,
    });
  });
});
