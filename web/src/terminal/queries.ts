/**
 * What a program asks its terminal. xterm.js answers by typing; here it is kept from being asked
 * when this device must not answer: while a snapshot is drawn, without a keyboard, or when another
 * device that is attached answers.
 */

import type { IDisposable, Terminal } from '@xterm/xterm';

/** Sequences that xterm.js answers: device attributes, status, modes, window reports. */
const ASKING = [
  { final: 'c' },
  { prefix: '>', final: 'c' },
  { final: 'n' },
  { prefix: '?', final: 'n' },
  { intermediates: '$', final: 'p' },
  { prefix: '?', intermediates: '$', final: 'p' },
  { final: 't' },
];

/** Colours are asked for with `?` in the place of a colour. */
const COLOURS = [4, 10, 11, 12];

/** Keeps queries from the terminal whenever `mayAnswer` says no. */
export function guardQueries(terminal: Terminal, mayAnswer: () => boolean): IDisposable {
  const { parser } = terminal;
  const held = [
    ...ASKING.map((id) => parser.registerCsiHandler(id, () => !mayAnswer())),
    parser.registerDcsHandler({ intermediates: '$', final: 'q' }, () => !mayAnswer()),
    ...COLOURS.map((code) =>
      parser.registerOscHandler(code, (data) => data.includes('?') && !mayAnswer()),
    ),
  ];
  return { dispose: () => held.forEach((one) => one.dispose()) };
}

/** A program that asked for focus reports is told at once; that is an answer too. */
export function isFocusReport(data: string): boolean {
  return data === '\x1b[I' || data === '\x1b[O';
}

/**
 * Whether this device answers for all that are attached, so that a program gets one answer.
 * @param me this device's name
 * @param sizeBy who gave the terminal its size: it answers while it is attached
 * @param watchers who is attached
 */
export function answersForAll(
  me: string | undefined,
  sizeBy: string | undefined,
  watchers: readonly string[],
): boolean {
  if (me === undefined || !watchers.includes(me)) return true;
  const answering = sizeBy !== undefined && watchers.includes(sizeBy) ? sizeBy : watchers[0];
  return answering === me;
}
