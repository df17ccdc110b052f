import { describe, expect, test } from 'vitest';
import { caretIn, readCodeField } from '../../src/views/code-field';

const ORIGIN = 'http://192.168.1.20:8400';
const FRAGMENT = 'K7QM3FBR9TZX8FFHQW4SN30XFRNR1FPPJABXN7K38ZJ4J7YDJZPN5J0BFTMNMS6G';
const read = (text: string) => readCodeField(text, ORIGIN);

describe('a code that is typed', () => {
  test.each([
    ['k7', 'K7', 10],
    ['k7qm3', 'K7QM-3', 7],
    ['k7qm-3fbr-9tzx', 'K7QM-3FBR-9TZX', 0],
    ['K7QM 3FBR 9TZX', 'K7QM-3FBR-9TZX', 0],
    ['  k7qm3fbr9tzx\n', 'K7QM-3FBR-9TZX', 0],
    ['oil0', '0110', 8],
    ['K7QM-', 'K7QM', 8],
  ])('%j is shown as %s', (typed, shown, missing) => {
    expect(read(typed)).toEqual({ kind: 'code', shown, missing });
  });

  test('what no code has is named once, as it was typed', () => {
    expect(read('K7QU-uU!')).toEqual({ kind: 'wrong', characters: ['U', 'u', '!'] });
    expect(read('K7QM–3FBR')).toEqual({ kind: 'wrong', characters: ['–'] });
  });

  test('letters outside ASCII never become ones of the alphabet', () => {
    expect(read('ı')).toEqual({ kind: 'wrong', characters: ['ı'] });
    expect(read('ſ')).toEqual({ kind: 'wrong', characters: ['ſ'] });
  });

  test('too many characters are counted', () => {
    expect(read('K7QM-3FBR-9TZX-AB')).toEqual({ kind: 'long', over: 2 });
  });

  test('nothing is nothing', () => {
    expect(read('')).toEqual({ kind: 'empty' });
    expect(read('  ')).toEqual({ kind: 'empty' });
  });
});

describe('a link that is pasted', () => {
  test.each([`${ORIGIN}/#${FRAGMENT}`, `HTTP://DESK:8400/#${FRAGMENT}`, 'desk:8400/#K7'])(
    '%s stays as it is',
    (link) => {
      expect(read(` ${link}\n`)).toEqual({ kind: 'link', link });
    },
  );

  test('a bare fragment belongs to this page', () => {
    const link = `${ORIGIN}/#${FRAGMENT}`;
    expect(read(FRAGMENT.toLowerCase())).toEqual({ kind: 'link', link });
    expect(read(`#${FRAGMENT}`)).toEqual({ kind: 'link', link });
  });
});

describe('the caret', () => {
  test.each([
    ['K7QM', 'K7QM', 4],
    ['K7QM3', 'K7QM-3', 6],
    ['K7', 'K7QM-3FBR', 2],
    ['K7QM-3', 'K7QM-3FBR', 6],
    ['', 'K7QM', 0],
  ])('behind %j in %s', (before, shown, at) => {
    expect(caretIn(before, shown)).toBe(at);
  });
});
