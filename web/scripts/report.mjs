// Reads what a run of Vitest or of Playwright wrote as JSON, and prints a line with how many tests
// passed, failed and were skipped, then each one that failed and the first of what it said: at the
// end of a long run nobody sees the middle.
import { readFileSync } from 'node:fs';

const MOST_LINES = 40;

/** Of Vitest: a list of files, each with its tests. */
function ofVitest(report) {
  return report.testResults.flatMap(({ name, status, message, assertionResults }) => {
    const tests = assertionResults.map((test) => ({
      name: test.fullName,
      outcome: { passed: 'passed', failed: 'failed' }[test.status] ?? 'skipped',
      said: (test.failureMessages ?? []).join('\n'),
    }));
    // A file that cannot be loaded fails without a test.
    const broken = status === 'failed' && !tests.some(({ outcome }) => outcome === 'failed');
    return broken ? [...tests, { name, outcome: 'failed', said: message }] : tests;
  });
}

/** Of Playwright: suites in suites. */
function ofPlaywright({ suites = [], specs = [] }) {
  const outcomes = { expected: 'passed', unexpected: 'failed', flaky: 'failed' };
  const here = specs.flatMap(({ title, file, line, tests }) =>
    tests.map(({ projectName, status, results }) => ({
      name: `[${projectName}] ${file}:${line} ${title}`,
      outcome: outcomes[status] ?? 'skipped',
      said: results.flatMap(({ errors }) => errors.map(({ message }) => message)).join('\n'),
    })),
  );
  return [...here, ...suites.flatMap(ofPlaywright)];
}

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const tests = report.testResults ? ofVitest(report) : ofPlaywright(report);
const count = (wanted) => tests.filter(({ outcome }) => outcome === wanted).length;
console.log(count('passed'), count('failed'), count('skipped'));
for (const { name, outcome, said } of tests) {
  if (outcome !== 'failed') continue;
  console.log(`    ${name}`);
  // Its colours.
  const lines = said.replace(/\u001b\[[0-9;]*m/g, '').split('\n');
  for (const text of lines.filter((line) => line.trim()).slice(0, MOST_LINES)) {
    console.log(`        ${text}`);
  }
}
