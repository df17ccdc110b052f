import { expect, test } from 'vitest';
import { FirstMoment } from '../../src/views/session/first-moment';

test('a tap that was begun for what lay there before is not heeded', () => {
  const moment = new FirstMoment(10_000);
  expect(moment.heeds(9_950)).toBe(false);
  expect(moment.heeds(10_599)).toBe(false);
  expect(moment.heeds(10_600)).toBe(true);
});
