/**
 * What the device needs of the page that it runs in. The browser's is below; tests bring others,
 * so that the same code runs without a browser.
 */

import { type Fingerprints, workerFingerprints } from './fingerprint';

/** The part of a WebSocket that is used. */
export interface RawSocket {
  binaryType: string;
  readonly protocol: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(bytes: Uint8Array<ArrayBuffer>): void;
  close(): void;
}

/** What answers at an address where no WebSocket can be opened. */
export type Answering = 'nothing' | 'something' | 'busy';

/** How the page's circumstances have changed. */
export type Circumstance =
  | 'woke' // it is seen again, or was thawed, or another network carries it
  | 'hidden'
  | 'offline';

export interface Environment {
  /** Where the page was loaded from: scheme, host and, unless it is the scheme's own, port. */
  readonly origin: string;
  /** Milliseconds since 1970, through suspend. */
  now(): number;
  /** Calls `run` once after `ms` milliseconds, unless the returned function is called before. */
  after(ms: number, run: () => void): () => void;
  /** Whether somebody may see the page. */
  visible(): boolean;
  /** False only when the browser is sure that there is no network. */
  online(): boolean;
  /** Calls `listener` at each change until the returned function is called. */
  onCircumstance(listener: (what: Circumstance) => void): () => void;
  /** @param url begins with `ws://` or `wss://` */
  openSocket(url: string, subprotocol: string): RawSocket;
  /** Asks by HTTP what answers. Sends nothing of the user's. Never throws. */
  probe(url: string): Promise<Answering>;
  /** Makes what computes fingerprints; its owner ends it. */
  fingerprints(): Fingerprints;
  /** Asks the browser to keep what is stored when it runs out of space, where it can be asked. */
  keepStorage(): void;
}

/** How long a probe may take, in milliseconds. */
const PROBE_TIME = 5_000;

/** The page's own environment. */
export function browserEnvironment(): Environment {
  return {
    origin: location.origin,
    now: () => Date.now(),
    after(ms, run) {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
    visible: () => document.visibilityState === 'visible',
    online: () => navigator.onLine,
    onCircumstance: listenToPage,
    openSocket: (url, subprotocol) => new WebSocket(url, subprotocol) as RawSocket,
    probe,
    fingerprints: workerFingerprints,
    keepStorage() {
      // Not there on plain http; what a browser answers changes nothing.
      void navigator.storage?.persist?.().catch(() => false);
    },
  };
}

/** @returns what answers a plain request at `url`. */
export async function probe(url: string): Promise<Answering> {
  try {
    const answer = await fetch(url, {
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'manual',
      signal: AbortSignal.timeout(PROBE_TIME),
    });
    return answer.status === 503 ? 'busy' : 'something';
  } catch {
    return 'nothing';
  }
}

function listenToPage(listener: (what: Circumstance) => void): () => void {
  const seen = () => listener(document.visibilityState === 'visible' ? 'woke' : 'hidden');
  const woke = () => listener('woke');
  const restored = ({ persisted }: PageTransitionEvent) => persisted && woke();
  const offline = () => listener('offline');
  // Not in every browser; where it is, a phone that changes from one network to another says so.
  const network = (navigator as { connection?: EventTarget & { type?: string } }).connection;
  let carrier = network?.type;
  const changed = () => {
    // It tells of each estimate of its speed, too.
    if (network?.type === carrier) return;
    carrier = network?.type;
    woke();
  };
  document.addEventListener('visibilitychange', seen);
  window.addEventListener('pageshow', restored);
  window.addEventListener('online', woke);
  window.addEventListener('offline', offline);
  network?.addEventListener('change', changed);
  return () => {
    document.removeEventListener('visibilitychange', seen);
    window.removeEventListener('pageshow', restored);
    window.removeEventListener('online', woke);
    window.removeEventListener('offline', offline);
    network?.removeEventListener('change', changed);
  };
}
