/** Keys as WebDriver numbers them. */

import type { InputSource } from './engine';

const NAMED: Readonly<Record<string, string>> = {
  Backspace: '\uE003',
  Tab: '\uE004',
  Enter: '\uE007',
  Shift: '\uE008',
  Control: '\uE009',
  Alt: '\uE00A',
  Escape: '\uE00C',
  PageUp: '\uE00E',
  PageDown: '\uE00F',
  End: '\uE010',
  Home: '\uE011',
  ArrowLeft: '\uE012',
  ArrowUp: '\uE013',
  ArrowRight: '\uE014',
  ArrowDown: '\uE015',
};

function keyboard(actions: readonly object[]): InputSource {
  return { type: 'key', id: 'keyboard', actions };
}

/** Types a text, one key after the other. */
export function typing(text: string): InputSource {
  return keyboard(
    [...text].flatMap((value) => [
      { type: 'keyDown', value },
      { type: 'keyUp', value },
    ]),
  );
}

/** Presses one key, with others held: `Enter`, `Control+c`, `Control+Shift+V`. */
export function chord(name: string): InputSource {
  const values = name.split('+').map((one) => NAMED[one] ?? one);
  const down = values.map((value) => ({ type: 'keyDown', value }));
  const up = values.toReversed().map((value) => ({ type: 'keyUp', value }));
  return keyboard([...down, ...up]);
}
