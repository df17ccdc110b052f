/** The order in which sessions are listed. */

import type { SessionEntry } from '../../protocol/message';

/** A part of the list; parts without sessions are left out. */
export interface Part {
  readonly title: 'Wants you' | 'Running' | 'Ended';
  readonly sessions: readonly SessionEntry[];
}

/** Groups sessions by what they want, each group in the order given. */
export function parts(sessions: readonly SessionEntry[]): Part[] {
  const wants = sessions.filter((one) => one.attention && !one.ended);
  const running = sessions.filter((one) => !one.attention && !one.ended);
  const ended = sessions.filter((one) => one.ended);
  const all: Part[] = [
    { title: 'Wants you', sessions: wants },
    { title: 'Running', sessions: running },
    { title: 'Ended', sessions: ended },
  ];
  return all.filter((part) => part.sessions.length > 0);
}

/** The directories that sessions were opened in, each once, in the order given; at most `most`. */
export function recentDirectories(sessions: readonly SessionEntry[], most: number): string[] {
  return [...new Set(sessions.map((one) => one.directory))].slice(0, most);
}
