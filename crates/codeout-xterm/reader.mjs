// Runs terminals for the Rust side of this crate, as told on standard input: a line of JSON for
// each command; `write` is followed by its bytes. Only `dump` is answered, by a line of JSON.

import headless from "@xterm/headless";
import unicode11 from "@xterm/addon-unicode11";

import { correct, correctOne } from "./corrections.mjs";
import { dump } from "./dump.mjs";

correct(headless.Terminal);

const terminals = new Map();

const commands = {
  new({ terminal: id, columns, rows, scrollback }) {
    const terminal = new headless.Terminal({
      cols: columns,
      rows,
      scrollback,
      allowProposedApi: true,
      logLevel: "off",
      // Off unless asked for, because a page may not want its title moved; xterm has them.
      windowOptions: { pushTitle: true, popTitle: true },
    });
    terminal.loadAddon(new unicode11.Unicode11Addon());
    terminal.unicode.activeVersion = "11";
    correctOne(terminal);
    const seen = { title: "", colours: new Map(), error: "", held: Buffer.alloc(0) };
    terminal.onTitleChange((title) => (seen.title = title));
    terminal._core._inputHandler.onColor((event) => noteColours(seen.colours, event));
    terminals.set(id, { terminal, seen });
  },
  write({ terminal: id }, bytes) {
    const { terminal, seen } = terminals.get(id);
    // One that threw is in no state to go on.
    if (seen.error !== "") return;
    const pending = Buffer.concat([seen.held, bytes]);
    const whole = pending.length - unfinished(pending);
    seen.held = pending.subarray(whole);
    try {
      terminal._core.writeSync(Uint8Array.from(pending.subarray(0, whole)));
    } catch (error) {
      seen.error = String(error);
    }
  },
  resize({ terminal: id, columns, rows }) {
    terminals.get(id).terminal.resize(columns, rows);
  },
  dump({ terminal: id }) {
    const { terminal, seen } = terminals.get(id);
    process.stdout.write(JSON.stringify(dump(terminal, seen)) + "\n");
  },
  drop({ terminal: id }) {
    terminals.get(id).terminal.dispose();
    terminals.delete(id);
  },
};

/**
 * How many bytes of a character are at the end whose rest may come. xterm.js itself decodes some
 * characters wrongly whose bytes come apart, those with a byte 0x80 among them.
 */
function unfinished(bytes) {
  for (let length = 1; length <= Math.min(3, bytes.length); length++) {
    const byte = bytes[bytes.length - length];
    if (byte >= 0xc0) return length < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? length : 0;
    if (byte < 0x80) return 0;
  }
  return 0;
}

// A page answers for the palette; without one the terminal only tells of changes.
function noteColours(colours, event) {
  const [set, restore] = [1, 2];
  for (const { type, index, color } of event) {
    if (type === set) {
      colours.set(index, color.join(","));
    } else if (type === restore && index === undefined) {
      // All 256 numbered ones; foreground, background and cursor stay.
      for (let number = 0; number < 256; number++) colours.delete(number);
    } else if (type === restore) {
      colours.delete(index);
    }
  }
}

/** Yields each command with the bytes behind it. */
async function* incoming() {
  let pending = Buffer.alloc(0);
  let command;
  for await (const chunk of process.stdin) {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    for (;;) {
      if (command === undefined) {
        const end = pending.indexOf(0x0a);
        if (end === -1) break;
        command = JSON.parse(pending.toString("utf8", 0, end));
        pending = pending.subarray(end + 1);
      }
      const length = command.length ?? 0;
      if (pending.length < length) break;
      yield [command, pending.subarray(0, length)];
      pending = pending.subarray(length);
      command = undefined;
    }
  }
}

for await (const [command, bytes] of incoming()) {
  commands[command.do](command, bytes);
}
