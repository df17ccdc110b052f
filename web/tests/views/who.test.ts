import { expect, test } from 'vitest';
import { whoIs } from '../../src/views/who';

test('a daemon’s own computer is called by its name, and this device is this device', () => {
  expect(whoIs('phone', 'phone', 'desk')).toBe('this device');
  expect(whoIs('this computer', 'phone', 'desk')).toBe('desk');
  expect(whoIs('tablet', undefined, 'desk')).toBe('tablet');
});
