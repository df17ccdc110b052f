// node budget.mjs DIRECTORY [--json]: what a phone downloads of a built and compressed app, from
// opening a link to a painted terminal. Fails when that is more than the budget.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** For each way of packing: browsers ask for brotli on secure pages only. */
const BUDGET = 450 * 1024;
/** Chunks that a first load does without, by the beginning of their names. */
const LATER = ['AddDevice-', 'jsQR-'];

const [directory, option] = process.argv.slice(2);
if (directory === undefined) throw new Error('usage: node budget.mjs DIRECTORY [--json]');

/** The files that a file names: scripts, styles, Workers and icons are named in full. */
function named(path) {
  const text = readFileSync(join(directory, path), 'utf8');
  const found = text.matchAll(
    /["'`(](?:\.\/|\/|assets\/|\/assets\/)([\w.-]+\.(?:js|css|svg|png))/g,
  );
  return [...found].map(([, name]) => name);
}

function where(name) {
  return [join('assets', name), name].find((path) => size(path) !== undefined);
}

function size(path) {
  return statSync(join(directory, path), { throwIfNoEntry: false })?.size;
}

const skipped = new Set();
const first = new Set(['index.html']);
// A set gives what is added while it is walked.
for (const path of first) {
  if (!/\.(html|js)$/.test(path)) continue;
  for (const name of named(path)) {
    const later = LATER.find((beginning) => name.startsWith(beginning));
    const found = where(name);
    if (later !== undefined) skipped.add(later);
    else if (found !== undefined && name !== 'sw.js') first.add(found);
  }
}

const files = [...first].map((path) => {
  const plain = size(path) ?? 0;
  return { path, plain, gzip: size(`${path}.gz`) ?? plain, brotli: size(`${path}.br`) ?? plain };
});
const sum = (packing) => files.reduce((total, file) => total + file[packing], 0);
const totals = { plain: sum('plain'), gzip: sum('gzip'), brotli: sum('brotli') };

const faults = [];
for (const packing of ['gzip', 'brotli']) {
  if (totals[packing] > BUDGET) {
    faults.push(`the first load takes ${totals[packing]} bytes as ${packing}, of ${BUDGET}`);
  }
}
for (const beginning of LATER.filter((beginning) => !skipped.has(beginning))) {
  faults.push(`no chunk is called ${beginning}… any more: scripts/budget.mjs leaves it out`);
}
// What every first load has: a look that misses one of them measures nothing.
for (const beginning of ['libsodium-', 'xterm-', 'fingerprint_worker-']) {
  const called = ({ path }) => path.startsWith(`assets/${beginning}`) && path.endsWith('.js');
  const count = files.filter(called).length;
  if (count !== 1) faults.push(`${count} scripts of the first load are called ${beginning}…`);
}

if (option === '--json') {
  console.log(JSON.stringify({ budget: BUDGET, totals, files }));
} else {
  const line = (name, { plain, gzip, brotli }) =>
    console.log(
      `${name.padEnd(44)}${[plain, gzip, brotli].map((n) => `${n}`.padStart(10)).join('')}`,
    );
  console.log(`${'first load'.padEnd(44)}     plain      gzip    brotli`);
  for (const file of files.sort((a, b) => b.brotli - a.brotli)) line(file.path, file);
  line('all', totals);
}
for (const fault of faults) console.error(`broken: ${fault}`);
process.exit(faults.length > 0 ? 1 : 0);
