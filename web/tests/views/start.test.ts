import { expect, test } from 'vitest';
import type { Code } from '../../src/protocol/code';
import { formatLink, parseLink } from '../../src/protocol/link';
import { takeLink } from '../../src/views/start';

function bar(href: string) {
  const { origin, pathname, search, hash } = new URL(href);
  const replaced: unknown[][] = [];
  const history = { replaceState: (...entry: unknown[]) => void replaced.push(entry) };
  return { location: { href, origin, pathname, search, hash }, history, replaced };
}

test('the fragment leaves the address and its history entry', () => {
  const opened = bar('http://desk:8400/#SECRET');
  expect(takeLink(opened)).toBe('http://desk:8400/#SECRET');
  expect(opened.replaced).toEqual([[null, '', '/']]);
});

test.each(['/?a=b', '/x', '//x/', '/?/', '/x/?/'])('of a page at %s it is no link', (place) => {
  const link = formatLink({
    base: 'http://desk:8400',
    code: 'K7QM3FBR9TZX' as Code,
    daemonKey: new Uint8Array(32).fill(7),
  });
  expect(parseLink(link)).toBeDefined();
  const opened = bar(link.replace('/#', `${place}#`));
  const taken = takeLink(opened);
  expect(taken).toBeDefined();
  expect(parseLink(taken ?? '')).toBeUndefined();
  expect(opened.replaced).toEqual([[null, '', '/']]);
});

test('an empty fragment goes too, and is no link', () => {
  const opened = bar('http://desk:8400/#');
  expect(takeLink(opened)).toBeUndefined();
  expect(opened.replaced).toHaveLength(1);
});

test('without a fragment the history is left alone', () => {
  const opened = bar('http://desk:8400/');
  expect(takeLink(opened)).toBeUndefined();
  expect(opened.replaced).toEqual([]);
});
