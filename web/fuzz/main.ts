/**
 * Fuzzes a decoder of the app, guided by coverage:
 *
 *     node main.js TARGET SECONDS [SEED]
 *
 * from `fuzz/`. Inputs that ran something new are kept in `corpus/`, those that broke something in
 * `artifacts/`; then it ends with 1.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Coverage } from './coverage';
import { Chance, mutated } from './mutation';
import { ready, TARGETS } from './targets';

/** The longest input that is kept, in bytes. */
const MAX_INPUT = 4096;

const [name = '', seconds = '10', seed = String(Date.now() % 2 ** 32)] = process.argv.slice(2);
const target = TARGETS[name];
if (name === '--list') {
  console.log(Object.keys(TARGETS).join('\n'));
  process.exit(0);
}
if (target === undefined) {
  console.error(`targets: ${Object.keys(TARGETS).join(' ')}`);
  process.exit(2);
}
await ready;

function keep(directory: string, prefix: string, input: Uint8Array): string {
  mkdirSync(directory, { recursive: true });
  const path = `${directory}/${prefix}${createHash('sha1').update(input).digest('hex')}`;
  writeFileSync(path, input);
  return path;
}

function inputs(directory: string): Uint8Array[] {
  if (!existsSync(directory)) return [];
  const names = readdirSync(directory).sort();
  return names.map((file) => new Uint8Array(readFileSync(`${directory}/${file}`)));
}

/** Whether `input` ran something new. What it breaks ends everything. */
function run(input: Uint8Array): boolean {
  try {
    target?.run(input);
  } catch (error) {
    console.error(error);
    console.error(`seed ${seed}; the input is ${keep(`artifacts/web_${name}`, 'crash-', input)}`);
    process.exit(1);
  }
  return coverage.isNew();
}

const coverage = new Coverage();
const chance = new Chance(Number(seed));
const corpus: Uint8Array[] = [new Uint8Array(0)];
for (const input of [
  ...inputs(`seeds/${target.seeds}`),
  ...inputs(`seeds/web_${name}`),
  ...inputs(`corpus/web_${name}`),
]) {
  if (run(input)) corpus.push(input);
}
const began = performance.now();
let runs = 0;
for (; performance.now() - began < Number(seconds) * 1000; runs += 1) {
  const input = mutated(chance.of(corpus), chance.of(corpus), chance).subarray(0, MAX_INPUT);
  if (!run(input)) continue;
  corpus.push(input);
  keep(`corpus/web_${name}`, '', input);
}
const rate = Math.round((runs / (performance.now() - began)) * 1000);
const { blocks, classes } = coverage.size;
console.log(
  `web_${name}: ${runs} runs, ${rate} a second, ${blocks} blocks in ${classes} classes, ` +
    `${corpus.length} inputs, seed ${seed}`,
);
if (runs === 0 || blocks === 0) process.exit(1);
