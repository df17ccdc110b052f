import { expect, test } from 'vitest';
import { nameBytes, proposeName } from '../../src/views/device-name';

const CHROME = 'AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0';
const ANDROID = `Mozilla/5.0 (Linux; Android 10; K) ${CHROME} Mobile Safari/537.36`;

test.each([
  [
    'iPhone',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) Version/26.0 Mobile Safari/604.1',
  ],
  ['Android phone', ANDROID],
  ['Android tablet', `Mozilla/5.0 (Linux; Android 10; K) ${CHROME} Safari/537.36`],
  [
    'Firefox on Android phone',
    'Mozilla/5.0 (Android 15; Mobile; rv:142.0) Gecko/142.0 Firefox/142.0',
  ],
  ['SM-G991B', `Mozilla/5.0 (Linux; Android 11; SM-G991B) ${CHROME} Mobile Safari/537.36`],
  [
    'Nexus 5',
    `Mozilla/5.0 (Linux; Android 6.0; Nexus 5 Build/MRA58N) ${CHROME} Mobile Safari/537.36`,
  ],
  ['Firefox on Linux', 'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0'],
  ['Chrome on Windows', `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${CHROME} Safari/537.36`],
  [
    'Edge on Windows',
    `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${CHROME} Safari/537.36 Edg/141.0.0.0`,
  ],
  ['Safari on Mac', 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/26.0 Safari/605.1.15'],
  ['Browser', ''],
])('%s', (name, userAgent) => {
  expect(proposeName({ userAgent })).toBe(name);
});

test('a model that is told comes first', () => {
  expect(proposeName({ userAgent: ANDROID, model: 'Pixel 9' })).toBe('Pixel 9');
});

test('an iPad says that it is a Mac, and has touch', () => {
  const userAgent = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/26.0 Safari/605.1.15';
  expect(proposeName({ userAgent, touchPoints: 5 })).toBe('iPad');
});

test('a long model fits', () => {
  expect(
    nameBytes(proposeName({ userAgent: ANDROID, model: 'x'.repeat(500) })),
  ).toBeLessThanOrEqual(64);
});
