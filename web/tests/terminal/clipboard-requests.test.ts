import { expect, test } from 'vitest';
import { requestedText, shownPart } from '../../src/terminal/clipboard-requests';

const request = (text: string) => `c;${Buffer.from(text).toString('base64')}`;

test('text that is offered is read, with its tabs and lines', () => {
  expect(requestedText(request('a\tb\nç 🏴‍☠️'))).toBe('a\tb\nç 🏴‍☠️');
  expect(requestedText(request('a\r\nb\rc\u2028d'))).toBe('a\nb\nc\nd');
});

test.each([
  ['escape sequences', 'ls\u001b[31m', 'ls[31m'],
  ['C1 controls', 'a\u009bb', 'ab'],
  ['deletes and nulls', 'a\u0000\u007fb', 'ab'],
  ['bidi overrides', 'a\u202eb\u202c', 'ab'],
  ['bidi isolates and marks', '\u2066a\u2069\u200f\u061cb', 'ab'],
  ['what takes no room', 'a\u200b\u2060\u00ad\ufeffb', 'ab'],
  ['tags', 'a\u{e0041}\u{e01ef}b', 'ab'],
])('%s are not copied, since they are not shown', (_, text, copied) => {
  expect(requestedText(request(text))).toBe(copied);
});

test.each(['c;?', 'c;', 'c;***', `c;${Buffer.from([0xff]).toString('base64')}`])(
  '%j is no text',
  (data) => {
    expect(requestedText(data)).toBeUndefined();
  },
);

test('a long text is shown in part, with how much is not', () => {
  expect(shownPart('short')).toEqual({ shown: 'short', hidden: 0 });
  expect(shownPart('x'.repeat(2_500))).toEqual({ shown: 'x'.repeat(2_000), hidden: 500 });
  const cut = shownPart(`${'x'.repeat(1_999)}🙂y`);
  expect(cut).toEqual({ shown: 'x'.repeat(1_999), hidden: 2 });
});
