import { existsSync, rmSync, statfsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { Client } from 'pg';
import type { Db } from '../../src/base/db.ts';
import { runningPostmaster } from '../../src/base/postmaster.ts';
import type { Fleet, Member } from './fleet.ts';
import type { Fault, FaultKind, Plan } from './plan.ts';
import type { World } from './world.ts';

/** How often each kind of fault was done. */
export type Done = Partial<Record<FaultKind | `at ${string}`, number>>;

const watch_ms = 3_000;

/** Does one fault and undoes it in its time; resolves when it is over. */
export async function doFault(world: World, plan: Plan, fault: Fault, done: Done): Promise<void> {
  const { fleet, postgres } = world;
  const count = (what: keyof Done) => (done[what] = (done[what] ?? 0) + 1);
  switch (fault.kind) {
    case 'kill':
      fleet.member(fault.target).kill();
      break;
    case 'kill_at':
      if (!(await killAt(fleet, fault))) return;
      count(`at ${fault.instant}`);
      break;
    case 'restart':
      await fleet.member(fault.target).stop();
      break;
    case 'freeze':
      await freeze(world.db, plan.long, fleet.member(fault.target), fault.for_ms);
      break;
    case 'postgres_restart':
      restartPostgres(postgres.folder);
      break;
    case 'backends_terminated':
      await terminate(world.db, fault.share);
      break;
    case 'database_refuses':
    case 'database_silent': {
      const mode = fault.kind === 'database_refuses' ? 'refuses' : 'silent';
      const names = fault.target === 'all' ? fleet.members : [fleet.member(fault.target)];
      for (const { database } of names) database.setMode(mode);
      await sleep(fault.for_ms);
      for (const { database } of names) database.setMode('open');
      break;
    }
    case 'connections_exhausted':
      await exhaustConnections(world.database_url, fault.for_ms);
      break;
    case 'disk_full':
      if (!postgres.small_disk) return;
      await fillDisk(postgres.folder, fault.for_ms);
      break;
    case 'whatsapp_down':
    case 'whatsapp_answers_lost':
    case 'whatsapp_slow': {
      const modes = {
        whatsapp_down: 'down',
        whatsapp_answers_lost: 'answers_lost',
        whatsapp_slow: 'slow',
      } as const;
      for (const { outlet } of fleet.members) outlet.mode = modes[fault.kind];
      await sleep(fault.for_ms);
      for (const { outlet } of fleet.members) outlet.mode = 'open';
      break;
    }
  }
  count(fault.kind);
}

/** Whichever process of that role comes to the instant first is killed there; whether one did. */
function killAt(fleet: Fleet, fault: Extract<Fault, { kind: 'kill_at' }>): Promise<boolean> {
  const members = fleet.members.filter((member) => member.role === fault.role);
  return new Promise((resolve) => {
    const end = (hit: boolean) => {
      clearTimeout(patience);
      for (const { database, outlet } of members) {
        database.unwatch();
        outlet.unwatch();
      }
      resolve(hit);
    };
    const patience = setTimeout(() => end(false), watch_ms);
    for (const member of members) {
      const hit = () => {
        member.kill();
        end(true);
      };
      member.database.watchFor(fault.instant, hit);
      member.outlet.watchFor(fault.instant, hit);
    }
  });
}

async function freeze(db: Db, long: boolean, member: Member, for_ms: number): Promise<void> {
  member.freeze();
  await sleep(for_ms);
  // As if it had been for longer: another takes what it had leased, and it wakes up in the middle.
  if (!long && member.role === 'worker') {
    await endLeases(db, 0).catch(() => undefined);
    await sleep(200);
  }
  member.unfreeze();
}

/** Makes leases run out that have lasted for so many seconds. */
export async function endLeases(db: Db, after_s: number): Promise<void> {
  await sql`
    update outbox set lease_until = now()
    where state = 'sending' and lease_until > now()
      and lease_until < now() + interval '20 seconds' - ${after_s} * interval '1 second'
  `.execute(db);
}

/** Stops PostgreSQL as a power cut does; whoever started it starts it again. */
function restartPostgres(folder: string): void {
  const server = runningPostmaster(join(folder, 'postgres'));
  if (server?.ready) process.kill(server.pid, 'SIGQUIT');
}

async function terminate(db: Db, share: number): Promise<void> {
  await sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where application_name like 'karani%' and application_name not like '%data folder%'
      and client_addr is null and pid <> pg_backend_pid() and datname = current_database()
      and pid % 10 < ${share} * 10
  `
    .execute(db)
    .catch(() => undefined);
}

/** Takes every connection that PostgreSQL gives, and holds them. */
async function exhaustConnections(url: string, for_ms: number): Promise<void> {
  const taken: Client[] = [];
  for (let n = 0; n < 300; n += 1) {
    const client = new Client({ connectionString: url, application_name: 'a crowd' });
    client.on('error', () => undefined);
    try {
      await client.connect();
      taken.push(client);
    } catch {
      break;
    }
  }
  await sleep(for_ms);
  await Promise.all(taken.map((client) => client.end().catch(() => undefined)));
}

async function fillDisk(folder: string, for_ms: number): Promise<void> {
  const balloon = join(folder, 'balloon');
  const file = await open(balloon, 'w');
  try {
    const { bavail, bsize } = statfsSync(folder);
    const block = Buffer.alloc(1024 * 1024);
    for (let left = bavail * bsize; left > 0; left -= block.length) await file.write(block);
  } catch {
    // Full, which is what was wanted.
  } finally {
    await file.close();
  }
  await sleep(for_ms);
  if (existsSync(balloon)) rmSync(balloon);
}
