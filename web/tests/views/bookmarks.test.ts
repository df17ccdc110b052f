import { expect, test } from 'vitest';
import { readBookmarks } from '../../src/views/bookmarks';

test('what is kept of other pages is read back', () => {
  const kept = [{ address: 'http://desk:8400', name: 'desk' }];
  expect(readBookmarks(kept)).toEqual(kept);
});

test.each([
  'javascript:alert(1)',
  'data:text/html,x',
  '//other',
  'http://a:b@desk',
  'http://desk/path',
  7,
])('%j is no page to lead to', (address) => {
  expect(readBookmarks([{ address, name: 'desk' }])).toEqual([]);
});

test.each([undefined, null, 'x', {}, [null], [{ address: 'http://desk', name: 7 }]])(
  '%j holds none',
  (value) => {
    expect(readBookmarks(value)).toEqual([]);
  },
);
