/** A real daemon with a home of its own, and its command line. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const BIN =
  process.env.CODEOUT_BIN ??
  fileURLToPath(new URL('../../../target/debug/codeout', import.meta.url));

/** What the daemon or a command may take to say something, in milliseconds. */
const PATIENCE = 45_000;

export interface Offer {
  readonly code: string;
  readonly link: string;
  readonly fingerprint: string;
}

export class Desk {
  /** For what sessions read and write. */
  readonly home: string;
  readonly address: string;
  readonly #directory: string;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #children = new Set<ChildProcess>();

  private constructor(readonly port: number) {
    this.address = `http://localhost:${port}`;
    this.#directory = mkdtempSync(join(tmpdir(), 'desk-'));
    this.home = join(this.#directory, 'home');
    const place = (name: string) => {
      const path = join(this.#directory, name);
      mkdirSync(path, { mode: 0o700 });
      return path;
    };
    this.#environment = {
      PATH: process.env.PATH,
      LANG: 'C.UTF-8',
      SHELL: '/bin/sh',
      HOME: place('home'),
      XDG_CONFIG_HOME: place('config'),
      XDG_DATA_HOME: place('data'),
      XDG_STATE_HOME: place('state'),
      XDG_RUNTIME_DIR: place('run'),
    };
  }

  /** Starts a daemon on a free port, and waits until it can pair. */
  static async start(...options: string[]): Promise<Desk> {
    const desk = new Desk(await freePort());
    await desk.startAgain(...options);
    return desk;
  }

  /** Starts its daemon, which does not run. */
  async startAgain(...options: string[]): Promise<void> {
    const place = ['--port', `${this.port}`, '--bind', '127.0.0.1', '--name', 'desk'];
    const daemon = this.#spawn(...place, ...options);
    await lineOf(daemon, (line) => /^\s+expires in/.test(line));
  }

  /** Starts a daemon detached from any terminal: it has shown no offer. */
  static async detached(): Promise<Desk> {
    const desk = new Desk(await freePort());
    await desk.run('start', '--port', `${desk.port}`, '--bind', '127.0.0.1');
    return desk;
  }

  /**
   * Starts a daemon in a terminal that asks before a device gets in.
   * @returns the desk, and what presses keys there
   */
  static async asking(): Promise<{ desk: Desk; press: (key: string) => void }> {
    const desk = new Desk(await freePort());
    const command = `'${BIN}' --port ${desk.port} --bind 127.0.0.1 --confirm`;
    const child = desk.#start('script', ['-qfec', command, '/dev/null']);
    await lineOf(child, (line) => line.includes('expires in'));
    return { desk, press: (key) => child.stdin?.write(key) };
  }

  /** Runs a command that must succeed, and returns what it prints. */
  run(...command: string[]): Promise<string> {
    const options = { env: this.#environment, cwd: this.home, timeout: PATIENCE };
    return new Promise((resolve, reject) => {
      execFile(BIN, command, options, (error, stdout, stderr) => {
        if (error) reject(new Error(`codeout ${command.join(' ')}: ${stderr}${stdout}`));
        else resolve(stdout);
      });
    });
  }

  /** A fresh pairing offer, with such limits as `--watch-only`. */
  async offer(...limits: string[]): Promise<Offer> {
    const asking = this.#spawn('pair', '--json', ...limits);
    const line = await lineOf(asking, (text) => text.startsWith('{"code"'));
    const { code, links, fingerprint } = JSON.parse(line);
    return { code, link: links[0], fingerprint };
  }

  /** The names of the devices in the allow-list. */
  async devices(): Promise<string[]> {
    const devices = JSON.parse(await this.run('devices', '--json'));
    return (devices.devices ?? devices).map(({ name }: { name: string }) => name);
  }

  /** Whether the daemon still waits for that device's first record. */
  async unfinished(name: string): Promise<boolean> {
    const devices = JSON.parse(await this.run('devices', '--json'));
    const device = devices.find((entry: { name: string }) => entry.name === name);
    return device?.unfinished === true;
  }

  /** Stops the daemon, with its sessions. */
  async halt(): Promise<void> {
    await this.run('stop', '--force').catch(() => this.run('stop'));
  }

  /** Stops everything, and removes what it wrote. */
  async close(): Promise<void> {
    await this.halt().catch(() => {});
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }

  #spawn(...command: string[]): ChildProcess {
    return this.#start(BIN, command);
  }

  #start(program: string, command: string[]): ChildProcess {
    const child = spawn(program, command, {
      env: this.#environment,
      cwd: this.home,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#children.add(child);
    child.on('exit', () => this.#children.delete(child));
    return child;
  }
}

function lineOf(child: ChildProcess, wanted: (line: string) => boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const fail = (why: string) => reject(new Error(`${why}: ${said}`));
    const late = setTimeout(() => fail('nothing came'), PATIENCE);
    child.stderr?.on('data', (bytes) => {
      said += bytes;
    });
    child.on('exit', () => fail('it has ended'));
    if (!child.stdout) return fail('it has no output');
    createInterface(child.stdout).on('line', (line) => {
      said += `${line}\n`;
      if (!wanted(line)) return;
      clearTimeout(late);
      resolve(line);
    });
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address && typeof address === 'object') resolve(address.port);
        else reject(new Error('no port'));
      });
    });
  });
}
