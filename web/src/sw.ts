/**
 * Keeps the shell of the app, so that it opens at once and says honestly when the daemon is not
 * there. Nothing of the user's passes through here: the WebSocket never does.
 */

/// <reference lib="webworker" />

interface BuiltFile {
  readonly url: string;
  /** Its version, where its name does not say it. */
  readonly revision: string | null;
}

declare const self: ServiceWorkerGlobalScope & { readonly __WB_MANIFEST: readonly BuiltFile[] };

const files = self.__WB_MANIFEST.map(({ url, revision }) => ({
  path: url === 'index.html' ? '/' : `/${url}`,
  revision,
}));
const version = files.map(({ path, revision }) => revision ?? path).join(' ');

async function cacheName(): Promise<string> {
  let hash = 0;
  for (const character of version) hash = (hash * 31 + character.charCodeAt(0)) | 0;
  return `codeout-${(hash >>> 0).toString(16)}`;
}

async function keep(): Promise<void> {
  const cache = await caches.open(await cacheName());
  await Promise.all(
    files.map(async ({ path }) => {
      const response = await fetch(path, { cache: 'no-cache', redirect: 'error' });
      if (!response.ok) throw new Error(`${path}: ${response.status}`);
      await cache.put(path, response);
    }),
  );
}

async function dropOld(): Promise<void> {
  const current = await cacheName();
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith('codeout-') && name !== current);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function answer(request: Request, path: string): Promise<Response> {
  const cache = await caches.open(await cacheName());
  return (await cache.match(path)) ?? fetch(request);
}

self.addEventListener('install', (event) => event.waitUntil(keep()));
self.addEventListener('activate', (event) => event.waitUntil(dropOld()));

self.addEventListener('message', (event) => {
  if (event.data?.type === 'take-over') void self.skipWaiting();
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== 'GET' || origin !== self.location.origin) return;
  if (request.mode === 'navigate') event.respondWith(answer(request, '/'));
  else if (files.some(({ path }) => path === pathname))
    event.respondWith(answer(request, pathname));
});

async function openSession(session: unknown): Promise<void> {
  const pages = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
  const page = pages[0] ? await pages[0].focus() : await self.clients.openWindow('/');
  page?.postMessage({ type: 'open-session', session });
}

self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(openSession(event.notification.data?.session));
});

export {};
