/** xterm.js alone, fed from memory in the same browser: what the page's terminal is measured by. */

import { createRequire } from 'node:module';
import type { Page } from '@playwright/test';
import type { ITerminalOptions } from '@xterm/xterm';

const require = createRequire(import.meta.url);

/** How much is handed to xterm.js at a time, and how much it may hold unparsed, in bytes. */
const CHUNK = 32_768;
const HELD = 131_072;

/**
 * Feeds `megabytes` MiB of text to xterm.js.
 * @param text repeated until there is enough.
 * @param options those of the page's terminal, for what has been measured there to be like for like
 * @returns MiB/s, from the first byte to the last one parsed
 */
export async function feedDirectly(
  page: Page,
  text: string,
  megabytes: number,
  options: ITerminalOptions,
): Promise<number> {
  await page.goto('about:blank');
  await page.addStyleTag({ path: require.resolve('@xterm/xterm/css/xterm.css') });
  await page.addScriptTag({ path: require.resolve('@xterm/xterm') });
  const seconds = await page.evaluate(feed, {
    text,
    total: megabytes << 20,
    options,
    CHUNK,
    HELD,
  });
  return megabytes / seconds;
}

interface Meal {
  readonly text: string;
  readonly total: number;
  readonly options: ITerminalOptions;
  readonly CHUNK: number;
  readonly HELD: number;
}

/** Runs in the page. */
async function feed({ text, total, options, CHUNK, HELD }: Meal): Promise<number> {
  const { Terminal } = window as unknown as { Terminal: typeof import('@xterm/xterm').Terminal };
  const host = document.body.appendChild(document.createElement('div'));
  const terminal = new Terminal(options);
  terminal.open(host);
  const bytes = new TextEncoder().encode(text.repeat(Math.ceil(CHUNK / text.length) + 1));
  let [sent, held] = [0, 0];
  const start = performance.now();
  await new Promise<void>((resolve) => {
    const pump = (): void => {
      while (held < HELD && sent < total) {
        const at = sent % text.length;
        const chunk = bytes.slice(at, at + Math.min(CHUNK, total - sent));
        sent += chunk.length;
        held += chunk.length;
        terminal.write(chunk, () => {
          held -= chunk.length;
          if (sent === total && held === 0) resolve();
          else pump();
        });
      }
    };
    pump();
  });
  return (performance.now() - start) / 1000;
}
