import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { hook_secret } from './settings.ts';

export interface Running {
  pid: number;
  /** Where it listens; 0 for one that does not. */
  port: number;
  stop: () => Promise<void>;
  kill: () => Promise<void>;
}

/** Starts a process of node, and resolves once it prints something that `ready` finds. */
async function startNode(
  args: string[],
  env: Record<string, string | undefined>,
  ready: RegExp,
): Promise<Running> {
  const child = spawn(process.execPath, args, {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { ...process.env, LOG_LEVEL: 'error', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await exited;
  };
  const port = await new Promise<number>((done, failed) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = ready.exec(line);
      if (found) done(Number(found[1] ?? 0));
    });
    void exited.then(() => failed(new Error(`${args.join(' ')} ended before it was ready`)));
  });
  return {
    pid: child.pid ?? 0,
    port,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

/** A role of Karani as a process of its own; a web listens on any free port. */
export function startRole(
  role: 'web' | 'worker',
  it: { database_url: string; folder: string; sink: Running },
): Promise<Running> {
  return startNode(
    ['src/cli.ts', 'serve', '--roles', role],
    {
      PORT: '0',
      DATABASE_URL: it.database_url,
      KARANI_DATA: join(it.folder, role),
      KARANI_HOOK_SECRET: hook_secret,
      KARANI_CONFIG: undefined,
      DARAJA_BASE_URL: `http://127.0.0.1:${it.sink.port}`,
    },
    role === 'web' ? /Open +http:\/\/127\.0\.0\.1:(\d+)/ : /worker is running/,
  );
}

/** The whole demo in one process on its own database in `data_dir`; resolves when it says so. */
export function startWhole(data_dir: string, port: number): Promise<Running> {
  return startNode(
    ['--import', './src/node-version.mjs', 'src/main.ts'],
    {
      PORT: String(port),
      KARANI_DATA: data_dir,
      KARANI_HOOK_SECRET: hook_secret,
      KARANI_CONFIG: undefined,
      DATABASE_URL: undefined,
    },
    /Open +http:\/\/127\.0\.0\.1:(\d+)/,
  );
}

/** What takes our WhatsApp messages and says yes: bench/sink.ts. */
export function startSink(): Promise<Running> {
  return startNode([fileURLToPath(import.meta.resolve('./sink.ts'))], {}, /listens on (\d+)/);
}

/** Drains the inbox to its end by so many drains at once, in a process: bench/drain.ts. */
export async function drainToTheEnd(
  database_url: string,
  it: { batch_size: number; drains: number },
): Promise<void> {
  const program = fileURLToPath(import.meta.resolve('./drain.ts'));
  const args = [program, database_url, String(it.batch_size), String(it.drains)];
  const drain = await startNode(args, {}, /^drained/);
  await drain.stop();
}

/** Seconds of CPU that a process, or one and all its children, has used so far. Linux only. */
export function cpuSeconds(pid: number, children = false): number {
  const own = children ? cpuOf(pid, 4) : cpuOf(pid, 2);
  if (!children) return own;
  const others = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return others.reduce((sum, name) => {
    const stat = statOf(Number(name));
    return stat?.[1] === String(pid) ? sum + cpuOf(Number(name), 2) : sum;
  }, own);
}

// utime, stime, and those of the children that have ended.
function cpuOf(pid: number, fields: 2 | 4): number {
  const ticks = statOf(pid)?.slice(11, 11 + fields) ?? [];
  return ticks.reduce((sum, tick) => sum + Number(tick), 0) / 100;
}

// From the state on: what comes before is a name with anything in it.
function statOf(pid: number): string[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
  } catch {
    return undefined;
  }
}
