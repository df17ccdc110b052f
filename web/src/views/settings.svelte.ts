/** What this browser remembers of its user's wishes. Nothing secret: it lies in `localStorage`. */

import { type Bookmark, readBookmarks } from './bookmarks';

export type Theme = 'system' | 'light' | 'dark';

interface Stored {
  theme: Theme;
  notify: boolean;
  /** Whether this page was paired when it was last open: only decides what is shown first. */
  paired: boolean;
  bookmarks: Bookmark[];
}

const KEY = 'codeout.settings';

function read(): Stored {
  let found: Partial<Record<keyof Stored, unknown>> = {};
  try {
    found = JSON.parse(localStorage.getItem(KEY) ?? '{}') ?? {};
  } catch {
    // Blocked or damaged: the defaults hold.
  }
  return {
    theme: found.theme === 'light' || found.theme === 'dark' ? found.theme : 'system',
    notify: found.notify === true,
    paired: found.paired === true,
    bookmarks: readBookmarks(found.bookmarks),
  };
}

class Settings {
  #stored = $state<Stored>(read());
  #dark = window.matchMedia('(prefers-color-scheme: dark)');

  constructor() {
    this.#dark.addEventListener('change', () => this.#paint());
    this.#paint();
  }

  get theme(): Theme {
    return this.#stored.theme;
  }

  set theme(theme: Theme) {
    this.#stored.theme = theme;
    this.#paint();
    this.#save();
  }

  get notify(): boolean {
    return this.#stored.notify;
  }

  set notify(notify: boolean) {
    this.#stored.notify = notify;
    this.#save();
  }

  get paired(): boolean {
    return this.#stored.paired;
  }

  set paired(paired: boolean) {
    if (paired === this.#stored.paired) return;
    this.#stored.paired = paired;
    this.#save();
  }

  get bookmarks(): readonly Bookmark[] {
    return this.#stored.bookmarks;
  }

  /** Remembers a page, in place of what was remembered of the same address. */
  remember(bookmark: Bookmark): void {
    const others = this.#stored.bookmarks.filter((one) => one.address !== bookmark.address);
    this.#stored.bookmarks = [...others, bookmark];
    this.#save();
  }

  forgetBookmark(address: string): void {
    this.#stored.bookmarks = this.#stored.bookmarks.filter((one) => one.address !== address);
    this.#save();
  }

  #paint(): void {
    const { theme } = this.#stored;
    const shown = theme === 'system' ? (this.#dark.matches ? 'dark' : 'light') : theme;
    document.documentElement.dataset['theme'] = shown;
    const ground = shown === 'dark' ? '#0f1112' : '#f6f5f2';
    for (const meta of document.querySelectorAll('meta[name="theme-color"]')) {
      meta.setAttribute('content', ground);
    }
  }

  #save(): void {
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#stored));
    } catch {
      // Storage is blocked: the wish holds until the page is closed.
    }
  }
}

export const settings = new Settings();
