/**
 * A program that prints no faster than its terminal takes it: `node paced.mjs FILE TOTAL`, on a
 * terminal in raw mode. It waits for a byte, prints FILE again and again until that are TOTAL bytes,
 * and asks behind each where the cursor is. No more than `ahead` bytes are printed without their
 * answer, so that nobody who watches falls behind, and every byte is sent to the one who answers.
 * Who starts it sets that mode: in what Node.js calls so, the terminal still changes line feeds
 * one by one, which takes as long as all the rest here.
 */

import { readFileSync } from 'node:fs';

/** What may be on the way to a device whose link is not known yet, and nearly the most that may. */
const FIRST_AHEAD = 64 * 1024;
const MOST_AHEAD = 768 * 1024;
/** A question that is not answered for so long was skipped, with the output around it. */
const PATIENCE = 5_000;
/** Device status report 6: where is the cursor? */
const QUESTION = '\x1b[6n';

const [file = '', total = '0'] = process.argv.slice(2);
// Whole lines, so that no question comes within a sequence.
const piece = Buffer.concat([readFileSync(file), Buffer.from(QUESTION)]);
const pieces = Math.ceil(Number(total) / piece.length);

let printed = 0;
let answered = 0;
let patience;

function print() {
  clearTimeout(patience);
  const ahead = Math.min(MOST_AHEAD, FIRST_AHEAD + (answered * piece.length) / 4);
  while (printed < pieces && (printed - answered) * piece.length < ahead) {
    process.stdout.write(piece);
    printed += 1;
  }
  if (answered === pieces) end();
  else patience = setTimeout(end, PATIENCE);
}

function hear(input) {
  answered += input.toString('latin1').split('R').length - 1;
  print();
}

function end() {
  process.stdin.removeListener('data', hear);
  process.stdout.write('\r\nALL-SHOWN\r\n');
}

process.stdout.write('$ ');
process.stdin.once('data', () => {
  process.stdin.on('data', hear);
  print();
});
