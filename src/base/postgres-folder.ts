import { accessSync, chownSync, constants, existsSync, fchownSync, lchownSync } from 'node:fs';
import { mkdirSync, mkdtempSync, openSync, readdirSync, realpathSync } from 'node:fs';
import { renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { messageOf, SetupError } from './errors.ts';
import { findProgram, runTool, type Program } from './postgres-program.ts';
import { runningPostmaster } from './postmaster.ts';

/** A folder of ours with PostgreSQL's tables in it, and the program that can run on them. */
export interface PostgresFolder {
  data_dir: string;
  cluster_dir: string;
  log_path: string;
  program: Program;
}

// The socket's address, with /.s.PGSQL.5432 after the folder, must be within 104 bytes on a Mac.
const longest_socket_dir_bytes = 88;
const socket_dir_name = /^karani-\w{6}$/;

/** Makes the data folder where there is none, and finds as whom PostgreSQL can run on it. */
export async function openFolder(wanted: string): Promise<PostgresFolder> {
  const path = resolve(wanted);
  const is_new = !existsSync(path);
  let nearest = path;
  while (!existsSync(nearest)) nearest = dirname(nearest);
  try {
    if (is_new) {
      mkdirSync(dirname(path), { recursive: true });
      mkdirSync(path, { mode: 0o700, recursive: true });
    }
    if (!statSync(path).isDirectory()) throw new Error('a file');
    accessSync(path, constants.W_OK | constants.X_OK);
  } catch {
    throw new SetupError(
      `Karani cannot write to ${path}. ` +
        'Make it a folder that you may write to, or set KARANI_DATA to another one.',
    );
  }
  const data_dir = realpathSync(path);
  const cluster_dir = join(data_dir, 'postgres');
  const whose = statSync(existsSync(cluster_dir) ? cluster_dir : is_new ? nearest : data_dir);
  const owner = { uid: whose.uid, gid: whose.gid };
  const program = await findProgram(data_dir, owner, is_new).catch((error: unknown) => {
    if (is_new) removeQuietly(data_dir);
    throw error;
  });
  giveTables(program, cluster_dir);
  return { data_dir, cluster_dir, log_path: join(data_dir, 'postgres.log'), program };
}

/** Whether there are tables yet. */
export function hasTables(folder: PostgresFolder): boolean {
  return existsSync(join(folder.cluster_dir, 'PG_VERSION'));
}

/** Makes the empty tables beside their place and moves them there: half of them are never in it. */
export async function makeTables(folder: PostgresFolder, sync = true): Promise<void> {
  let half: string | undefined;
  try {
    half = mkdtempSync(`${folder.cluster_dir}.new-`);
    giveTo(folder.program, half);
    // Text sorts by code point, whatever the machine: its own collations change between systems.
    const locale = ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
    // Whoever gets into the folder of the socket, which is closed to others, may come in.
    const access = ['--username=karani', '--auth=trust', ...(sync ? [] : ['--no-sync'])];
    const files = ['--encoding=UTF8', '--data-checksums', '--pgdata', half];
    await runTool(folder.program, 'initdb', [...locale, ...access, ...files]);
    renameSync(half, folder.cluster_dir);
  } catch (error) {
    if (half) removeQuietly(half);
    // Of two starts at once one moves its tables there first, and both go on with those.
    if (hasTables(folder)) return;
    throw new SetupError(
      `PostgreSQL could not make a database in ${folder.data_dir} (${messageOf(error)}). ` +
        'Put that right, or set DATABASE_URL to a PostgreSQL of your own.',
    );
  }
}

/** Clears away the tables that a killed start had half made. */
export function removeHalfMade(folder: PostgresFolder): void {
  const start = `${basename(folder.cluster_dir)}.new-`;
  const half_made = readdirSync(folder.data_dir).filter((name) => name.startsWith(start));
  for (const name of half_made) removeQuietly(join(folder.data_dir, name));
}

/** Opens the server's log at its end. It is given to whom the tables belong. */
export function openLog(folder: PostgresFolder): number {
  try {
    const fd = openSync(folder.log_path, 'a', 0o600);
    const { owner } = folder.program;
    if (owner) fchownSync(fd, owner.uid, owner.gid);
    return fd;
  } catch {
    throw new SetupError(`Karani cannot write to ${folder.log_path}. Make it yours, or remove it.`);
  }
}

/**
 * A short folder that only the server's user and root can enter, for its socket. `wanted`: the one
 * that addresses were told of already; it is made anew.
 */
export function makeSocketDir(folder: PostgresFolder, wanted?: string): string {
  if (wanted) {
    removeSocketDir(wanted);
    mkdirSync(wanted, { mode: 0o700 });
    giveTo(folder.program, wanted);
    return wanted;
  }
  const shared = ['/tmp', '/dev/shm'];
  const own = resolve(tmpdir());
  // A folder for temporary files of our own may be closed to the user whom the server runs as.
  const places = folder.program.owner ? [...shared, own] : [own, ...shared, folder.data_dir];
  for (const place of places) {
    if (Buffer.byteLength(place) + '/karani-123456'.length > longest_socket_dir_bytes) continue;
    try {
      const socket_dir = mkdtempSync(join(place, 'karani-'));
      giveTo(folder.program, socket_dir);
      return socket_dir;
    } catch {
      // The next place, then.
    }
  }
  throw new SetupError(
    'Karani found no place for PostgreSQL’s socket. Set TMPDIR to a folder that you may write to, ' +
      `with a path of at most ${longest_socket_dir_bytes - '/karani-123456'.length} letters.`,
  );
}

/** Removes a socket's folder, if it is one that we made. */
export function removeSocketDir(socket_dir: string): void {
  if (socket_dir_name.test(basename(socket_dir))) removeQuietly(socket_dir);
}

/** Hands tables of root's on to the user whom it must run them as where there are no namespaces. */
function giveTables(program: Program, cluster_dir: string): void {
  const { owner } = program;
  if (!owner || !existsSync(cluster_dir) || statSync(cluster_dir).uid === owner.uid) return;
  if (runningPostmaster(cluster_dir)) return;
  const inside = readdirSync(cluster_dir, { recursive: true, encoding: 'utf8' });
  for (const name of inside) lchownSync(join(cluster_dir, name), owner.uid, owner.gid);
  chownSync(cluster_dir, owner.uid, owner.gid);
}

function giveTo(program: Program, path: string): void {
  if (program.owner) chownSync(path, program.owner.uid, program.owner.gid);
}

function removeQuietly(path: string): void {
  try {
    // Of two who remove it at once, each may stop at a file that the other has just removed.
    while (existsSync(path)) rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  } catch {
    // It is in nobody's way.
  }
}
