import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Db } from '../../src/base/db.ts';
import { getJson, postJson } from '../helpers/process.ts';
import type { Chats } from './chats.ts';
import { endLeases } from './faults.ts';
import type { World } from './world.ts';

const stuck_ms = 60_000;

/**
 * Nothing goes wrong any more: M-Pesa sends again what was not answered, what waits for another try
 * is due at once, and all is worked through. Resolves to what still waits when for a minute nothing
 * of it has become less.
 */
export async function comeToRest(world: World, chats: Chats): Promise<string[]> {
  world.door.calm = true;
  let stuck_at = performance.now() + stuck_ms;
  let least = Infinity;
  let waits: Record<string, number> | undefined;
  while (performance.now() < stuck_at) {
    await world.fleet.allUp();
    await postJson(`${world.simulator_url}/sim/mpesa/redeliver`, {}).catch(() => undefined);
    waits = await whatWaits(world, chats).catch(() => undefined);
    const left = waits ? Object.values(waits).reduce((sum, count) => sum + count, 0) : Infinity;
    if (left < least) {
      least = left;
      stuck_at = performance.now() + stuck_ms;
    }
    if (left === 0) break;
    await makeDue(world.db).catch(() => undefined);
    await sleep(200);
  }
  await world.door.quiet();
  world.door.calm = false;
  return least === 0 ? [] : [`it does not come to rest: ${JSON.stringify(waits)}`];
}

async function whatWaits({ db, simulator_url }: World, chats: Chats) {
  const truth = await getJson<{ delivered: boolean }[]>(`${simulator_url}/sim/mpesa/transactions`);
  const { rows } = await sql<{ inbox: number; outbox: number; unasked: number; unheard: number }>`
    select (select count(*)::int from inbox where state = 'new') as inbox,
           (select count(*)::int from outbox where state in ('waiting', 'sending')) as outbox,
           (select count(*)::int from questions
            where asked_at is null and ended_at is null) as unasked,
           (select count(*)::int
            from unnest(${[...chats.values()].flatMap((chat) => chat.written)}::text[]) as id
            where not exists (select from turns where key = 'whatsapp:' || id)) as unheard
  `.execute(db);
  const undelivered = truth.filter((it) => !it.delivered).length;
  return {
    undelivered,
    ...(rows[0] ?? { inbox: Infinity, outbox: Infinity, unasked: Infinity, unheard: Infinity }),
  };
}

async function makeDue(db: Db): Promise<void> {
  await sql`update inbox set due_at = now() where state = 'new' and due_at > now()`.execute(db);
  await sql`update outbox set due_at = now() where state = 'waiting' and due_at > now()`.execute(
    db,
  );
  // Sending takes milliseconds now, and who waits for a database that fell silent gives it up after
  // 12 seconds: whatever has been in flight for longer, nobody holds.
  await endLeases(db, 14);
  await passMinute(db);
}

// Once nothing is on its way any more, a minute passes: for reports on messages that were sent and
// never recorded as sent, and for payments that are told of in a digest.
async function passMinute(db: Db): Promise<void> {
  const quiet = sql`not exists (select from outbox where state in ('waiting', 'sending'))
    and not exists (select from inbox where state = 'new' and source <> 'whatsapp_status')`;
  await sql`
    update inbox set received_at = received_at - interval '1 minute'
    where state = 'new' and received_at > now() - interval '1 minute' and ${quiet}
  `.execute(db);
  await sql`
    update payments set created_at = created_at - interval '1 minute'
    where created_at > now() - interval '1 minute' and ${quiet}
  `.execute(db);
}

/** Seconds that the oldest callback or message which is due has waited. */
export async function longestWait(db: Db): Promise<number> {
  const { rows } = await sql<{ seconds: number }>`
    select coalesce(extract(epoch from now() - min(greatest(due_at, received_at))), 0)::float8 as seconds
    from inbox where state = 'new' and due_at <= now()
  `.execute(db);
  return rows[0]?.seconds ?? 0;
}
