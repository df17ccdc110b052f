/** Why a session wants somebody, and how it ended, in words. */

import type { Attention, SessionEntry } from '../protocol/message';
import { ago, span } from './time';

/**
 * What happened, in words.
 * @param now seconds since 1970
 */
export function attentionWords(attention: Attention, now: number): string {
  switch (attention.reason) {
    case 'bell':
      return `bell ${ago(attention.at, now)}`;
    case 'quiet':
      return `quiet for ${span(now - attention.at)}`;
    case 'ended':
      return `ended ${ago(attention.at, now)}`;
    case 'notification': {
      const says = [attention.title, attention.text].filter((part) => part).join(': ');
      return says || `notification ${ago(attention.at, now)}`;
    }
    case 'unknown':
      return `wants you, ${ago(attention.at, now)}`;
  }
}

/** How a session's program ended. */
export function endWords(ended: NonNullable<SessionEntry['ended']>): string {
  if ('exit' in ended) return `ended with status ${ended.exit}`;
  return ended.signal === 0 ? 'ended by a signal' : `ended by signal ${ended.signal}`;
}
