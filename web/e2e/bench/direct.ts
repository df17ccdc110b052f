/** xterm.js alone, fed from memory in the same browser: what the page's terminal is measured by. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { ITerminalOptions } from '@xterm/xterm';
import { MAX_CHUNK } from '../../src/protocol/message';
import type { BarePage } from './bare';

const require = createRequire(import.meta.url);

/** How much is handed to xterm.js at a time, and how much it may hold unparsed, in bytes. */
const CHUNK = MAX_CHUNK;
const HELD = 131_072;

/** What xterm.js took for it, in seconds. */
export interface Fed {
  /** From the first byte to the last one parsed. */
  readonly seconds: number;
  /** Processor time of the page's main thread. */
  readonly busy: number;
}

/**
 * Feeds a text to xterm.js.
 * @param text repeated until there is enough.
 * @param total bytes in all
 * @param options those of the page's terminal, for what has been measured there to be like for like
 */
export async function feedDirectly(
  page: BarePage,
  text: string,
  total: number,
  options: ITerminalOptions,
): Promise<Fed> {
  const [styles, script] = ['@xterm/xterm/css/xterm.css', '@xterm/xterm'].map((name) =>
    readFileSync(require.resolve(name), 'utf8'),
  );
  await page.goto('about:blank');
  await page.run(
    `document.head.appendChild(document.createElement('style')).textContent = ${JSON.stringify(styles)}; 0`,
  );
  await page.run(`${script}; 0`);
  const meal: Meal = { text, total, options, CHUNK, HELD };
  const busy = await page.mainThread();
  const seconds = await page.run<number>(`(${feed})(${JSON.stringify(meal)})`);
  return { seconds, busy: (await page.mainThread()) - busy };
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
