/** What the link to the daemon says of itself, in words. */

import type { LinkEnd, LinkProblem, LinkState } from '../device/types';

/** How loud a state is on the screen. */
export type Tone = 'good' | 'busy' | 'bad';

/** A state of the link in words. */
export interface LinkSentence {
  readonly tone: Tone;
  /** Short enough for a badge. */
  readonly short: string;
  readonly title: string;
  readonly next: string;
}

function problemTitle(problem: LinkProblem, name: string): string {
  const titles: Record<LinkProblem, string> = {
    unreachable: `${name} cannot be reached`,
    cut: `The link to ${name} was cut`,
    stopping: `codeout on ${name} was stopped`,
    restarting: `codeout on ${name} restarts`,
    'too-many': `${name} has too many connections`,
    handshake: `${name} could not be greeted`,
    tampered: 'Something was changed on the way',
  };
  return titles[problem];
}

function problemNext(problem: LinkProblem): string {
  const nexts: Record<LinkProblem, string> = {
    unreachable: 'Does codeout run there, and is the network or VPN up at both ends?',
    cut: 'Its sessions run on.',
    stopping: 'Its sessions ended with it. It is back as soon as it is started again.',
    restarting: 'Its sessions run on.',
    'too-many': 'It is asked again, more slowly.',
    handshake: 'What answers is not codeout, or somebody is in between.',
    tampered: 'Somebody or something in between alters what passes. Take another network.',
  };
  return nexts[problem];
}

function endSentence(end: LinkEnd, name: string): LinkSentence {
  const sentences: Record<LinkEnd, readonly [short: string, title: string, next: string]> = {
    revoked: [
      'revoked',
      'This device was revoked',
      `It can no longer connect to ${name}. If that was a mistake, pair it again with a new code.`,
    ],
    expired: [
      'time is over',
      'The time of this device is over',
      `It was paired with ${name} for a limited time. Pair it again with a new code.`,
    ],
    'not-paired': [
      'not paired',
      `${name} does not know this device`,
      'It was revoked, its time is over, or the daemon’s list is new. Forget this daemon here and pair again.',
    ],
    'other-key': [
      'another key',
      'This daemon’s key has changed',
      `What answers is not the ${name} that this device was paired with. Nothing was sent to it.`,
    ],
    version: [
      'other version',
      'This page and the daemon differ in version',
      'Reload the page. If that does not help, run codeout restart on the daemon’s computer.',
    ],
    protocol: [
      'fault',
      'The link ended by a fault',
      'One side broke the rules of the protocol. Try again; if it happens again, update codeout.',
    ],
    unconfirmed: [
      'unconfirmed',
      'The fingerprint has still to be compared',
      `Until you have compared it, nothing is sent to ${name}.`,
    ],
    forgotten: ['forgotten', `${name} is forgotten here`, 'Pair again to reach it.'],
  };
  const [short, title, next] = sentences[end];
  return { tone: 'bad', short, title, next };
}

/**
 * The sentence for a state.
 * @param name the daemon's, cleaned
 */
export function linkSentence(state: LinkState, name: string): LinkSentence {
  switch (state.state) {
    case 'connected':
      return { tone: 'good', short: 'connected', title: `Connected to ${name}`, next: '' };
    case 'connecting':
      return { tone: 'busy', short: 'connecting', title: `Connecting to ${name}`, next: '' };
    case 'asleep':
      return {
        tone: 'busy',
        short: 'asleep',
        title: 'Asleep',
        next: 'This browser is offline, or the page is in the background. It wakes by itself.',
      };
    case 'waiting':
      return {
        tone: state.problem === 'restarting' ? 'busy' : 'bad',
        short: state.problem === 'restarting' ? 'restarting' : 'no link',
        title: problemTitle(state.problem, name),
        next: problemNext(state.problem),
      };
    case 'ended':
      return endSentence(state.end, name);
  }
}

/** Whether the daemon has turned this device away. */
export function isRefused(state: LinkState): boolean {
  if (state.state !== 'ended') return false;
  return state.end === 'revoked' || state.end === 'expired' || state.end === 'not-paired';
}

/**
 * Whether to offer to forget the daemon: on its own sealed word alone. Anybody on the way can say
 * the rest, and have the keys thrown away that would tell him from the daemon.
 */
export function offersToForget(end: LinkEnd): boolean {
  return end === 'not-paired';
}

/**
 * What is left of this device on the daemon's list when it forgets the daemon.
 * @param state of the link; undefined where there is none
 * @param revokes whether it takes itself off first
 */
export function listSentence(
  state: LinkState | undefined,
  revokes: boolean,
): { readonly text: string; readonly listed: boolean } {
  if (revokes) return { text: 'It is taken off the daemon’s list first.', listed: false };
  const end = state?.state === 'ended' ? state.end : undefined;
  if (end === 'revoked') {
    return { text: 'The daemon has revoked this device: it lists it no more.', listed: false };
  }
  if (end === 'not-paired') {
    const text = 'The daemon says that this device is not, or no longer, paired with it.';
    return { text, listed: false };
  }
  // Without a link, nobody here knows what became of it.
  const lists =
    state?.state === 'connected' || end === 'expired' ? 'still lists' : 'may still list';
  return { text: `The daemon ${lists} this device, until it is revoked there.`, listed: true };
}

/** Whole seconds until the next attempt, at least 0. */
export function secondsUntil(until: number, now: number): number {
  return Math.max(0, Math.ceil((until - now) / 1000));
}
