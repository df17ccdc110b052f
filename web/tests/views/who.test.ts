import { expect, test } from 'vitest';
import { whoIs } from '../../src/views/who';

test('“this computer” is the daemon’s, and this device is this device', () => {
  expect(whoIs('phone', 'phone')).toBe('this device');
  expect(whoIs('this computer', 'phone')).toBe('the computer itself');
  expect(whoIs('tablet', undefined)).toBe('tablet');
});
