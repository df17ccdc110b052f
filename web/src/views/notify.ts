/** Marks in the title and on the app's icon, and notifications while nobody sees the page. */

import type { Attention } from '../protocol/message';
import { attentionWords } from './attention';
import { router } from './route.svelte';
import { settings } from './settings.svelte';

/** What the service worker says when a notification was tapped. */
interface Tapped {
  readonly type: 'open-session';
  readonly session: number;
}

/** Marks the title, and the icon where the app is installed, with how many sessions want somebody. */
export function showMark(wanting: number): void {
  document.title = wanting > 0 ? `(${wanting}) codeout` : 'codeout';
  if (!('setAppBadge' in navigator)) return;
  const marked = wanting > 0 ? navigator.setAppBadge(wanting) : navigator.clearAppBadge();
  marked.catch(() => undefined);
}

/** Whether this browser can notify at all on this page. */
export function canNotify(): boolean {
  return window.isSecureContext && 'Notification' in window;
}

/** Asks for permission; to be called from a tap. Resolves to whether it was given. */
export async function askToNotify(): Promise<boolean> {
  return canNotify() && (await Notification.requestPermission()) === 'granted';
}

/** Notifies of a session, when its user wants that and does not see the page. */
export function announce(session: number, name: string, attention: Attention): void {
  if (!settings.notify || !document.hidden || !canNotify()) return;
  if (Notification.permission === 'granted') void notify(session, name, attention);
}

async function notify(session: number, name: string, attention: Attention): Promise<void> {
  const options = {
    body: attentionWords(attention, attention.at),
    icon: '/icon-192.png',
    tag: `session-${session}`,
    data: { session },
  };
  const worker = await navigator.serviceWorker?.getRegistration();
  if (worker?.active) return worker.showNotification(name, options);
  const notification = new Notification(name, options);
  notification.onclick = () => {
    window.focus();
    router.go({ view: 'session', session });
    notification.close();
  };
}

/** Brings up the session whose notification was tapped. */
export function followTaps(): void {
  navigator.serviceWorker?.addEventListener(
    'message',
    ({ data }: MessageEvent<Partial<Tapped>>) => {
      if (data.type === 'open-session' && typeof data.session === 'number') {
        router.go({ view: 'session', session: data.session });
      }
    },
  );
}
