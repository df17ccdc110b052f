import fc from 'fast-check';
import { expect, test } from 'vitest';
import { difference } from '../../src/terminal/android-input';

test.each([
  ['', 'l', 'l'],
  ['l', 'ls', 's'],
  ['teh', 'the ', '\x7f\x7fhe '],
  ['ls', 'l', '\x7f'],
  ['ls', '', '\x7f\x7f'],
  ['ls', 'ls\n', '\r'],
  ['a😀', 'a', '\x7f'],
  ['same', 'same', ''],
])('%j to %j', (before, after, typed) => {
  expect(difference(before, after)).toBe(typed);
});

test('typed into a line that has the text before, it makes the text after', () => {
  const line = fc.string({ unit: fc.constantFrom('a', 'b', ' ', 'é', '日', '😀') });
  fc.assert(
    fc.property(line, line, (before, after) => {
      const shown = [...before];
      for (const character of difference(before, after)) {
        if (character === '\x7f') shown.pop();
        else shown.push(character);
      }
      expect(shown.join('')).toBe(after);
    }),
  );
});
