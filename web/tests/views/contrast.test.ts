import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const css = readFileSync(new URL('../../src/styles/tokens.css', import.meta.url), 'utf8');

/** The colours that a rule sets, by name. */
function colours(selector: string): Map<string, string> {
  const blocks = css.split(`${selector} {`).slice(1);
  const rules = blocks.map((block) => block.slice(0, block.indexOf('}'))).join('');
  return new Map(
    [...rules.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, hex]) => [
      `${name}`,
      `${hex}`,
    ]),
  );
}

/** Relative luminance as WCAG 2 has it. */
function luminance(hex: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [light = 0, dark = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

const GROUNDS = ['ground', 'surface', 'sunken', 'hover'];
const TEXT: readonly (readonly [string, readonly string[]])[] = [
  ['ink', [...GROUNDS, 'accent-soft', 'attention-soft', 'danger-soft']],
  ['ink-soft', [...GROUNDS, 'accent-soft', 'attention-soft', 'danger-soft']],
  ['ink-faint', GROUNDS],
  ['accent', [...GROUNDS, 'accent-soft']],
  ['attention', ['ground', 'surface', 'hover', 'attention-soft']],
  ['danger', [...GROUNDS, 'danger-soft']],
  ['on-ink', ['ink']],
  ['on-danger', ['danger']],
];
/** What is no text, and must be seen all the same: the edges of fields, marks, dots. */
const MARKS: readonly (readonly [string, readonly string[]])[] = [
  ['line-strong', ['ground', 'surface']],
  ['live', ['ground', 'surface']],
  ['attention-mark', ['surface']],
];

const light = colours(':root');
const dark = new Map([...light, ...colours(':root[data-theme="dark"]')]);

describe.each([
  ['light', light],
  ['dark', dark],
] as const)('%s', (_, theme) => {
  const ratio = (one: string, other: string) =>
    contrast(theme.get(one) ?? 'none', theme.get(other) ?? 'none');

  test.each(TEXT)('%s can be read on all its grounds', (text, grounds) => {
    for (const ground of grounds) expect(ratio(text, ground), ground).toBeGreaterThanOrEqual(4.5);
  });

  test.each(MARKS)('%s can be seen on all its grounds', (mark, grounds) => {
    for (const ground of grounds) expect(ratio(mark, ground), ground).toBeGreaterThanOrEqual(3);
  });
});
