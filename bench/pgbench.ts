import { spawn, spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where pgbench is, if the machine has it. */
export function findPgbench(): string | undefined {
  const candidates = ['pgbench', ...globSync('/usr/lib/postgresql/*/bin/pgbench').sort().reverse()];
  return candidates.find((path) => spawnSync(path, ['--version']).status === 0);
}

export interface PgbenchRun {
  database_url: string;
  script: string;
  clients: number;
  /** For how long, or how many transactions each client makes. */
  until: { seconds: number } | { each: number };
  /** Variables of the script and what they are at the start. */
  variables?: Record<string, bigint | number>;
}

/** Commits a second of a script, its statements prepared. */
export async function runPgbench(pgbench: string, it: PgbenchRun): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'karani-bench-'));
  const file = join(folder, 'script.sql');
  writeFileSync(file, it.script);
  const length = 'each' in it.until ? ['-t', it.until.each] : ['-T', Math.ceil(it.until.seconds)];
  const child = spawn(pgbench, [
    ...['-n', '-M', 'prepared', '-f', file, '-c', String(it.clients)],
    ...['-j', String(Math.min(it.clients, 2)), ...length.map(String)],
    ...Object.entries(it.variables ?? {}).flatMap(([name, value]) => ['-D', `${name}=${value}`]),
    it.database_url,
  ]);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const status = await new Promise<number | null>((done) => child.on('close', done));
  rmSync(folder, { recursive: true });
  const tps = /tps = ([\d.]+) \(without/.exec(stdout)?.[1];
  // It exits with 0 although single clients gave up.
  if (status !== 0 || !tps || /aborted/.test(stderr))
    throw new Error(`pgbench failed: ${stderr || stdout}`);
  return Number(tps);
}
