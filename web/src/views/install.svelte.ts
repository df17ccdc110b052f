/** Installing the page as an app, and keeping an installed one new. Secure pages only. */

import { toasts } from './toasts.svelte';

interface InstallPrompt extends Event {
  prompt(): Promise<unknown>;
}

class Install {
  #prompt = $state.raw<InstallPrompt>();

  constructor() {
    window.addEventListener('beforeinstallprompt', (event) => {
      event.preventDefault();
      this.#prompt = event as InstallPrompt;
    });
    window.addEventListener('appinstalled', () => {
      this.#prompt = undefined;
    });
  }

  /** Whether this browser offers to install the page. */
  get offered(): boolean {
    return this.#prompt !== undefined;
  }

  async ask(): Promise<void> {
    const prompt = this.#prompt;
    this.#prompt = undefined;
    await prompt?.prompt();
  }
}

export const install = new Install();

let reloading = false;

let withdraw = () => {};

/** In place of what was offered before, which a later version outdates. */
function offerReload(reload: () => void): void {
  withdraw();
  const actions = [{ label: 'Reload', run: reload }];
  withdraw = toasts.show('A new version of codeout is ready.', 'plain', actions);
}

/** Of one worker is told twice when it is found while the page registers. */
const watched = new WeakSet<ServiceWorker>();

function watch(registration: ServiceWorkerRegistration): void {
  const { installing } = registration;
  if (!installing || watched.has(installing)) return;
  watched.add(installing);
  installing.addEventListener('statechange', () => {
    // Without a controller this is the first one: nothing older is shown.
    if (installing.state !== 'installed' || !navigator.serviceWorker.controller) return;
    offerReload(() => installing.postMessage({ type: 'take-over' }));
  });
}

/**
 * Keeps the page for later and offers new versions; the page is never exchanged by itself, since
 * somebody may be typing.
 */
export async function keepPage(): Promise<void> {
  if (!window.isSecureContext || !('serviceWorker' in navigator) || import.meta.env.DEV) return;
  const controlled = navigator.serviceWorker.controller !== null;
  navigator.serviceWorker.addEventListener('controllerchange', () => {
    if (!controlled || reloading) return;
    reloading = true;
    window.location.reload();
  });
  const registration = await navigator.serviceWorker.register('/sw.js');
  if (registration.waiting && controlled) {
    const { waiting } = registration;
    offerReload(() => waiting.postMessage({ type: 'take-over' }));
  }
  // One may have been found before anybody listened.
  watch(registration);
  registration.addEventListener('updatefound', () => watch(registration));
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) void registration.update().catch(() => undefined);
  });
}

/** Whether the daemon serves another page than this one. It does not, where nothing answers. */
async function isReplaced(): Promise<boolean> {
  const script = document.querySelector('script[type="module"][src]')?.getAttribute('src');
  if (!script) return false;
  const page = await fetch('/', { cache: 'no-store' })
    .then((answer) => answer.text())
    .catch(() => '');
  // Anything else may answer on the way, such as the login page of a network.
  return page.includes('<title>codeout</title>') && !page.includes(script);
}

/** Offers a reload when a part of the page is gone because the daemon was updated under it. */
export function watchParts(): void {
  let told = false;
  window.addEventListener('vite:preloadError', async () => {
    if (told || !(await isReplaced()) || told) return;
    told = true;
    offerReload(() => window.location.reload());
  });
}
