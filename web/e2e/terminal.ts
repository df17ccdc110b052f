/** A real terminal, which tmux holds: what runs in it, what it shows, what is typed into it. */

import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { betweenLooks } from './wait';

const run = promisify(execFile);

/** How long anything may take to be shown, in milliseconds. */
const PATIENCE = 30_000;

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** One cell of a terminal: colours are palette indices, or undefined for the terminal's own. */
export interface Cell {
  readonly character: string;
  readonly foreground: number | undefined;
  readonly background: number | undefined;
}

const CONFIG = `
set -g default-terminal tmux-256color
set -g status off
set -g remain-on-exit on
set -g escape-time 0
`;

export class Terminal {
  readonly #directory: string;
  readonly #environment: NodeJS.ProcessEnv;

  private constructor(directory: string, environment: NodeJS.ProcessEnv) {
    this.#directory = directory;
    this.#environment = environment;
    process.once('exit', this.#endNow);
  }

  /**
   * Runs `command` in a terminal of its own.
   * @param environment all of its environment.
   */
  static async start(
    command: readonly string[],
    environment: NodeJS.ProcessEnv,
    size: Size = { columns: 80, rows: 24 },
  ): Promise<Terminal> {
    const directory = mkdtempSync(join(tmpdir(), 'terminal-'));
    writeFileSync(join(directory, 'conf'), CONFIG);
    const terminal = new Terminal(directory, { TERM: 'xterm-256color', ...environment });
    const { columns, rows } = size;
    await terminal.#tmux('new-session', '-d', '-x', `${columns}`, '-y', `${rows}`, ...command);
    return terminal;
  }

  /** The text of each row, without spaces at its end. */
  async rows(): Promise<string[]> {
    const shown = await this.#tmux('capture-pane', '-p');
    return shown.replace(/\n$/, '').split('\n');
  }

  /** All that is shown, as one text. */
  async text(): Promise<string> {
    return (await this.rows()).join('\n');
  }

  /** Every cell, with its colours: as much of each row as was ever written. */
  async cells(): Promise<Cell[][]> {
    return cellsOf(await this.#tmux('capture-pane', '-p', '-e', '-N'));
  }

  /** Waits until what is shown matches, and returns the match. */
  async shows(pattern: RegExp): Promise<RegExpExecArray> {
    const until = Date.now() + PATIENCE;
    for (;;) {
      const text = await this.text();
      const match = pattern.exec(text);
      if (match) return match;
      if (Date.now() > until) throw new Error(`the terminal never showed ${pattern}:\n${text}`);
      await betweenLooks();
    }
  }

  /** Types text as it is. */
  async type(text: string): Promise<void> {
    await this.#tmux('send-keys', '-l', '--', text);
  }

  /** Presses keys by tmux's names: `Enter`, `C-c`, `Escape`. */
  async press(...keys: string[]): Promise<void> {
    await this.#tmux('send-keys', '--', ...keys);
  }

  /** Ends what runs in it, and itself. */
  async stop(): Promise<void> {
    process.removeListener('exit', this.#endNow);
    await this.#tmux('kill-server').catch(() => undefined);
    rmSync(this.#directory, { recursive: true, force: true });
  }

  readonly #endNow = (): void => {
    try {
      execFileSync('tmux', this.#arguments('kill-server'), { stdio: 'ignore' });
    } catch {
      // It has ended by itself.
    }
  };

  #arguments(...more: string[]): string[] {
    return ['-S', join(this.#directory, 'socket'), '-f', join(this.#directory, 'conf'), ...more];
  }

  async #tmux(...more: string[]): Promise<string> {
    const options = { env: this.#environment, maxBuffer: 1 << 24 };
    return (await run('tmux', this.#arguments(...more), options)).stdout;
  }
}

/** Reads what `capture-pane -e` prints: text and SGR sequences, whose state passes line ends. */
function cellsOf(styled: string): Cell[][] {
  const rows: Cell[][] = [];
  const colours: { foreground?: number; background?: number } = {};
  for (const line of styled.replace(/\n$/, '').split('\n')) {
    const row: Cell[] = [];
    for (const [, sgr, character] of line.matchAll(/\x1b\[([\d;]*)m|(.)/gu)) {
      if (sgr !== undefined) applySgr(sgr, colours);
      else if (character !== undefined) {
        row.push({ character, foreground: colours.foreground, background: colours.background });
      }
    }
    rows.push(row);
  }
  return rows;
}

/** Follows the colours of the 256-colour palette; other attributes do not matter here. */
function applySgr(sgr: string, colours: { foreground?: number; background?: number }): void {
  const values = sgr === '' ? [0] : sgr.split(';').map(Number);
  for (let at = 0; at < values.length; at += 1) {
    const value = values[at];
    if (value === 0 || value === 39) delete colours.foreground;
    if (value === 0 || value === 49) delete colours.background;
    if (value === 38 || value === 48) {
      const index = values[at + 2];
      if (index !== undefined) colours[value === 38 ? 'foreground' : 'background'] = index;
      at += 2;
    }
  }
}
