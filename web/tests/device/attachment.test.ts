import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MAX_KEPT_INPUT } from '../../src/device/keyboard';
import type { Attachment, Link } from '../../src/device/types';
import { Desk } from './desk';
import { Browser, type Page } from './page';
import { Proxy } from './proxy';
import { Screen } from './screen';
import { lasting, linkIs, until } from './wait';

const SIZE = { columns: 80, rows: 24 };
const bytes = (text: string) => new TextEncoder().encode(text);

let desk: Desk;
let proxy: Proxy;
let browser: Browser;
let page: Page;
let link: Link;

beforeAll(async () => {
  desk = await Desk.start();
  proxy = await Proxy.to(desk.port);
});

afterAll(async () => {
  await proxy.close();
  await desk.close();
});

beforeEach(async () => {
  browser = new Browser();
  page = await browser.open(desk.address, proxy.port);
  const offer = await desk.offer();
  const daemon = await page.device.pairByLink(offer.link, 'phone', () => {});
  link = page.device.link(daemon.id);
  await linkIs(link, 'connected');
});

afterEach(() => {
  proxy.shut = false;
  return browser.close();
});

/** A session that runs a shell command, and the screen of it. */
async function run(command: string): Promise<{ screen: Screen; attachment: Attachment }> {
  const { session } = await link.open({
    size: SIZE,
    program: '/bin/sh',
    arguments: ['-c', command],
    directory: desk.home,
  });
  const screen = new Screen();
  return { screen, attachment: link.attach(session, screen, {}) };
}

/** What a session's program wrote to a file. */
function kept(name: string): string {
  return readFileSync(join(desk.home, name), 'latin1');
}

function shows(screen: Screen, text: string): Promise<true> {
  return until(`the screen shows ${text}`, () => screen.text.includes(text));
}

describe('an attachment', () => {
  it('shows a session and types into it', async () => {
    const { screen, attachment } = await run(
      'stty -echo; echo ready; read it; echo "got $it"; exit 3',
    );
    await shows(screen, 'ready');
    expect(screen.snapshots[0]).toMatchObject({ size: SIZE, history: true });
    expect(attachment.type(bytes('hello\n'))).toBe(true);
    await shows(screen, 'got hello');
    await until('it has ended', () => screen.status);
    expect(screen.status).toEqual({ exit: 3 });
    expect(attachment.state).toEqual({ state: 'ended', status: { exit: 3 } });
    expect(attachment.unsent).toBe(0);
    expect(attachment.type(bytes('x'))).toBe(false);
    expect(screen.states.map(({ state }) => state)).toEqual(['attached', 'ended']);
  });

  it('types each byte once, whatever becomes of the link', async () => {
    const { screen, attachment } = await run('stty raw -echo; echo ready; exec tee typed');
    await shows(screen, 'ready');
    let expected = '';
    for (let line = 0; line < 400; line += 1) {
      const text = `${line} ${'x'.repeat(line % 60)}\r\n`;
      expected += text;
      expect(attachment.type(bytes(text))).toBe(true);
      if (line % 25 === 7) proxy.cut();
      await lasting(Math.random() * 3);
    }
    await until('all is written', () => attachment.unsent === 0);
    await shows(screen, '399 ');
    expect(kept('typed')).toBe(expected);
    expect(attachment.inputUncertain).toBe(false);
    // Nothing of the output was lost or doubled either: it was resumed each time.
    expect(screen.snapshots).toHaveLength(1);
    expect(screen.text.slice(screen.text.indexOf('0 \r\n'))).toBe(expected);
  });

  it('types pastes of any length once, by links that break anywhere', async () => {
    const { screen, attachment } = await run('stty raw -echo; echo ready; exec tee pasted');
    await shows(screen, 'ready');
    const before = proxy.connections;
    /** Whether no more than so many bytes wait. */
    const written = (most: number) => {
      if (link.state.state === 'waiting') link.retry();
      return attachment.unsent <= most;
    };
    let typed = '';
    for (let paste = 0; paste < 40; paste += 1) {
      const length = Math.floor(Math.random() ** 3 * 60_000);
      const text = `<${paste}:${String.fromCharCode(97 + (paste % 26)).repeat(length)}>`;
      expect(attachment.type(bytes(text))).toBe(true);
      typed += text;
      // The next connection breaks before or behind some piece, one way or the other.
      const way = Math.random() < 0.5 ? 'up' : 'down';
      const piece = 2 + Math.floor(Math.random() * 12);
      proxy.cutNext = { way, piece, arrives: Math.random() < 0.5 };
      if (paste % 4 === 3) proxy.cut();
      const most = Math.random() * 20_000;
      await until('some is written', () => written(most));
    }
    proxy.cutNext = undefined;
    await until('all is written', () => written(0));
    await until('all is kept', () => kept('pasted').length >= typed.length);
    expect(kept('pasted') === typed).toBe(true);
    await shows(screen, '<39:');
    expect(proxy.connections - before).toBeGreaterThan(10);
    expect(attachment.inputUncertain).toBe(false);
  }, 30_000);

  it('keeps what is typed while the link is down, and plainly refuses what is too much', async () => {
    const { screen, attachment } = await run('stty raw -echo; echo ready; exec tee kept');
    await shows(screen, 'ready');
    proxy.shut = true;
    proxy.cut();
    await until('it waits', () => attachment.state.state === 'waiting');
    expect(attachment.mayType).toBe(true);
    expect(attachment.type(bytes('typed on the train\r\n'))).toBe(true);
    const much = bytes('y'.repeat(MAX_KEPT_INPUT));
    expect(attachment.type(much)).toBe(false);
    expect(attachment.unsent).toBe(20);
    expect(attachment.type(much.subarray(20))).toBe(true);
    expect(attachment.type(bytes('z'))).toBe(false);
    proxy.shut = false;
    link.retry();
    await until('all is written', () => attachment.unsent === 0);
    await until('all is kept', () => kept('kept').length === MAX_KEPT_INPUT);
    expect(kept('kept').startsWith('typed on the train\r\nyyy')).toBe(true);
  });

  it('gets a snapshot of now when it was away for long', async () => {
    const { screen, attachment } = await run(
      'stty raw -echo; echo ready; read it; head -c 6000000 /dev/zero | tr "\\0" x; echo; echo end; cat',
    );
    await shows(screen, 'ready');
    attachment.type(bytes('go\n'));
    await until('it prints', () => screen.text.includes('xxx'));
    proxy.shut = true;
    proxy.cut();
    await until('it has printed', async () => {
      const [entry] = JSON.parse(await desk.run('sessions', '--json')).slice(-1);
      return entry.last_line === 'end';
    });
    proxy.shut = false;
    link.retry();
    await until('it has a snapshot', () => screen.whole === 2);
    expect(screen.snapshots.at(-1)).toMatchObject({ size: SIZE, history: false });
    expect(screen.text).toContain('end');
  });

  it('gets a snapshot instead of all that a slow terminal has missed', async () => {
    const { screen, attachment } = await run(
      'stty raw -echo; echo ready; read it; head -c 30000000 /dev/zero | tr "\\0" x; echo; echo end; cat',
    );
    await shows(screen, 'ready');
    screen.stuck = true;
    attachment.type(bytes('go\n'));
    await until('it has printed', async () => {
      await link.refresh();
      return link.sessions.get(attachment.session)?.last_line === 'end';
    });
    // A terminal that deals with nothing is not given more than it may have.
    expect(screen.given).toBeLessThan(400_000);
    screen.free();
    await shows(screen, 'end');
    expect(screen.snapshots.at(-1)?.history).toBe(false);
    expect(screen.given).toBeLessThan(3_000_000);
  });

  it('goes on when the daemon restarts', async () => {
    const { screen, attachment } = await run('stty raw -echo; echo ready; exec tee restarted');
    await shows(screen, 'ready');
    const states: string[] = [];
    link.on('state', (state) => states.push('problem' in state ? state.problem : state.state));
    attachment.type(bytes('before '));
    await desk.run('restart');
    attachment.type(bytes('after'));
    await shows(screen, 'after');
    await until('all is written', () => attachment.unsent === 0);
    expect(kept('restarted')).toBe('before after');
    expect(states[0]).toBe('restarting');
    expect(screen.text).toContain('before after');
  });

  it('is back at once however often the daemon restarts', async () => {
    const { screen, attachment } = await run('stty raw -echo; echo ready; exec cat');
    await shows(screen, 'ready');
    const waits: number[] = [];
    link.on('state', (state) => {
      if (state.state === 'waiting' && state.problem === 'restarting') {
        waits.push(state.until - Date.now());
      }
    });
    for (const word of ['one', 'two', 'three']) {
      await desk.run('restart');
      attachment.type(bytes(word));
      await shows(screen, word);
    }
    expect(waits).toHaveLength(3);
    for (const wait of waits) expect(wait).toBeLessThanOrEqual(100);
  });

  it('has a keyboard of its own in each tab', async () => {
    const { screen, attachment } = await run('stty raw -echo; echo ready; exec tee tabs');
    await shows(screen, 'ready');
    const tab = await browser.open(desk.address, proxy.port);
    const other = tab.device.link(link.daemon.id);
    await linkIs(other, 'connected');
    const otherScreen = new Screen();
    const otherAttachment = other.attach(attachment.session, otherScreen, {});
    await until('both are attached', () => otherScreen.whole === 1);
    for (let turn = 0; turn < 50; turn += 1) {
      expect(attachment.type(bytes('a'))).toBe(true);
      expect(otherAttachment.type(bytes('b'))).toBe(true);
      if (turn === 25) proxy.cut();
    }
    await until('all is written', () => attachment.unsent + otherAttachment.unsent === 0);
    await until('all is kept', () => kept('tabs').length === 100);
    expect(kept('tabs').replaceAll('b', '')).toBe('a'.repeat(50));
    await until('both see it', () => screen.text.length >= 100 && otherScreen.text.length >= 100);
  });

  it('gives the size on demand, and sees a snapshot of it', async () => {
    const { screen, attachment } = await run(
      'trap "stty size" WINCH; echo ready; while :; do sleep 0.05; done',
    );
    await shows(screen, 'ready');
    await attachment.fit({ columns: 44, rows: 20 });
    await shows(screen, '20 44');
    expect(screen.snapshots.at(-1)).toEqual({
      size: { columns: 44, rows: 20 },
      history: false,
      sizeBy: link.me?.name,
    });
  });

  it('is left and made again', async () => {
    const { screen, attachment } = await run('stty raw -echo; echo ready; exec tee left');
    await shows(screen, 'ready');
    attachment.type(bytes('one '));
    attachment.detach();
    expect(attachment.type(bytes('lost'))).toBe(false);
    const again = new Screen();
    const second = link.attach(attachment.session, again, { history: 0 });
    const third = new Screen();
    const last = link.attach(attachment.session, third, { watchOnly: true });
    expect(last.mayType).toBe(false);
    await until('it is attached', () => third.whole === 1);
    expect(again.snapshots).toEqual([]);
    expect(second.type(bytes('lost'))).toBe(false);
    const fourth = link.attach(attachment.session, new Screen(), {});
    fourth.type(bytes('two'));
    await until('all is written', () => fourth.unsent === 0);
    await until('all is kept', () => kept('left') === 'one two');
    expect(screen.states.at(-1)).toEqual({ state: 'attached' });
  });

  it('goes on with a fresh keyboard', async () => {
    const { screen, attachment } = await run('stty raw -echo; echo ready; exec tee fresh');
    await shows(screen, 'ready');
    attachment.type(bytes('one '));
    await shows(screen, 'one ');
    attachment.resetInput();
    expect(attachment.unsent).toBe(0);
    attachment.type(bytes('two'));
    await shows(screen, 'one two');
    expect(kept('fresh')).toBe('one two');
    expect(screen.snapshots).toHaveLength(1);
  });

  it('shows what a session left that has ended, and none that is not there', async () => {
    const { screen, attachment } = await run('echo last words; exit 7');
    await until('it has ended', () => screen.status);
    const again = new Screen();
    link.attach(attachment.session, again, {});
    await until('it is shown to its end', () => again.status);
    expect(again.text).toContain('last words');
    expect(again.status).toEqual({ exit: 7 });
    const none = new Screen();
    const nothing = link.attach(4_000_000_000, none, {});
    await until('it is refused', () => nothing.state.state === 'gone');
  });

  it('is gone when the daemon has started afresh, whatever has its number', async () => {
    const { screen, attachment } = await run('stty raw -echo; echo ready; cat');
    await shows(screen, 'ready');
    await desk.halt();
    await until('it is down', () => link.state.state !== 'connected');
    expect(link.state).toMatchObject({ state: 'waiting' });
    await desk.startAgain();
    while ((await openedNow()) < attachment.session);
    link.retry();
    await until('it is gone', () => attachment.state.state === 'gone');
    expect(attachment.type(bytes('x'))).toBe(false);
  });

  /** Opens a session. @returns its number */
  async function openedNow(): Promise<number> {
    return JSON.parse(await desk.run('open', '--json', 'cat')).session;
  }
});
