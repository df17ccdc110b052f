/**
 * Which view is shown. The address stays `/`: a view is a plain object in the history entry, so
 * that the browser's back button works and a reload stays where it was.
 */

import { type Entry, HOME, type Route, readEntry } from './history-entry';

export type { Route } from './history-entry';

class Router {
  #entry = $state.raw<Entry>(readEntry(history.state));

  constructor() {
    window.addEventListener('popstate', (event) => {
      this.#entry = readEntry(event.state);
    });
  }

  get route(): Route {
    return this.#entry.route;
  }

  /** Goes to a view; the back button comes back. Views of one rank take each other's place. */
  go(route: Route): void {
    const { depth } = this.#entry;
    if (route.view === 'sessions' && depth > 0) return this.back();
    const replace = depth > 0 && this.#entry.route.view !== 'sessions';
    this.#entry = { route, depth: replace ? depth : depth + 1 };
    if (replace) history.replaceState($state.snapshot(this.#entry), '');
    else history.pushState($state.snapshot(this.#entry), '');
  }

  /** Goes back to the sessions. */
  back(): void {
    if (this.#entry.depth > 0) {
      history.back();
      return;
    }
    this.#entry = { route: HOME, depth: 0 };
    history.replaceState(this.#entry, '');
  }
}

export const router = new Router();
