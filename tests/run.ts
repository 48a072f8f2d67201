import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { parseArgs } from 'node:util';

// Everything that must hold, in one command: the checks, then the tests. Ends with one line of figures.

const { values } = parseArgs({ options: { 'checks-only': { type: 'boolean', default: false } } });

const node = process.execPath;
const bin = (name: string) => `node_modules/.bin/${name}`;

const checks: { name: string; command: string; args: string[] }[] = [
  { name: 'types', command: node, args: [bin('tsc')] },
  { name: 'lint', command: node, args: [bin('oxlint'), '--type-aware', '--deny-warnings'] },
  { name: 'format', command: node, args: [bin('oxfmt'), '--check'] },
  { name: 'dead code', command: node, args: [bin('knip')] },
  { name: 'flows', command: node, args: ['src/cli.ts', 'flows', 'check'] },
];

let passed = 0;
let failed = 0;
let skipped = 0;
let unseen = 0;

for (const check of checks) {
  const { status, stdout, stderr } = spawnSync(check.command, check.args, { encoding: 'utf8' });
  if (status === 0) passed += 1;
  else failed += 1;
  process.stdout.write(`${status === 0 ? '✓' : '✗'} ${check.name}\n`);
  if (status !== 0) process.stdout.write(`${stdout}${stderr}\n`);
}

if (!values['checks-only']) {
  const report = 'artifacts/tests.json';
  mkdirSync('artifacts', { recursive: true });
  rmSync(report, { force: true });
  const { status } = spawnSync(
    node,
    [bin('vitest'), 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
    { stdio: 'inherit' },
  );
  if (existsSync(report)) {
    const result = JSON.parse(readFileSync(report, 'utf8'));
    passed += result.numPassedTests;
    failed += result.numFailedTests;
    skipped += result.numPendingTests + result.numTodoTests;
    unseen += result.testResults
      .filter((file: { name: string }) => file.name.includes('/tests/web/'))
      .flatMap((file: { assertionResults: { status: string }[] }) => file.assertionResults)
      .filter((it: { status: string }) => !['passed', 'failed'].includes(it.status)).length;
    // A file that could not even be loaded has no test that failed.
    if (status !== 0 && result.numFailedTests === 0) failed += 1;
  } else {
    failed += 1;
  }
}

// Where everything is installed, the browser's stories are not left out.
if (process.env['CI'] && unseen > 0) {
  process.stdout.write(`${unseen} stories in the browser were skipped: Chromium is missing\n`);
  failed += unseen;
}
const skips = skipped > 0 ? `, ${skipped} skipped` : '';
process.stdout.write(`${passed} passed, ${failed} failed${skips}\n`);
process.exit(failed === 0 ? 0 : 1);
