import { spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startPostgres } from '../../src/base/embedded-postgres.ts';
import type { Ended } from './reporter.ts';

const origin = fileURLToPath(new URL('../../', import.meta.url));

/** A copy of the checkout with a PostgreSQL of its own, to change and to run tests in. */
export interface Checkout {
  root: string;
  /** Runs the tests of these names in these files. */
  run: (files: string[], names: string[]) => Promise<Trial>;
  close: () => Promise<void>;
}

export interface Trial {
  /** How each test ended that got to its turn. */
  endings: Ended[];
  /** What went wrong around the tests. */
  said: string;
}

/** What git tracks here, and what is new and not ignored. */
export function filesOfCheckout(): string[] {
  const { stdout } = spawnSync('git', ['ls-files', '-z', '-co', '--exclude-standard'], {
    cwd: origin,
    encoding: 'utf8',
  });
  return stdout.split('\0').filter((file) => file !== '' && existsSync(join(origin, file)));
}

/** Copies these files of `from`, to a folder that a later test run clears if it is left behind. */
export async function copyCheckout(
  files: string[],
  signal: AbortSignal,
  from = origin,
): Promise<Checkout> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), `karani-tests-${process.pid}-`)));
  const root = join(folder, 'checkout');
  for (const file of files) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    cpSync(join(from, file), join(root, file));
  }
  symlinkSync(join(origin, 'node_modules'), join(root, 'node_modules'));
  const server = await startPostgres(folder, {
    settings: { fsync: 'off', full_page_writes: 'off', shared_buffers: '64MB' },
  });
  return {
    root,
    run: (test_files, names) =>
      runTests({ root, folder, url: server.url, signal }, test_files, names),
    close: async () => {
      await server.stop();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

// Long for any of these tests, and short when what was taken out lets one wait for ever.
const longest_test_ms = 20_000;

async function runTests(
  at: { root: string; folder: string; url: string; signal: AbortSignal },
  files: string[],
  names: string[],
): Promise<Trial> {
  const report = join(at.folder, 'report.json');
  rmSync(report, { force: true });
  const child = spawn(
    process.execPath,
    [
      ...['node_modules/.bin/vitest', 'run', ...files],
      ...['--testNamePattern', `^(?:${names.map((name) => RegExp.escape(name)).join('|')})$`],
      ...['--reporter', './tests/mutations/reporter.ts'],
      ...['--testTimeout', String(longest_test_ms), '--hookTimeout', String(longest_test_ms)],
      // By default these are beside node_modules, which the copies share with everybody.
      ...['--no-cache', '--fsModuleCachePath', join(at.folder, 'modules')],
    ],
    {
      cwd: at.root,
      env: {
        ...process.env,
        TEST_DATABASE_URL: at.url,
        REPORT_TO: report,
        NODE_COMPILE_CACHE: join(at.folder, 'compiled'),
        NO_COLOR: '1',
      },
      stdio: ['ignore', 'ignore', 'pipe'],
      signal: at.signal,
    },
  );
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  // Told to stop, it is waited for all the same: it still writes in the folder.
  child.once('error', (error) => (said += error.message));
  await new Promise((done) => child.once('close', done));
  const written = existsSync(report) ? readFileSync(report, 'utf8') : '[]';
  return { endings: JSON.parse(written) as Ended[], said };
}
