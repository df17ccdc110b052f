import { expect, test } from 'vitest';
import type { KnownDaemon } from '../../src/device/types';
import { daemonAt } from '../../src/views/daemon-at';

const HERE = 'http://desk:8400';

function known(id: string, state: KnownDaemon['state'], address = HERE): KnownDaemon {
  const unconfirmed = state === 'pending';
  return { id, address, state, unconfirmed, name: 'desk', fingerprint: '' };
}

test('a finished pairing stands before one that was begun earlier', () => {
  const daemons = [known('stale', 'pending'), known('good', 'paired')];
  expect(daemonAt(daemons, HERE)?.id).toBe('good');
});

test('without one it is the earliest that was begun there, or none', () => {
  const daemons = [
    known('other', 'paired', 'http://other:8400'),
    known('first', 'pending'),
    known('second', 'pending'),
  ];
  expect(daemonAt(daemons, HERE)?.id).toBe('first');
  expect(daemonAt(daemons, 'http://nowhere:8400')).toBeUndefined();
});
