/** What a pairing says on the screen: how far it is, and why it did not come about. */

import type { PairProblem, PairStep } from '../device/types';

/** A failure in words: what is wrong, what to do next, and the command for it where there is one. */
export interface Sentence {
  readonly title: string;
  readonly next: string;
  /** To be run on the daemon's computer. */
  readonly command?: string;
}

export const STEPS: readonly { readonly step: PairStep; readonly says: string }[] = [
  { step: 'connecting', says: 'Reaching the daemon' },
  { step: 'proving', says: 'Proving the code' },
  { step: 'fingerprint', says: 'Computing the fingerprint' },
  { step: 'waiting-for-daemon', says: 'Waiting for the daemon' },
  { step: 'finishing', says: 'Finishing' },
];

const SENTENCES: Record<PairProblem, Sentence> = {
  'bad-link': {
    title: 'This is not a pairing link',
    next: 'Copy the whole link, or scan the QR again. At the daemon, the key l shows the link as text.',
  },
  'bad-code': {
    title: 'This is not a pairing code',
    next: 'A code has 12 characters and looks like K7QM-3FBR-9TZX.',
  },
  'other-address': {
    title: 'This link is for another address',
    next: 'A page pairs only with the daemon that serves it. Open the link at its own address.',
  },
  unreachable: {
    title: 'The daemon cannot be reached',
    next: 'Does codeout run there, and are both in the same network or VPN?',
    command: 'codeout status',
  },
  'not-codeout': {
    title: 'What answers here is not codeout',
    next: 'Check address and port: the daemon’s terminal shows them. A proxy in between must pass WebSockets.',
    command: 'codeout status',
  },
  version: {
    title: 'The daemon speaks another version',
    next: 'Reload this page. If that does not help, update codeout on the daemon’s computer.',
    command: 'codeout restart',
  },
  'too-many': {
    title: 'Too many attempts',
    next: 'Wait a minute and try again. The code stays good while it counts down.',
  },
  'no-offer': {
    title: 'No pairing is open at the daemon',
    next: 'Ask the daemon for a code, then type that.',
    command: 'codeout pair',
  },
  'wrong-code': {
    title: 'Wrong code',
    next: 'Check it against the code that the daemon shows now, and try again.',
  },
  'other-key': {
    title: 'This is not the daemon that made the QR',
    next: 'Something else answers at this address. Nothing was stored, and the code was not given away. Do not type the code here. Take another network or the daemon’s other address, and try again.',
  },
  used: {
    title: 'This code was already used',
    next: 'A code pairs exactly one device. Was that not you? Look at the devices there and revoke the one you do not know. Then ask for a new code.',
    command: 'codeout devices',
  },
  expired: {
    title: 'This code has expired',
    next: 'A code lives for five minutes. Ask for a new one.',
    command: 'codeout pair',
  },
  declined: {
    title: 'Declined at the daemon',
    next: 'Somebody said no there, and the code is spent. Ask for a new one.',
    command: 'codeout pair',
  },
  tampered: {
    title: 'Something was changed on the way',
    next: 'Somebody or something between here and the daemon alters what passes. Take another network, and try again.',
  },
  cut: {
    title: 'The link broke off half-way',
    next: 'Nothing is lost: try again with the same code. It goes on where it stopped.',
  },
  handshake: {
    title: 'The pairing failed',
    next: 'The daemon gave no reason. Try again; if it fails again, ask for a new code.',
    command: 'codeout pair',
  },
  storage: {
    title: 'This browser keeps nothing for this page',
    next: 'Pairing needs a place for this device’s key. Allow this page to store data, or leave private mode, and try again.',
  },
};

/** The sentence for a pairing that failed. */
export function pairSentence(problem: PairProblem): Sentence {
  return SENTENCES[problem];
}

/** What a failed call says of itself; anything else failed in a way that has no words of its own. */
export function pairProblem(error: unknown): PairProblem {
  const problem = (error as { problem?: unknown } | undefined)?.problem;
  return typeof problem === 'string' && Object.hasOwn(SENTENCES, problem)
    ? (problem as PairProblem)
    : 'handshake';
}
