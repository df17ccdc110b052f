import { Terminal } from '@xterm/headless';
import { describe, expect, test } from 'vitest';
import { answersForAll, guardQueries } from '../../src/terminal/queries';

const ASKING = [
  '\x1b[c',
  '\x1b[>c',
  '\x1b[5n',
  '\x1b[6n',
  '\x1b[?6n',
  '\x1b[4$p',
  '\x1b[?25$p',
  '\x1bP$qm\x1b\\',
];

async function answers(mayAnswer: boolean, data: string): Promise<string> {
  const terminal = new Terminal({ allowProposedApi: true });
  const said: string[] = [];
  terminal.onData((answer) => said.push(answer));
  // The headless terminal has the same parser as the one in the page.
  guardQueries(terminal as never, () => mayAnswer);
  await new Promise<void>((resolve) => terminal.write(data, resolve));
  terminal.dispose();
  return said.join('');
}

describe('queries', () => {
  test.each(ASKING)('%j is answered by whoever may, and by nobody else', async (query) => {
    expect(await answers(true, query)).not.toBe('');
    expect(await answers(false, query)).toBe('');
  });

  test('what sets a colour or a window is left alone', async () => {
    const terminal = new Terminal({ allowProposedApi: true });
    guardQueries(terminal as never, () => false);
    const text = '\x1b]10;#ff0000\x07\x1b[22tseen';
    await new Promise<void>((resolve) => terminal.write(text, resolve));
    expect(terminal.buffer.active.getLine(0)?.translateToString(true)).toBe('seen');
    terminal.dispose();
  });
});

describe('one answer for all', () => {
  test('who gave the size answers while it is attached', () => {
    expect(answersForAll('phone', 'laptop', ['phone', 'laptop'])).toBe(false);
    expect(answersForAll('laptop', 'laptop', ['phone', 'laptop'])).toBe(true);
  });

  test('else who came first does', () => {
    expect(answersForAll('phone', 'laptop', ['phone', 'tablet'])).toBe(true);
    expect(answersForAll('tablet', undefined, ['phone', 'tablet'])).toBe(false);
  });

  test('who is not known to be attached answers, rather than nobody', () => {
    expect(answersForAll(undefined, 'laptop', ['laptop'])).toBe(true);
    expect(answersForAll('phone', undefined, [])).toBe(true);
  });
});
