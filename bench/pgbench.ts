import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where pgbench is, if the machine has it. */
export function findPgbench(): string | undefined {
  const candidates = ['pgbench', ...globSync('/usr/lib/postgresql/*/bin/pgbench').sort().reverse()];
  return candidates.find((path) => spawnSync(path, ['--version']).status === 0);
}

/** Commits a second of a script with so many clients, statements prepared. */
export function runPgbench(
  pgbench: string,
  database_url: string,
  script: string,
  clients: number,
  seconds: number,
): number {
  const folder = mkdtempSync(join(tmpdir(), 'karani-bench-'));
  const file = join(folder, 'script.sql');
  writeFileSync(file, script);
  const { stdout, stderr, status } = spawnSync(
    pgbench,
    [
      ...['-n', '-M', 'prepared', '-f', file, '-c', String(clients)],
      ...['-j', String(Math.min(clients, 2)), '-T', String(seconds)],
      database_url,
    ],
    { encoding: 'utf8' },
  );
  rmSync(folder, { recursive: true });
  const tps = /tps = ([\d.]+) \(without/.exec(stdout)?.[1];
  if (status !== 0 || !tps) throw new Error(`pgbench failed: ${stderr}`);
  return Number(tps);
}
