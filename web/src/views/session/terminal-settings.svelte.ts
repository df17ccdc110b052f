/** How this browser shows terminals, as state. */

import { FIRST_SETTINGS, SettingsStore, type TerminalSettings } from '../../terminal/settings';

class Look {
  #store = new SettingsStore();
  #now = $state.raw<TerminalSettings>(FIRST_SETTINGS);
  /** Resolves when what was stored is known. */
  readonly ready: Promise<void> = this.#store.load().then((settings) => {
    this.#now = settings;
  });

  get now(): TerminalSettings {
    return this.#now;
  }

  async change(changes: Partial<TerminalSettings>): Promise<void> {
    this.#now = await this.#store.change(changes);
  }
}

export const look = new Look();
