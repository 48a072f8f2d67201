import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * The PostgreSQL server that runs on a folder of tables, as its own note postmaster.pid tells it.
 */
export interface Postmaster {
  pid: number;
  /** Where its socket is; empty while it has none yet. */
  socket_dir: string;
  ready: boolean;
}

// No system gives a process this number, so whoever looks for it finds that it has ended.
const pid_of_nobody = 2_147_483_647;

/**
 * The server that runs on this folder now; undefined when none does, whatever a killed one left.
 */
export function runningPostmaster(cluster_dir: string): Postmaster | undefined {
  const note = readNote(cluster_dir);
  return note && servesFolder(note.pid, cluster_dir) ? note : undefined;
}

/**
 * What a killed server's note says of its socket, after making the note harmless: after a reboot
 * its number may belong to any process, and PostgreSQL would take that for a running server. Only
 * the number is replaced. The rest is how PostgreSQL finds out whether orphans of the old server
 * still hold its memory, which is why the note itself must stay.
 */
export function disownStaleNote(cluster_dir: string): string | undefined {
  const note = readNote(cluster_dir);
  if (!note || servesFolder(note.pid, cluster_dir)) return undefined;
  if (exists(note.pid)) {
    const path = join(cluster_dir, 'postmaster.pid');
    const text = readFileSync(path, 'utf8').replace(/^\d+/, String(pid_of_nobody));
    writeFileSync(`${path}.karani`, text, { mode: 0o600 });
    renameSync(`${path}.karani`, path);
  }
  return note.socket_dir;
}

/** Ends a server: its open transactions are undone, what is committed is kept. */
export async function stopPostmaster(pid: number, cluster_dir: string): Promise<void> {
  const ways = [
    ['SIGINT', 30_000],
    ['SIGQUIT', 5_000],
    ['SIGKILL', 5_000],
  ] as const;
  for (const [signal, patience_ms] of ways) {
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    const until = Date.now() + patience_ms;
    while (Date.now() < until) {
      if (!servesFolder(pid, cluster_dir)) return;
      await sleep(20);
    }
  }
}

/**
 * Whether this process is alive and a PostgreSQL that works in this folder, be the folder deleted
 * or not.
 */
export function servesFolder(pid: number, cluster_dir: string): boolean {
  if (!exists(pid)) return false;
  if (!existsSync('/proc/self/cwd')) return isNamedPostgres(pid);
  try {
    const works_in = readlinkSync(`/proc/${pid}/cwd`);
    return works_in === cluster_dir || works_in === `${cluster_dir} (deleted)`;
  } catch (error) {
    // It is somebody else's, and may be what it claims; one that has ended but lingers has no
    // folder.
    return error instanceof Error && 'code' in error && error.code === 'EACCES';
  }
}

function readNote(cluster_dir: string): Postmaster | undefined {
  let lines: string[];
  try {
    lines = readFileSync(join(cluster_dir, 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return undefined;
  }
  const pid = Number(lines[0]);
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  return { pid, socket_dir: lines[4]?.trim() ?? '', ready: lines[7]?.trim() === 'ready' };
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function isNamedPostgres(pid: number): boolean {
  try {
    return execFileSync('ps', ['-o', 'comm=', '-p', String(pid)], { encoding: 'utf8' }).includes(
      'postgres',
    );
  } catch {
    return false;
  }
}
