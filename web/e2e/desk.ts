/** The computer on the desk: a real daemon in a real terminal, with a home of its own. */

import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Picture } from './png';
import { readQr, terminalPicture } from './qr';
import { type Size, Terminal } from './terminal';

const BIN =
  process.env.CODEOUT_BIN ?? fileURLToPath(new URL('../../target/debug/codeout', import.meta.url));

const CODE = /\b(?:[0-9A-Z]{4}-){2}[0-9A-Z]{4}\b/;

/** What a command of the CLI did. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A pairing offer of `codeout pair`, which goes on until it ends or is stopped. */
export interface Offer {
  readonly code: string;
  readonly link: string;
  /** The line that says how it ended. */
  readonly end: Promise<Record<string, unknown>>;
  stop(): void;
}

export interface DeskOptions {
  /** The address without its port, such as `http://desk.test`. */
  readonly origin: string;
  /** The port; a free one when left out. */
  readonly port?: number;
  /** The address at which it listens; that of loopback when left out. */
  readonly bind?: string;
  /** The port that the address names, when a proxy stands before the daemon. */
  readonly advertisedPort?: number;
  readonly tls?: { readonly certificate: string; readonly key: string };
  readonly name?: string;
  readonly size?: Size;
  /** Its user's home, which must not be there yet; one of its own when left out. */
  readonly home?: string;
  /** Further options of the command line, such as `--confirm`. */
  readonly options?: readonly string[];
}

/** Parts of what `codeout sessions --json` prints. */
export interface SessionLine {
  readonly session: number;
  readonly name: string;
  readonly columns: number;
  readonly rows: number;
  readonly ended?: unknown;
}

/** Parts of what `codeout devices --json` prints. */
export interface DeviceLine {
  readonly id: string;
  readonly name: string;
  readonly connected: boolean;
  /** Whether its pairing was not finished. */
  readonly unfinished: boolean;
}

export class Desk {
  /** Where its pages are: `http://localhost:41234`. */
  readonly address: string;
  readonly port: number;
  /** A directory for whatever programs there read and write; sessions start in it. */
  readonly home: string;
  readonly #directory: string;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #offers = new Set<Offer>();
  #terminal: Terminal | undefined;
  /** What the daemon is started with. */
  #options: readonly string[] = [];
  #size: Size | undefined;

  private constructor(port: number, options: DeskOptions) {
    this.port = port;
    this.address = `${options.origin}:${options.advertisedPort ?? port}`;
    this.#directory = mkdtempSync(join(tmpdir(), 'desk-'));
    this.home = options.home ?? join(this.#directory, 'home');
    this.#environment = environment(this.#directory, this.home);
  }

  /** Starts the daemon, and waits until it shows its pairing code. */
  static async start(options: DeskOptions): Promise<Desk> {
    const desk = new Desk(options.port ?? (await freePort()), options);
    desk.#prepare();
    const { tls, name = 'desk', bind = '127.0.0.1', options: more = [] } = options;
    const files = tls ? ['--tls-cert', tls.certificate, '--tls-key', tls.key] : [];
    const place = ['--port', `${desk.port}`, '--bind', bind, '--advertise', desk.address];
    desk.#options = [...place, '--name', name, ...files, ...more];
    desk.#size = options.size;
    await desk.startAgain();
    return desk;
  }

  /** Starts the daemon as before, in a terminal of its own; for one that has been stopped. */
  async startAgain(): Promise<void> {
    await this.#terminal?.stop();
    this.#terminal = await Terminal.start([BIN, ...this.#options], this.#environment, this.#size);
    await this.code();
  }

  /** Starts the daemon as before, but in no terminal: it shows no code until it is asked for one. */
  async startDetached(): Promise<void> {
    await this.#terminal?.stop();
    this.#terminal = undefined;
    await this.must('start', ...this.#options);
  }

  /** The daemon's terminal. */
  get terminal(): Terminal {
    if (!this.#terminal) throw new Error('the daemon has not been started');
    return this.#terminal;
  }

  /** The pairing code, as it stands in the terminal. */
  async code(): Promise<string> {
    const [code] = await this.terminal.shows(CODE);
    return code;
  }

  /** The pairing link, read from the QR in the terminal. */
  async link(): Promise<string> {
    const link = readQr(await this.picture());
    if (!link) throw new Error(`no QR can be read:\n${await this.terminal.text()}`);
    return link;
  }

  /** A picture of the QR in the terminal. */
  async picture(): Promise<Picture> {
    await this.code();
    return terminalPicture(await this.terminal.cells());
  }

  /** Asks for a fresh offer in the daemon's terminal, and waits until its code is there. */
  async freshCode(): Promise<string> {
    const [old = 'none'] = CODE.exec(await this.terminal.text()) ?? [];
    await this.terminal.press('n');
    const [code] = await this.terminal.shows(new RegExp(`(?!${old})${CODE.source}`));
    return code;
  }

  /** Runs a command of the CLI on this computer. */
  run(...command: string[]): Promise<Outcome> {
    const options = { env: this.#environment, cwd: this.home };
    return new Promise((resolve) => {
      execFile(BIN, command, options, (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr });
      });
    });
  }

  /** Runs a command that must succeed, and returns what it prints. */
  async must(...command: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...command);
    if (code !== 0) throw new Error(`codeout ${command.join(' ')}: ${code}: ${stderr}${stdout}`);
    return stdout;
  }

  /** A command of the CLI in a terminal of its own, such as `attach`. The caller stops it. */
  inTerminal(command: readonly string[], size?: Size): Promise<Terminal> {
    return Terminal.start([BIN, ...command], this.#environment, size);
  }

  /** A fresh pairing offer, with such limits as `--watch-only`. */
  async offer(...limits: string[]): Promise<Offer> {
    const command = ['pair', '--json', ...limits];
    const child = spawn(BIN, command, {
      env: this.#environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const first = JSON.parse((await lines.next()).value ?? '{}');
    const end = lines.next().then(({ value }) => JSON.parse(value ?? '{}'));
    const offer: Offer = {
      code: first.code,
      link: first.links[0],
      end,
      stop: () => child.kill('SIGINT'),
    };
    this.#offers.add(offer);
    return offer;
  }

  /** What a file in its home holds; nothing while it is not there. */
  read(name: string): string {
    const file = join(this.home, name);
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  async sessions(): Promise<SessionLine[]> {
    return JSON.parse(await this.must('sessions', '--json'));
  }

  async session(name: string): Promise<SessionLine> {
    const found = (await this.sessions()).find((session) => session.name === name);
    if (!found) throw new Error(`no session ${name}`);
    return found;
  }

  async devices(): Promise<DeviceLine[]> {
    return JSON.parse(await this.must('devices', '--json'));
  }

  async fingerprint(): Promise<string> {
    return JSON.parse(await this.must('fingerprint', '--json')).fingerprint;
  }

  /** Ends every session and revokes every device, so that the next test begins anew. */
  async clear(): Promise<void> {
    for (const offer of this.#offers) offer.stop();
    this.#offers.clear();
    for (const device of await this.devices()) await this.run('devices', 'revoke', device.id);
    for (const { session, ended } of await this.sessions()) {
      if (!ended) await this.run('end', `${session}`);
      await this.run('dismiss', `${session}`);
    }
  }

  /** Ends the daemon, with its sessions, and removes all that it had. */
  async stop(): Promise<void> {
    for (const offer of this.#offers) offer.stop();
    await this.run('stop', '--force');
    await this.#terminal?.stop();
    for (const directory of [this.#directory, this.home]) {
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    }
  }

  #prepare(): void {
    mkdirSync(this.home);
    mkdirSync(join(this.#directory, 'run'), { mode: 0o700 });
    writeFileSync(join(this.home, '.profile'), "PS1='$ '\nPATH=~/bin:$PATH\n");
    writeFileSync(join(this.home, '.bashrc'), "PS1='$ '\n");
    writeFileSync(join(this.home, '.vimrc'), 'set nocompatible noswapfile viminfo=\n');
  }
}

function environment(directory: string, home: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    HOME: home,
    LANG: 'C.UTF-8',
    SHELL: '/bin/bash',
    TERM: 'xterm-256color',
    XDG_CONFIG_HOME: join(directory, 'config'),
    XDG_DATA_HOME: join(directory, 'data'),
    XDG_STATE_HOME: join(directory, 'state'),
    XDG_RUNTIME_DIR: join(directory, 'run'),
  };
}

/** A port of loopback that nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(address && typeof address === 'object' ? address.port : 0));
    });
  });
}
