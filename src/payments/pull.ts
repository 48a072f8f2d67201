import { sql } from 'kysely';
import { clock, eatDate } from '../base/clock.ts';
import { type Db, inTransaction, type Tx } from '../base/db.ts';
import { messageOf } from '../base/errors.ts';
import { wake } from '../base/jobs.ts';
import { log } from '../base/log.ts';
import type { Tokens } from '../daraja/client.ts';
import { PulledPayment } from '../daraja/pull-payloads.ts';
import { type PullShortcode, pullTransactions } from '../daraja/pull.ts';
import { type Keep, keepRejected } from '../inbox/keep.ts';
import { tellAdmins } from '../people/tell-admins.ts';
import { bodyOf, pull_source } from './pulled.ts';

/** What asking for payments needs of the house. */
export interface Pulling {
  tokens: Tokens;
  /** Those of our shortcodes whose payments may be asked for, by number. */
  shortcodes: ReadonlyMap<string, PullShortcode>;
  keep: Keep;
  /** How often each is asked for. */
  every_s: number;
}

const reaches_back = '48 hours';
// M-Pesa may be late with them: each pull looks back that far behind what is complete.
const overlap = '2 hours';
// Longer than a page may take: who holds one past it is dead.
const lease = '1 minute';
const longest_pause_s = 900;
const most_pages = 10_000;
// The inbox takes no more at a time; pages are of a hundred as a rule.
const most_at_once = 500;

/** Has all shortcodes asked for as far back as M-Pesa tells, as a start does. */
export async function wantAllPulls(db: Db, shortcodes: Iterable<string>): Promise<void> {
  await sql`
    insert into pulls as p (shortcode, wanted_from)
    select *, now() - ${reaches_back}::interval from unnest(${[...shortcodes].sort()}::text[])
    on conflict (shortcode) do update
    set wanted_from = excluded.wanted_from, due_at = least(p.due_at, now())
  `.execute(db);
}

/** Has M-Pesa asked soon for what these prompts were paid by: it says that they are paid. */
export async function wantPull(tx: Tx, prompt_ids: bigint[]): Promise<void> {
  await sql`
    update pulls p set wanted_from = least(p.wanted_from, t.created_at - interval '1 minute'),
      due_at = least(p.due_at, now())
    from prompts t where t.id = any(${prompt_ids}::bigint[]) and p.shortcode = t.shortcode
  `.execute(tx);
  await wake(tx, 'pull_payments');
}

type Taken = { shortcode: string; fence: bigint; wanted_from: Date | null; from: Date; to: Date };

/**
 * Asks M-Pesa what our shortcodes were paid, and keeps each payment of the answers in the inbox,
 * where one that was told before is kept no second time. A shortcode at a time, and each by one
 * process: whoever holds its lease.
 */
export async function pullPayments(
  db: Db,
  pulling: Pulling,
  more: () => boolean = () => true,
): Promise<void> {
  while (more()) {
    const taken = await takeDue(db, [...pulling.shortcodes.keys()]);
    const shortcode = taken && pulling.shortcodes.get(taken.shortcode);
    if (!shortcode) return;
    try {
      const whole = await pullAll(db, pulling, shortcode, taken, more);
      if (whole) await recordDone(db, taken, pulling.every_s);
      else await giveBack(db, taken);
    } catch (error) {
      await recordFailed(db, taken, messageOf(error));
    }
  }
}

async function takeDue(db: Db, shortcodes: string[]): Promise<Taken | undefined> {
  const { rows } = await sql<Taken>`
    with due as (
      select shortcode, wanted_from from pulls
      where shortcode = any(${shortcodes}::text[]) and due_at <= now()
        and (lease_until is null or lease_until < now())
      order by due_at limit 1 for update skip locked)
    update pulls p set fence = p.fence + 1, lease_until = now() + ${lease}::interval,
      wanted_from = null
    from due where p.shortcode = due.shortcode
    returning p.shortcode, p.fence, due.wanted_from, now() as to,
      greatest(now() - ${reaches_back}::interval,
               least(due.wanted_from,
                     coalesce(p.complete_to - ${overlap}::interval, '-infinity'))) as from
  `.execute(db);
  return rows[0];
}

/** Asks page by page until there is no more. False when it is to stop, or the lease is lost. */
async function pullAll(
  db: Db,
  { tokens, keep }: Pulling,
  shortcode: PullShortcode,
  taken: Taken,
  more: () => boolean,
): Promise<boolean> {
  const seen = new Set<string>();
  let offset = 0;
  for (let page = 0; page < most_pages; page += 1) {
    const { from, to } = taken;
    const items = await pullTransactions(tokens, shortcode, { from, to, offset });
    const fresh = items.filter((item) => !seen.has(JSON.stringify(item)));
    // One that does not know offsets gives the first page for ever.
    if (fresh.length === 0) return true;
    for (const item of fresh) seen.add(JSON.stringify(item));
    for (let done = 0; done < fresh.length; done += most_at_once) {
      await keepItems(db, keep, taken.shortcode, fresh.slice(done, done + most_at_once));
    }
    offset += items.length;
    if (!more() || !(await holdsOn(db, taken))) return false;
  }
  return true;
}

// Committed before the next page: whoever dies here has lost nothing.
async function keepItems(db: Db, keep: Keep, shortcode: string, items: unknown[]): Promise<void> {
  const read = items.map((item) => ({ item, it: PulledPayment.safeParse(item) }));
  const good = read.flatMap(({ item, it }) => (it.success ? [{ item, it: it.data }] : []));
  const now_ms = clock.now().getTime();
  if (good.some(({ it }) => it.paid_at.getTime() > now_ms + ahead_ms)) {
    await sql`update pulls set nairobi_times = true where shortcode = ${shortcode}`.execute(db);
  }
  await Promise.all(
    good.map(({ item, it }) =>
      keep({
        source: pull_source,
        subject: it.receipt,
        body: bodyOf(shortcode, item),
        from_ip: null,
      }),
    ),
  );
  for (const { item, it } of read) {
    if (it.success) continue;
    const where = it.error.issues[0]?.path.join('.') || 'its shape';
    await keepOdd(db, shortcode, item, `not a payment, see ${where}`);
  }
}

// Money may have moved: it is kept, and the admins are told once a day.
async function keepOdd(db: Db, shortcode: string, item: unknown, reason: string): Promise<void> {
  const body = Buffer.from(bodyOf(shortcode, item));
  if (!(await keepRejected(db, { source: pull_source, reason, body, from_ip: null }))) return;
  log.warn({ shortcode, reason }, 'an item of a pull is not understood');
  const key = `pull_rejected:${shortcode}:${eatDate(clock.now())}`;
  const values = { source: `M-Pesa, ${shortcode}` };
  await inTransaction(db, (tx) => tellAdmins(tx, { key, template: 'callback_rejected', values }));
}

// Clocks differ by less; Nairobi is three hours ahead.
const ahead_ms = 10 * 60 * 1000;

async function holdsOn(db: Db, { shortcode, fence }: Taken): Promise<boolean> {
  const { rows } = await sql`
    update pulls set lease_until = now() + ${lease}::interval
    where shortcode = ${shortcode} and fence = ${fence} returning 1
  `.execute(db);
  return rows.length > 0;
}

// Who waits for a receipt is not kept waiting for the next regular one.
const soon_s = 60;

async function recordDone(db: Db, { shortcode, fence, to }: Taken, every_s: number): Promise<void> {
  const { rows } = await sql<{ error: string | null }>`
    update pulls p set lease_until = null, complete_to = ${to}, failures = 0, error = null,
      due_at = case
        when p.wanted_from is not null then now()
        when exists (select from prompts t where t.shortcode = p.shortcode and t.state = 'confirmed'
                     and t.created_at > now() - interval '30 minutes')
        then now() + make_interval(secs => ${Math.min(soon_s, every_s)})
        else now() + make_interval(secs => ${every_s}) end
    from (select shortcode, error from pulls where shortcode = ${shortcode}) before
    where p.shortcode = before.shortcode and p.fence = ${fence}
    returning before.error
  `.execute(db);
  if (rows[0]?.error) log.info({ shortcode }, 'payments can be asked for again');
}

// The next one begins where this one did.
async function giveBack(db: Db, { shortcode, fence, wanted_from }: Taken): Promise<void> {
  await sql`
    update pulls set lease_until = null, due_at = now(), wanted_from = least(wanted_from, ${wanted_from})
    where shortcode = ${shortcode} and fence = ${fence}
  `.execute(db);
}

async function recordFailed(db: Db, taken: Taken, error: string): Promise<void> {
  const { shortcode, fence, wanted_from } = taken;
  const told = await inTransaction(db, async (tx) => {
    const before = await sql<{ error: string | null }>`
      select error from pulls where shortcode = ${shortcode} and fence = ${fence} for update
    `.execute(tx);
    await sql`
      update pulls set lease_until = null, failures = least(failures + 1, 100), error = ${error},
        wanted_from = least(wanted_from, ${wanted_from}),
        due_at = now() + make_interval(
          secs => least(5 * power(2, least(failures, 20)), ${longest_pause_s}))
      where shortcode = ${shortcode} and fence = ${fence}
    `.execute(tx);
    return before.rows[0]?.error === error;
  });
  // It is tried again and again: what goes on being wrong is said once.
  if (!told) log.warn({ shortcode, error }, 'payments cannot be asked for; it is tried again');
}
