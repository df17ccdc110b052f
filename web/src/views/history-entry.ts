/** What a history entry of this app holds: which view is shown. */

export type Route =
  | { readonly view: 'sessions' }
  | { readonly view: 'session'; readonly session: number }
  | { readonly view: 'devices' }
  | { readonly view: 'daemons' }
  | { readonly view: 'settings' };

export interface Entry {
  readonly route: Route;
  /** How many entries of this app lie behind this one. */
  readonly depth: number;
}

export const HOME: Route = { view: 'sessions' };

/** Reads a history entry's state, which may be anything. */
export function readEntry(state: unknown): Entry {
  const { route, depth } = (state ?? {}) as { route?: Partial<Route>; depth?: unknown };
  const steps = typeof depth === 'number' ? depth : 0;
  switch (route?.view) {
    case 'session': {
      const { session } = route as { session?: unknown };
      return typeof session === 'number' && Number.isSafeInteger(session)
        ? { route: { view: 'session', session }, depth: steps }
        : { route: HOME, depth: steps };
    }
    case 'devices':
    case 'daemons':
    case 'settings':
      return { route: { view: route.view }, depth: steps };
    default:
      return { route: HOME, depth: steps };
  }
}
