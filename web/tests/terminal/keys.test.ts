import { describe, expect, test } from 'vitest';
import { encodeCharacter, encodeKey, NO_MODIFIERS } from '../../src/terminal/keys';

const CTRL = { ctrl: true, alt: false };
const ALT = { ctrl: false, alt: true };
const BOTH = { ctrl: true, alt: true };

describe('named keys', () => {
  test.each([
    ['escape', '\x1b'],
    ['tab', '\t'],
    ['enter', '\r'],
    ['backspace', '\x7f'],
    ['up', '\x1b[A'],
    ['left', '\x1b[D'],
    ['home', '\x1b[H'],
    ['end', '\x1b[F'],
    ['pageup', '\x1b[5~'],
    ['pagedown', '\x1b[6~'],
    ['insert', '\x1b[2~'],
    ['delete', '\x1b[3~'],
    ['f1', '\x1bOP'],
    ['f5', '\x1b[15~'],
    ['f12', '\x1b[24~'],
  ])('%s alone', (key, bytes) => {
    expect(encodeKey(key, NO_MODIFIERS, false)).toBe(bytes);
  });

  test('arrows, Home and End change in application cursor mode, and nothing else does', () => {
    expect(encodeKey('up', NO_MODIFIERS, true)).toBe('\x1bOA');
    expect(encodeKey('home', NO_MODIFIERS, true)).toBe('\x1bOH');
    expect(encodeKey('end', NO_MODIFIERS, true)).toBe('\x1bOF');
    expect(encodeKey('pageup', NO_MODIFIERS, true)).toBe('\x1b[5~');
    expect(encodeKey('tab', NO_MODIFIERS, true)).toBe('\t');
  });

  test('a modifier wins over application cursor mode', () => {
    expect(encodeKey('up', CTRL, true)).toBe('\x1b[1;5A');
    expect(encodeKey('left', ALT, false)).toBe('\x1b[1;3D');
    expect(encodeKey('right', BOTH, false)).toBe('\x1b[1;7C');
    expect(encodeKey('pagedown', CTRL, false)).toBe('\x1b[6;5~');
    expect(encodeKey('f1', CTRL, false)).toBe('\x1b[1;5P');
  });

  test('shift', () => {
    expect(encodeKey('tab', { ...NO_MODIFIERS, shift: true }, false)).toBe('\x1b[Z');
    expect(encodeKey('up', { ...CTRL, shift: true }, false)).toBe('\x1b[1;6A');
  });

  test('Alt puts an escape before keys that have no number for it', () => {
    expect(encodeKey('escape', ALT, false)).toBe('\x1b\x1b');
    expect(encodeKey('enter', ALT, false)).toBe('\x1b\r');
    expect(encodeKey('backspace', ALT, false)).toBe('\x1b\x7f');
  });

  test('what is no key is none', () => {
    expect(encodeKey('constructor', NO_MODIFIERS, false)).toBeUndefined();
    expect(encodeKey('F1', NO_MODIFIERS, false)).toBeUndefined();
  });
});

describe('characters', () => {
  test('Ctrl with every letter, either case', () => {
    for (let index = 0; index < 26; index++) {
      const control = String.fromCharCode(index + 1);
      expect(encodeCharacter(String.fromCharCode(97 + index), CTRL)).toBe(control);
      expect(encodeCharacter(String.fromCharCode(65 + index), CTRL)).toBe(control);
    }
  });

  test.each([
    ['@', '\x00'],
    [' ', '\x00'],
    ['[', '\x1b'],
    ['\\', '\x1c'],
    [']', '\x1d'],
    ['^', '\x1e'],
    ['_', '\x1f'],
    ['/', '\x1f'],
    ['?', '\x7f'],
  ])('Ctrl %s', (character, control) => {
    expect(encodeCharacter(character, CTRL)).toBe(control);
  });

  test('Ctrl means nothing for others', () => {
    for (const character of ['é', '日', '1', '\r', '\x7f', '\x1b']) {
      expect(encodeCharacter(character, CTRL)).toBe(character);
    }
  });

  test('Alt, and both', () => {
    expect(encodeCharacter('b', ALT)).toBe('\x1bb');
    expect(encodeCharacter('c', BOTH)).toBe('\x1b\x03');
    expect(encodeCharacter('😀', ALT)).toBe('\x1b😀');
  });
});
