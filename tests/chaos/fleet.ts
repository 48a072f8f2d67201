import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type DatabaseProxy, openDatabaseProxy } from './database-proxy.ts';
import { openOutlet, type Outlet } from './outlet.ts';
import { type Plan, process_names, type ProcessName, type Role } from './plan.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** A process of Karani's that a supervisor starts again whenever it has ended. */
export interface Member {
  name: ProcessName;
  role: Role;
  port: number;
  database: DatabaseProxy;
  outlet: Outlet;
  /** Whether it has said that it runs. */
  up: boolean;
  frozen: boolean;
  /** kill -9. */
  kill: () => void;
  /** Asks it to stop; resolves to how it ended. */
  stop: () => Promise<number | null>;
  freeze: () => void;
  unfreeze: () => void;
}

export interface Fleet {
  members: readonly Member[];
  member: (name: ProcessName) => Member;
  kills: number;
  restarts: number;
  /** No process is started again. */
  over: boolean;
  /** What should not have happened: a process that ended by itself, or stopped badly. */
  complaints: string[];
  /** Of processes that ended before they ran. */
  last_words: string[];
  /** Resolves when every process runs. */
  allUp: () => Promise<void>;
  /** Ends them for good, as asked; resolves to their exit codes. */
  stop: () => Promise<(number | null)[]>;
  /** Ends them at once, whatever they do. */
  destroy: () => Promise<void>;
}

export interface FleetSettings {
  plan: Plan;
  ports: readonly number[];
  socket_path: string;
  database: string;
  simulator_url: string;
  env: Record<string, string>;
}

const restart_after_ms = 150;
const longest_start_ms = 60_000;
const longest_stop_ms = 11_000;

/** Starts two web and two worker processes, each behind a proxy of its own to the database. */
export async function startFleet(it: FleetSettings): Promise<Fleet> {
  const members: Member[] = [];
  const fleet: Fleet = {
    members,
    member: (name) => {
      const found = members.find((member) => member.name === name);
      if (!found) throw new Error(`There is no process ${name}`);
      return found;
    },
    kills: 0,
    restarts: 0,
    over: false,
    complaints: [],
    last_words: [],
    allUp: async () => {
      const until = performance.now() + longest_start_ms;
      while (members.some((member) => !member.up)) {
        if (performance.now() > until)
          throw new Error(`Not all processes start: ${fleet.last_words.slice(-4).join('\n')}`);
        await sleep(20);
      }
    },
    stop: () => {
      fleet.over = true;
      return Promise.all(members.map((member) => member.stop()));
    },
    destroy: async () => {
      fleet.over = true;
      for (const member of members) member.kill();
      await Promise.all(members.flatMap((m) => [m.database.close(), m.outlet.close()]));
    },
  };
  for (const [n, name] of process_names.entries()) {
    const role = name.startsWith('web') ? 'web' : 'worker';
    const database = await openDatabaseProxy(it.socket_path);
    const outlet = await openOutlet(it.simulator_url);
    const port = it.ports[n] ?? 0;
    members.push(startMember(it, fleet, { name, role, port, database, outlet }));
  }
  await fleet.allUp();
  return fleet;
}

function startMember(
  it: FleetSettings,
  fleet: Fleet,
  about: Pick<Member, 'name' | 'role' | 'port' | 'database' | 'outlet'>,
): Member {
  let child: ChildProcess | undefined;
  let exited: Promise<number | null> = Promise.resolve(0);
  // Why it is going to end, if it was we who made it.
  let ending: 'killed' | 'asked' | undefined;
  // Who is frozen hears only then that it is to stop.
  let thawed_at = 0;

  const member: Member = {
    ...about,
    up: false,
    frozen: false,
    kill: () => {
      if (!child) return;
      if (member.up && !ending) fleet.kills += 1;
      ending = 'killed';
      member.up = false;
      child.kill('SIGKILL');
    },
    stop: async () => {
      if (!child || !member.up || ending) return null;
      ending = 'asked';
      member.up = false;
      const began = performance.now();
      child.kill('SIGTERM');
      const code = await exited;
      // Unless it was killed on its way out.
      if ((ending as string) === 'asked') {
        fleet.restarts += 1;
        if (code !== 0) fleet.complaints.push(`${about.name} was asked to stop and ended ${code}`);
        if (performance.now() - Math.max(began, thawed_at) > longest_stop_ms)
          fleet.complaints.push(`${about.name} took too long to stop`);
      }
      return code;
    },
    freeze: () => {
      member.frozen = true;
      child?.kill('SIGSTOP');
    },
    unfreeze: () => {
      member.frozen = false;
      thawed_at = performance.now();
      child?.kill('SIGCONT');
    },
  };

  const start = (): void => {
    ending = undefined;
    member.frozen = false;
    const started = spawn(
      process.execPath,
      [
        ...['--import', new URL('skewed-clock.ts', import.meta.url).href],
        ...['src/cli.ts', 'serve', '--roles', about.role],
      ],
      {
        cwd: root,
        env: {
          ...process.env,
          ...it.env,
          LOG_LEVEL: 'error',
          PORT: String(about.port),
          DATABASE_URL: `postgres://karani@127.0.0.1:${about.database.port}/${it.database}`,
          WHATSAPP_BASE_URL: about.outlet.url,
          SKEW_MS: String(it.plan.skew_ms[about.name]),
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    child = started;
    const killed = () => started.kill('SIGKILL');
    process.once('exit', killed);
    let said = '';
    started.stdout.on('data', (chunk: Buffer) => {
      said = `${said}${chunk.toString()}`.slice(-4_000);
      if (/Karani is running|worker is running/.test(said) && child === started && !ending)
        member.up = true;
    });
    started.stderr.on(
      'data',
      (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-4_000)),
    );
    exited = (once(started, 'exit') as Promise<[number | null]>).then(([code]) => {
      if (!ending && member.up)
        fleet.complaints.push(`${about.name} ended by itself (${code}): ${said.slice(-600)}`);
      if (!ending && !member.up) fleet.last_words.push(`${about.name}: ${said}`);
      member.up = false;
      child = undefined;
      process.off('exit', killed);
      setTimeout(() => !fleet.over && start(), restart_after_ms);
      return code;
    });
  };
  start();
  return member;
}
