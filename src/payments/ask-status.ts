import { sql } from 'kysely';
import { type Db, inTransaction, type Tx } from '../base/db.ts';
import { messageOf, ProviderError } from '../base/errors.ts';
import { newAddressSecret } from '../base/ids.ts';
import { log } from '../base/log.ts';
import { sha256 } from '../base/secrets.ts';
import type { Tokens } from '../daraja/client.ts';
import { askStatus, type Initiator } from '../daraja/status.ts';

/** What asking about payments needs of the house. */
export interface Asking {
  tokens: Tokens;
  /** Who asks, by the shortcode that was paid. */
  initiators: ReadonlyMap<string, Initiator>;
  /** Where answers come to: result or timeout, and each question's token, follow. */
  answer_url: string;
}

// Until then Pull has nearly always found it.
const first_after = '30 minutes';
const asked_for = '30 days';
const most_new = 100;
const at_once = 10;

type Question = { id: bigint; token: string; shortcode: string; receipt: string };

/**
 * Asks M-Pesa about payments that nothing has proven: after half an hour, 2 hours, 12 hours, and
 * daily for a month. Each question is a row with a token of its own before it is asked.
 */
export async function askStatuses(
  db: Db,
  asking: Asking,
  more: () => boolean = () => true,
): Promise<void> {
  if (asking.initiators.size === 0) return;
  while (more()) {
    const questions = await inTransaction(db, (tx) => takeDue(tx, asking.initiators));
    if (questions.length === 0) return;
    await Promise.all(
      questions.map((question) =>
        ask(asking, question).catch((error: unknown) => recordNotAsked(db, question, error)),
      ),
    );
  }
}

async function ask({ tokens, initiators, answer_url }: Asking, it: Question): Promise<void> {
  const initiator = initiators.get(it.shortcode);
  if (!initiator) return;
  await askStatus(tokens, initiator, {
    receipt: it.receipt,
    result_url: `${answer_url}/result/${it.token}`,
    timeout_url: `${answer_url}/timeout/${it.token}`,
  });
  said.delete(it.shortcode);
}

// One process at a time, so that none asks while another tries whether it may.
const lock = 7_281_430_118;

async function takeDue(tx: Tx, initiators: ReadonlyMap<string, Initiator>): Promise<Question[]> {
  await sql`select pg_advisory_xact_lock(${lock})`.execute(tx);
  const shortcodes = [...initiators.keys()];
  await sql`
    delete from status_questions q using payments p
    where q.shortcode = any(${shortcodes}::text[]) and q.asked_at is null and q.ask_at <= now()
      and p.id = q.payment_id and (p.verified_at is not null or p.reversed_at is not null)
  `.execute(tx);
  await addFirst(tx, shortcodes);
  const taken: Question[] = [];
  for (const [shortcode, initiator] of initiators) {
    const asked_as = hashOf(initiator);
    const room = await roomFor(tx, asked_as);
    if (room > 0) taken.push(...(await take(tx, { shortcode, asked_as, room })));
  }
  await addNext(tx, taken);
  return taken;
}

// By the index of those about which nobody has asked, a shortcode at a time: it looks every two
// seconds, and reads no more than it takes.
async function addFirst(tx: Tx, shortcodes: string[]): Promise<void> {
  const { rows } = await sql<{ id: bigint; shortcode: string }>`
    select p.id, p.shortcode from unnest(${shortcodes}::text[]) as s(shortcode), lateral (
      select id, shortcode from payments p
      where p.verified_at is null and p.reversed_at is null and p.status_asked_at is null
        and p.shortcode = s.shortcode
        and p.created_at between now() - ${asked_for}::interval and now() - ${first_after}::interval
      order by p.created_at limit ${most_new}) p
  `.execute(tx);
  if (rows.length === 0) return;
  await sql`
    with asked as (
      update payments set status_asked_at = now() where id = any(${rows.map((p) => p.id)}::bigint[])
    )
    insert into status_questions (payment_id, shortcode, n, token)
    select id, shortcode, 1, token
    from unnest(${rows.map((p) => p.id)}::bigint[], ${rows.map((p) => p.shortcode)}::text[],
                ${rows.map(() => newAddressSecret())}::text[]) as p(id, shortcode, token)
    -- One of an earlier version may have asked, and not noted it on the payment.
    on conflict (payment_id, n) do nothing
  `.execute(tx);
}

/**
 * How many questions may leave now. A wrong password locks the initiator, and what is taken at
 * first says nothing of it: until one was answered, one goes alone; once refused, none for half a
 * day.
 */
async function roomFor(tx: Tx, asked_as: string): Promise<number> {
  const { rows } = await sql<{
    verdict: string | null;
    rests: boolean;
    /** Not answered yet, of the last ten minutes and of the last hour. */
    lately: number;
    open: number;
  }>`
    select last.verdict, coalesce(last.answered_at > now() - interval '12 hours', false) as rests,
           (select count(*)::int from status_questions
            where asked_as = ${asked_as} and answered_at is null
              and error is null and asked_at > now() - interval '10 minutes') as lately,
           (select count(*)::int from status_questions
            where asked_as = ${asked_as} and answered_at is null
              and error is null and asked_at > now() - interval '1 hour') as open
    from (select) one left join lateral (
      select verdict, answered_at from status_questions
      where asked_as = ${asked_as} and answered_at is not null
      order by answered_at desc limit 1) last on true
  `.execute(tx);
  const [it] = rows;
  if (!it) return 0;
  if (it.verdict === 'refused') return it.rests || it.open > 0 ? 0 : 1;
  return it.verdict === null ? 1 - it.open : at_once - it.lately;
}

async function take(
  tx: Tx,
  it: { shortcode: string; asked_as: string; room: number },
): Promise<Question[]> {
  const { rows } = await sql<Question>`
    update status_questions q set asked_at = now(), asked_as = ${it.asked_as}
    from payments p
    where p.id = q.payment_id and q.id in (
      select id from status_questions
      where shortcode = ${it.shortcode} and asked_at is null and ask_at <= now()
      order by ask_at limit ${it.room})
    returning q.id, q.token, q.shortcode, p.receipt
  `.execute(tx);
  return rows;
}

// Whatever becomes of this one, the next is there already: a lost answer is asked for again.
async function addNext(tx: Tx, taken: Question[]): Promise<void> {
  if (taken.length === 0) return;
  await sql`
    insert into status_questions (payment_id, shortcode, n, token, ask_at)
    select q.payment_id, q.shortcode, q.n + 1, t.token,
           now() + case q.n when 1 then interval '90 minutes' when 2 then interval '10 hours'
                            else interval '1 day' end
    from unnest(${taken.map((q) => q.id)}::bigint[], ${taken.map(() => newAddressSecret())}::text[])
      as t(id, token)
    join status_questions q using (id)
    join payments p on p.id = q.payment_id
    where p.created_at > now() - ${asked_for}::interval
  `.execute(tx);
}

// What went wrong last, by shortcode.
const said = new Map<string, string>();

async function recordNotAsked(db: Db, { id, shortcode }: Question, error: unknown): Promise<void> {
  const why = messageOf(error);
  // M-Pesa is asked again and again: what goes on being wrong is said once.
  if (why !== said.get(shortcode)) {
    log.warn({ shortcode, error: why }, 'M-Pesa cannot be asked about a payment');
  }
  said.set(shortcode, why);
  // What did not arrive is asked again soon; an answer may come to what perhaps did.
  const soon = error instanceof ProviderError && error.outcome === 'retryable';
  await sql`
    with failed as (
      update status_questions set error = ${why} where id = ${id} returning payment_id, n)
    update status_questions q set ask_at = now() + interval '5 minutes'
    from failed f
    where ${soon} and q.payment_id = f.payment_id and q.n = f.n + 1 and q.asked_at is null
  `.execute(db);
}

function hashOf({ name, credential }: Initiator): string {
  return sha256(`${name}:${credential}`).toString('hex').slice(0, 16);
}
