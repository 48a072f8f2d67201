import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { inTransaction } from '../../../src/base/db.ts';
import { type Task, wake } from '../../../src/base/jobs.ts';
import { importStatement } from '../../../src/mpesa-statement/import.ts';
import { receive } from './books.ts';
import { shortcodes } from './plan.ts';
import { type MoneyWorld, mpesaAt } from './world.ts';

const stuck_ms = 30_000;
const tasks: readonly Task[] = [
  ...(['drain_payments', 'send_prompts', 'look_up_prompts', 'pull_payments'] as const),
  ...(['ask_status', 'send_outbox', 'send_digest', 'ask_questions'] as const),
];

/**
 * Time passes: minutes for whatever is to be asked or tried again. Not for what is on its way this
 * moment: that would be given up although somebody does it.
 */
export async function passTime({ db }: MoneyWorld): Promise<void> {
  await sql`update inbox set due_at = now() where state = 'new' and due_at > now()`.execute(db);
  await sql`
    update outbox set due_at = now() where state = 'waiting' and due_at > now()
  `.execute(db);
  await sql`
    update outbox set lease_until = now()
    where state = 'sending' and lease_until < now() + interval '8 seconds'
  `.execute(db);
  // Who looks holds it for 30 seconds.
  await sql`
    update prompts set look_at = now() where id in (
      select id from prompts
      where state in ('waiting', 'sent', 'unknown', 'paid')
        and (look_at > now() + interval '31 seconds' or state = 'waiting' and look_at > now())
      for no key update skip locked)
  `.execute(db);
  await sql`
    update prompts set lease_until = now() where id in (
      select id from prompts
      where state = 'sending' and lease_until < now() + interval '14 seconds'
      for no key update skip locked)
  `.execute(db);
  await sql`
    update pulls set due_at = now(),
      lease_until = case when lease_until > now() + interval '45 seconds' then lease_until end
    where due_at > now() or lease_until is not null
  `.execute(db);
  await sql`
    update payments set created_at = created_at - interval '31 minutes'
    where shortcode = ${shortcodes.till} and verified_at is null and reversed_at is null
      and created_at > now() - interval '30 minutes'
  `.execute(db);
  // An answer that is lost keeps its place for ten minutes, and the first of all for an hour.
  await sql`
    update status_questions set asked_at = asked_at - interval '61 minutes'
    where answered_at is null and asked_at between now() - interval '1 hour'
                                               and now() - interval '4 seconds'
  `.execute(db);
  await sql`
    update status_questions q set ask_at = now()
    where q.asked_at is null and q.ask_at > now() and not exists (
      select from status_questions before
      where before.payment_id = q.payment_id and before.asked_at > now() - interval '4 seconds')
  `.execute(db);
  await inTransaction(db, async (tx) => {
    for (const task of tasks) await wake(tx, task);
  });
}

/** What is still to be worked through or found out, by kind. */
async function whatWaits({ db }: MoneyWorld, since: Date): Promise<Record<string, number>> {
  const { rows } = await sql<Record<string, number>>`
    -- A report on a message whose sending was cut short waits for a while.
    select (select count(*)::int from inbox
            where state = 'new' and source <> 'whatsapp_status') as inbox,
           (select count(*)::int from outbox where state in ('waiting', 'sending')) as outbox,
           (select count(*)::int from prompts
            where state in ('waiting', 'sending', 'sent', 'unknown')) as prompts,
           (select count(*)::int from prompts where state = 'paid' and look_at is not null) as proofs,
           (select count(*)::int from pulls
            where wanted_from is not null or failures > 0
               or complete_to < ${since} or complete_to is null) as pulls,
           (select count(*)::int from payments
            where shortcode = ${shortcodes.till} and verified_at is null
              and reversed_at is null) as unproven
  `.execute(db);
  return rows[0] ?? { unknown: 1 };
}

/**
 * Lets time pass until all is worked through and M-Pesa has been asked about everything. Resolves to
 * what still waits when for half a minute nothing of it has become less.
 */
export async function comeToRest(world: MoneyWorld, since: Date): Promise<string[]> {
  let stuck_at = performance.now() + stuck_ms;
  let least = Infinity;
  let waits: Record<string, number> = {};
  while (performance.now() < stuck_at) {
    await world.door.quiet();
    waits = await whatWaits(world, since);
    const left = Object.values(waits).reduce((sum, count) => sum + count, 0);
    if (left < least) {
      least = left;
      stuck_at = performance.now() + stuck_ms;
    }
    if (left === 0) return [];
    await passTime(world);
    await sleep(150);
  }
  const { rows } = await sql<{ found: string }>`
    select source || ' ' || id || ' after ' || attempts || ': ' || coalesce(error, left(body, 300)) as found
    from inbox where state = 'new' and source <> 'whatsapp_status' order by id limit 5
  `.execute(world.db);
  const waiting = rows.map((row) => row.found).join('; ');
  return [`it does not come to rest: ${JSON.stringify(waits)}, ${waiting}`];
}

/** Has M-Pesa asked what was paid since the beginning, as a start of Karani does. */
export async function wantPulls({ db }: MoneyWorld): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`
    update pulls set wanted_from = now() - interval '1 day', due_at = now() returning now()
  `.execute(db);
  return rows[0]?.now ?? new Date();
}

/** Imports the statement of every shortcode; resolves to what is wrong with them. */
export async function importStatements(world: MoneyWorld): Promise<string[]> {
  const mpesa = mpesaAt(world.simulator_url);
  const folder = await mkdtemp(join(tmpdir(), 'karani-statements-'));
  const wrong: string[] = [];
  try {
    for (const shortcode of Object.values(shortcodes)) {
      const path = join(folder, `${shortcode}.csv`);
      await writeFile(path, await mpesa.statement(shortcode));
      const { bad, balance } = await importStatement(world.db, {
        ...{ path, shortcode, receive },
        progress: () => undefined,
        bad: ({ number, reason }) => wrong.push(`${shortcode}, line ${number}: ${reason}`),
      });
      if (bad > 0 || balance.gap_count > 0) wrong.push(`the statement of ${shortcode} has gaps`);
    }
    return wrong;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Six hours pass for prompts whose receipt nobody told. */
export async function giveUpReceipts(world: MoneyWorld): Promise<string[]> {
  await sql`update prompts set look_at = now() where state = 'confirmed'`.execute(world.db);
  const since = await wantPulls(world);
  const unrest = await comeToRest(world, since);
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from prompts where state = 'confirmed'
  `.execute(world.db);
  return rows[0]?.n ? [...unrest, `${rows[0].n} prompts stay open`] : unrest;
}
