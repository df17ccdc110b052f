import { describe, expect, test } from 'vitest';
import type { LinkState } from '../../src/device/types';
import { shortcutOf } from '../../src/terminal/shortcuts';
import { exitWords, type Situation, statusLine } from '../../src/views/session/status';

const FINE: Situation = {
  link: { state: 'connected' },
  daemon: 'desk',
  linkTold: false,
  drawn: true,
  attachment: { state: 'attached' },
  unsent: 0,
  uncertain: false,
  watchOnly: false,
  now: 0,
};

describe('the line above a terminal', () => {
  test('says nothing when all is well, also while input is on its way', () => {
    expect(statusLine(FINE)).toBeUndefined();
    expect(statusLine({ ...FINE, unsent: 3 })).toBeUndefined();
  });

  test('a link that is down: since why, until when, and what waits', () => {
    const link = { state: 'waiting', until: 2500, problem: 'unreachable' } as const;
    const line = statusLine({ ...FINE, link, attachment: { state: 'waiting' }, unsent: 12 });
    expect(line?.text).toContain('desk cannot be reached');
    expect(line?.text).toContain('in 3 s');
    expect(line?.text).toContain('12 bytes that you typed will be sent');
    expect(line?.actions).toEqual(['retry']);
  });

  test('a link whose state is said beside it: what that means here', () => {
    const told = { ...FINE, linkTold: true, attachment: { state: 'waiting' } } as const;
    const link = { state: 'waiting', until: 2500, problem: 'unreachable' } as const;
    expect(statusLine({ ...told, link, unsent: 12 })).toEqual({
      tone: 'busy',
      text: 'The screen stands still. 12 bytes that you typed will be sent.',
      actions: ['retry'],
    });
    expect(statusLine({ ...told, link: { state: 'connecting' } })?.actions).toEqual([]);
    const over = statusLine({ ...told, link: { state: 'ended', end: 'revoked' }, unsent: 1 });
    expect(over?.text).toBe('The screen stands still. 1 byte that you typed may not have arrived.');
  });

  test('only a screen that there is stands still', () => {
    const told = {
      ...FINE,
      linkTold: true,
      drawn: false,
      attachment: { state: 'waiting' },
    } as const;
    const said = (link: LinkState) => statusLine({ ...told, link })?.text;
    const comes = 'The screen comes with the link.';
    expect(said({ state: 'connecting' })).toBe(comes);
    expect(said({ state: 'waiting', until: 2500, problem: 'unreachable' })).toBe(comes);
    expect(said({ state: 'ended', end: 'revoked' })).toBe('There is no screen.');
  });

  test('a link that is over takes nothing, and says what may be lost', () => {
    const link = { state: 'ended', end: 'revoked' } as const;
    const line = statusLine({ ...FINE, link, unsent: 1 });
    expect(line?.text).toBe('This device was revoked. 1 byte that you typed may not have arrived.');
    expect(line?.actions).toEqual(['back']);
  });

  test('a page that sleeps can be woken', () => {
    const line = statusLine({ ...FINE, link: { state: 'asleep' } });
    expect(line?.actions).toEqual(['retry']);
    expect(statusLine({ ...FINE, link: { state: 'connecting' } })?.actions).toEqual([]);
  });

  test('input of which nobody knows is a choice, once the link is back', () => {
    const line = statusLine({ ...FINE, uncertain: true });
    expect(line?.tone).toBe('bad');
    expect(line?.actions).toEqual(['reset-input']);
  });

  test('an end is said whatever the link does', () => {
    const ended = { state: 'ended', status: { exit: 2 } } as const;
    const link = { state: 'asleep' } as const;
    const line = statusLine({ ...FINE, link, attachment: ended });
    expect(line?.text).toBe('The program ended with status 2.');
    expect(line?.actions).toEqual(['open-again', 'dismiss']);
    expect(statusLine({ ...FINE, attachment: ended, watchOnly: true })?.actions).toEqual(['back']);
  });

  test('a session that is gone, or refused, has a way on', () => {
    expect(statusLine({ ...FINE, attachment: { state: 'gone' } })?.actions).toEqual(['back']);
    const failed = { state: 'failed', message: 'too many' } as const;
    expect(statusLine({ ...FINE, attachment: failed })?.text).toContain('too many');
  });

  test('ends in words', () => {
    expect(exitWords({ exit: 0 })).toBe('ended without an error');
    expect(exitWords({ signal: 9 })).toBe('was ended by signal 9');
    expect(exitWords({ signal: 0 })).toBe('ended');
  });
});

describe('shortcuts', () => {
  const held = { ctrlKey: true, shiftKey: true, altKey: false, metaKey: false };

  test('copy, paste and leave, and nothing without both keys', () => {
    expect(shortcutOf({ ...held, code: 'KeyC' })).toBe('copy');
    expect(shortcutOf({ ...held, code: 'KeyV' })).toBe('paste');
    expect(shortcutOf({ ...held, code: 'KeyX' })).toBe('leave');
    expect(shortcutOf({ ...held, code: 'KeyA' })).toBeUndefined();
    expect(shortcutOf({ ...held, shiftKey: false, code: 'KeyC' })).toBeUndefined();
    expect(shortcutOf({ ...held, altKey: true, code: 'KeyC' })).toBeUndefined();
  });
});
