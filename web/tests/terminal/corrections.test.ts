import { Terminal } from '@xterm/headless';
import { expect, test } from 'vitest';
import { correct } from '../../src/terminal/corrections';

function corrected(): Terminal {
  const terminal = new Terminal({ allowProposedApi: true, cols: 10, rows: 4 });
  // The headless terminal is made of the same parts as the one in the page.
  correct(terminal as never);
  return terminal;
}

function write(terminal: Terminal, data: string): Promise<void> {
  return new Promise((resolve) => terminal.write(data, resolve));
}

function text(terminal: Terminal): string[] {
  const { active } = terminal.buffer;
  return Array.from({ length: active.length }, (_, row) =>
    (active.getLine(row)?.translateToString(true) ?? '').trimEnd(),
  );
}

test('a screen is erased from its last cell, and the terminal goes on', async () => {
  const terminal = corrected();
  await write(terminal, 'a\r\nb\x1b[99;99H\x1b[1J\x1b[Hok');
  expect(text(terminal)).toEqual(['ok', '', '', '']);
});

test('only the row behind loses its continuation', async () => {
  const terminal = corrected();
  await write(terminal, 'x\r\n'.repeat(6));
  await write(terminal, '0123456789abcdef\x1b[3;10H\x1b[1J');
  const { active } = terminal.buffer;
  expect(active.getLine(active.baseY + 3)?.isWrapped).toBe(false);
  await write(terminal, '\x1b[Hok');
  expect(text(terminal).slice(-4)).toEqual(['ok', '', '', 'abcdef']);
});

test('a fault in a handler loses the rest of its chunk and nothing else', async () => {
  const terminal = corrected();
  terminal.parser.registerOscHandler(777, () => {
    throw new Error('fault');
  });
  await write(terminal, 'one\x1b]777;x\x07lost');
  await write(terminal, '\r\ntwo');
  expect(text(terminal)).toEqual(['one', 'two', '', '']);
});
