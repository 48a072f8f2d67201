import { sql } from 'kysely';
import { clock, eatDate } from '../base/clock.ts';
import type { Tx } from '../base/db.ts';
import { wake } from '../base/jobs.ts';
import { decimalFromCents } from '../base/money.ts';
import { type Message, notify } from '../outbox/notify.ts';
import { tellAdmins } from '../people/tell-admins.ts';
import type { Allocated } from './allocate.ts';
import { most_at_a_time_cents } from './ask.ts';

/** A prompt that was not paid, and M-Pesa's code for why; or one of ours. */
export interface NotPaid {
  id: bigint;
  /** `unsent`: it never reached M-Pesa. `silent`: nobody ever said what became of it. */
  code: string;
}

type Told = {
  id: bigint;
  person_id: bigint;
  due_kind: string;
  due_reference: string;
  amount_cents: bigint;
};

/**
 * Ends prompts that were not paid, and tells whoever was asked. One that has ended stays as it is;
 * money that comes after all still counts.
 */
export async function failPrompts(tx: Tx, ends: NotPaid[]): Promise<void> {
  if (ends.length === 0) return;
  const { rows } = await sql<Told & { code: string; shortcode: string }>`
    update prompts p set state = 'failed', result_code = e.code, ended_at = now(), look_at = null,
      lease_until = null
    from unnest(${ends.map((e) => e.id)}::bigint[], ${ends.map((e) => e.code)}::text[]) as e(id, code)
    where p.id = e.id and p.state not in ('paid', 'failed')
    returning p.id, p.person_id, p.due_kind, p.due_reference, p.amount_cents, p.shortcode, e.code
  `.execute(tx);
  await notify(
    tx,
    rows.map((row) =>
      messageTo(row, `prompt:${row.id}:failed`, templates[row.code] ?? 'prompt_other'),
    ),
  );
  const ours = rows.find((row) => templates[row.code] === 'prompt_refused');
  if (ours) {
    const { shortcode } = ours;
    const key = `prompt_refused:${shortcode}:${eatDate(clock.now())}`;
    await tellAdmins(tx, { key, template: 'prompt_refused_admin', values: { shortcode } });
  }
}

/**
 * Ends the prompts that caused these payments. Returns the payments of those who had been told
 * before that nothing came.
 */
export async function endPaid(
  tx: Tx,
  allocated: Pick<Allocated, 'payment' | 'prompt_id'>[],
): Promise<ReadonlySet<bigint>> {
  const paid = allocated.flatMap(({ payment, prompt_id }) =>
    prompt_id === undefined ? [] : [{ payment_id: payment.id, prompt_id }],
  );
  if (paid.length === 0) return new Set();
  const { rows } = await sql<{ payment_id: bigint }>`
    with before as (
      select t.id, t.state, paid.payment_id
      from unnest(${paid.map((p) => p.payment_id)}::bigint[], ${paid.map((p) => p.prompt_id)}::bigint[])
        as paid(payment_id, id)
      join prompts t using (id)
      where t.payment_id is null
      order by t.id for no key update of t
    ), ended as (
      -- A prompt is paid once: whoever types its reference again pays what it asked for, and that is all.
      update prompts t set state = 'paid', payment_id = b.payment_id, ended_at = now(),
        lease_until = null, looks = 0, result_code = null,
        look_at = case when t.checkout_id is not null then now() end
      from (select distinct on (id) id, payment_id from before order by id, payment_id) b
      where t.id = b.id
    )
    select payment_id from before where state = 'failed'
  `.execute(tx);
  await wake(tx, 'look_up_prompts');
  return new Set(rows.map((row) => row.payment_id));
}

/** Ends the prompts for a due that have not left yet: there is nothing to pay any more. */
export async function dropWaiting(tx: Tx, due: { kind: string; id: bigint }): Promise<void> {
  await sql`
    update prompts set state = 'failed', result_code = 'void', ended_at = now(), look_at = null
    where state = 'waiting' and due_kind = ${due.kind} and due_id = ${due.id}
  `.execute(tx);
}

/** Says that we are still finding out, once a prompt. */
export async function sayChecking(tx: Tx, ids: bigint[]): Promise<void> {
  if (ids.length === 0) return;
  const { rows } = await sql<Told>`
    select id, person_id, due_kind, due_reference, amount_cents from prompts
    where id = any(${ids}::bigint[])
  `.execute(tx);
  await notify(
    tx,
    rows.map((row) => messageTo(row, `prompt:${row.id}:checking`, 'prompt_checking')),
  );
}

/** The words for M-Pesa's codes; what is not here did not go through, and nobody knows why. */
const templates: Readonly<Record<string, string>> = {
  '1': 'prompt_short_of_money',
  '2': 'prompt_too_little',
  '3': 'prompt_too_much',
  '4': 'prompt_day_limit',
  '8': 'prompt_we_are_full',
  '17': 'prompt_same_again',
  '26': 'prompt_busy',
  '1001': 'prompt_another_open',
  '1019': 'prompt_expired',
  '1025': 'prompt_unsent',
  '9999': 'prompt_unsent',
  unsent: 'prompt_unsent',
  '1031': 'prompt_no_answer',
  '1037': 'prompt_no_answer',
  silent: 'prompt_no_answer',
  '1032': 'prompt_cancelled',
  '2001': 'prompt_wrong_pin',
  '8006': 'prompt_pin_locked',
  '2028': 'prompt_refused',
  SFC_IC0003: 'prompt_refused',
};

function messageTo(it: Told, key: string, template: string): Message {
  const values = {
    amount: decimalFromCents(it.amount_cents),
    account: it.due_reference,
    least: '1.00',
    limit: decimalFromCents(most_at_a_time_cents),
  };
  return { key, person_id: it.person_id, template, values, trade: it.due_kind };
}
