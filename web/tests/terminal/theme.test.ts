import { describe, expect, test } from 'vitest';
import { DARK, LEAST_CONTRAST, LIGHT } from '../../src/terminal/theme';

/** WCAG's relative luminance of `#rrggbb`. */
function luminance(colour: string): number {
  const parts = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255);
  const [red = 0, green = 0, blue = 0] = parts.map((part) =>
    part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

const COLOURS = ['red', 'green', 'yellow', 'blue', 'magenta', 'cyan'] as const;
const BRIGHT = [
  'brightBlack',
  'brightRed',
  'brightGreen',
  'brightYellow',
  'brightBlue',
  'brightMagenta',
  'brightCyan',
] as const;

describe.each([
  ['dark', DARK, ['white', 'brightWhite'] as const],
  ['light', LIGHT, ['black'] as const],
])('%s', (_name, theme, ends) => {
  test.each([...COLOURS, ...BRIGHT, ...ends, 'foreground'] as const)('%s can be read', (colour) => {
    const ratio = contrast(theme[colour] ?? '', theme.background ?? '');
    expect(ratio).toBeGreaterThanOrEqual(LEAST_CONTRAST);
  });

  test('selected text can be read', () => {
    const ratio = contrast(theme.foreground ?? '', theme.selectionBackground ?? '');
    expect(ratio).toBeGreaterThanOrEqual(LEAST_CONTRAST);
  });
});
