/** What the line above a terminal says: one honest sentence at a time, and what can be done. */

import type { AttachmentState, LinkState } from '../../device/types';
import type { ExitStatus } from '../../protocol/message';
import { linkSentence, secondsUntil } from '../link-words';

export type StatusAction =
  | 'retry' // the link, now
  | 'reset-input' // go on typing
  | 'dismiss'
  | 'open-again'
  | 'attach-again'
  | 'back';

export interface StatusLine {
  readonly tone: 'plain' | 'busy' | 'bad';
  readonly text: string;
  readonly actions: readonly StatusAction[];
}

/** What the line is made of. */
export interface Situation {
  readonly link: LinkState;
  readonly daemon: string;
  /** Whether the state of the link is said beside the terminal. */
  readonly linkTold: boolean;
  /** Whether there is a screen: the daemon has sent one since the page was loaded. */
  readonly drawn: boolean;
  readonly attachment: AttachmentState;
  /** Bytes typed that wait. */
  readonly unsent: number;
  readonly uncertain: boolean;
  readonly watchOnly: boolean;
  /** `Date.now()`. */
  readonly now: number;
}

/** How a program ended, in words. */
export function exitWords(status: ExitStatus): string {
  if ('exit' in status) {
    return status.exit === 0 ? 'ended without an error' : `ended with status ${status.exit}`;
  }
  return status.signal === 0 ? 'ended' : `was ended by signal ${status.signal}`;
}

/** `12 bytes that you typed`. */
export function bytesTyped(count: number): string {
  return `${count === 1 ? '1 byte' : `${count.toLocaleString('en')} bytes`} that you typed`;
}

/** What a link that is down means for the terminal. */
function meaning({ link, drawn }: Situation): string {
  if (drawn) return 'The screen stands still';
  return link.state === 'ended' ? 'There is no screen' : 'The screen comes with the link';
}

function linkLine(situation: Situation): StatusLine | undefined {
  const { link, daemon, linkTold, unsent, now } = situation;
  if (link.state === 'connected') return undefined;
  const title = linkTold ? meaning(situation) : linkSentence(link, daemon).title;
  if (link.state === 'ended') {
    const lost = unsent > 0 ? ` ${bytesTyped(unsent)} may not have arrived.` : '';
    return { tone: 'bad', text: `${title}.${lost}`, actions: ['back'] };
  }
  const kept = unsent > 0 && !situation.uncertain ? ` ${bytesTyped(unsent)} will be sent.` : '';
  const counts = link.state === 'waiting' && !linkTold;
  const when = counts ? ` Trying again in ${secondsUntil(link.until, now)} s.` : '';
  // Also where it is told beside: the button there may be scrolled away.
  const actions: StatusAction[] = link.state === 'connecting' ? [] : ['retry'];
  return { tone: 'busy', text: `${title}.${when}${kept}`, actions };
}

/** The line, or undefined when there is nothing to say. */
export function statusLine(situation: Situation): StatusLine | undefined {
  const { attachment, uncertain, watchOnly } = situation;
  if (attachment.state === 'ended') {
    const actions: StatusAction[] = watchOnly ? ['back'] : ['open-again', 'dismiss'];
    return { tone: 'plain', text: `The program ${exitWords(attachment.status)}.`, actions };
  }
  if (attachment.state === 'gone') {
    return { tone: 'bad', text: 'This session is no longer there.', actions: ['back'] };
  }
  const link = linkLine(situation);
  if (link) return link;
  if (uncertain) {
    const text =
      'The link broke while you typed, and it is not known how much of it arrived. Look at the screen before you go on.';
    return { tone: 'bad', text, actions: ['reset-input'] };
  }
  if (attachment.state === 'failed') {
    const text = `The session cannot be shown: ${attachment.message}`;
    return { tone: 'bad', text, actions: ['attach-again', 'back'] };
  }
  if (attachment.state === 'attached') return undefined;
  return { tone: 'busy', text: 'Getting the screen…', actions: [] };
}

const LABELS: Record<StatusAction, string> = {
  retry: 'Try now',
  'reset-input': 'Go on typing',
  dismiss: 'Dismiss',
  'open-again': 'Open again',
  'attach-again': 'Try again',
  back: 'Back',
};

export function actionLabel(action: StatusAction): string {
  return LABELS[action];
}
