import { sql } from 'kysely';
import { type Db, inTransaction, type Tx } from '../base/db.ts';
import { messageOf } from '../base/errors.ts';
import { log } from '../base/log.ts';
import { decimalFromCents } from '../base/money.ts';
import { queryStk } from '../daraja/stk.ts';
import { tellAdmins } from '../people/tell-admins.ts';
import { failPrompts, sayChecking } from './end-prompts.ts';
import type { Prompt } from './prompt.ts';
import { wantPull } from './pull.ts';
import type { Prompting } from './send-prompts.ts';
import { type Contradicted, tellContradicted } from './tell.ts';

type Looked = Awaited<ReturnType<typeof queryStk>> | 'no_answer';

const at_once = 10;
// While a call is under way nobody else looks.
const lease = '30 seconds';
const most_looks = 12;
// By then Pull has been asked often: a statement has to be imported.
const receipt_within = '6 hours';
// Daraja says of very new ones, too, that they are not there.
const not_there_after = 4;

/**
 * Asks M-Pesa what became of prompts of which nothing was heard, and confirms those of which we
 * were told that they are paid: a callback alone proves nothing. The answer names neither amount
 * nor receipt, so what is paid waits for its receipt (`confirmed`).
 */
export async function lookUpPrompts(
  db: Db,
  { tokens, shortcodes }: Prompting,
  more: () => boolean,
): Promise<void> {
  while (more()) {
    const prompts = await takeDue(db);
    if (prompts.length === 0) return;
    await Promise.all(
      prompts.map(async (prompt) => {
        const shortcode = shortcodes.get(prompt.shortcode);
        const looked =
          prompt.checkout_id && shortcode
            ? await queryStk(tokens, shortcode, prompt.checkout_id).catch((error: unknown) => {
                const prompt_id = String(prompt.id);
                log.warn({ prompt_id, error: messageOf(error) }, 'prompt not looked up');
                return 'no_answer' as const;
              })
            : 'no_answer';
        await inTransaction(db, (tx) => record(tx, prompt, looked));
      }),
    );
  }
}

async function takeDue(db: Db): Promise<Prompt[]> {
  const { rows } = await sql<Prompt>`
    update prompts set look_at = now() + ${lease}::interval, looks = looks + 1
    where id in (
      select id from prompts where look_at <= now() and state in ('sent', 'unknown', 'confirmed', 'paid')
      order by look_at limit ${at_once} for update skip locked)
    returning id, shortcode, state, checkout_id, looks
  `.execute(db);
  return rows;
}

async function record(tx: Tx, prompt: Prompt, looked: Looked): Promise<void> {
  const { id, state, checkout_id, looks } = prompt;
  if (state === 'paid') return recordProof(tx, prompt, looked);
  if (state === 'confirmed') return giveUpReceipt(tx, id);
  // Without its id nobody can be asked; what was paid is told by its callback, or found later.
  if (checkout_id === null) return failPrompts(tx, [{ id, code: 'silent' }]);
  if (typeof looked === 'object') {
    if (looked.code !== '0') return failPrompts(tx, [{ id, code: looked.code }]);
    await sql`
      update prompts set state = 'confirmed', look_at = now() + ${receipt_within}::interval
      where id = ${id} and state = 'sent'
    `.execute(tx);
    await wantPull(tx, [id]);
    return sayChecking(tx, [id]);
  }
  const given_up = looked === 'not_there' ? looks >= not_there_after : looks >= most_looks;
  if (given_up) return failPrompts(tx, [{ id, code: 'silent' }]);
  await lookAgain(tx, prompt);
  if (looked === 'under_way' && looks === 2) await sayChecking(tx, [id]);
}

// Nobody can pay that due by a prompt while it is open: it ends, and money that is found still
// counts.
async function giveUpReceipt(tx: Tx, id: bigint): Promise<void> {
  const { rows } = await sql<{ due_reference: string; amount_cents: bigint; msisdn: string }>`
    update prompts set state = 'failed', result_code = 'unseen', ended_at = now(), look_at = null
    where id = ${id} and state = 'confirmed'
    returning due_reference, amount_cents, msisdn
  `.execute(tx);
  const [prompt] = rows;
  if (!prompt) return;
  const { due_reference: ref, amount_cents, msisdn } = prompt;
  const values = { ref, amount: decimalFromCents(amount_cents), phone: msisdn };
  await tellAdmins(tx, { key: `prompt:${id}:unseen`, template: 'prompt_unseen', values });
}

// A conditional write each: its callback may have come meanwhile.
async function lookAgain(tx: Tx, { id, state, looks }: Prompt): Promise<void> {
  const after_s = Math.min(15 * 2 ** looks, 3_600);
  await sql`
    update prompts set look_at = now() + make_interval(secs => ${after_s})
    where id = ${id} and state = ${state}
  `.execute(tx);
}

async function recordProof(tx: Tx, prompt: Prompt, looked: Looked): Promise<void> {
  const { id, looks } = prompt;
  const proven = typeof looked === 'object' && looked.code === '0';
  const denied = typeof looked === 'object' && looked.code !== '0';
  if (!proven && !denied && looks < most_looks) return lookAgain(tx, prompt);
  await sql`update prompts set look_at = null where id = ${id}`.execute(tx);
  if (proven) {
    // Of the very amount that was asked for: of another the answer proves nothing.
    await sql`
      update payments p set verified_at = now(), verified_by = 'stk_query'
      from prompts t
      where t.id = ${id} and p.id = t.payment_id and p.amount_cents = t.amount_cents
        and p.verified_at is null
    `.execute(tx);
  }
  if (denied) await tellDenied(tx, id);
}

// Of who cancelled it and paid by hand M-Pesa says rightly that the prompt was not paid: it denies
// only what was said of the prompt itself.
async function tellDenied(tx: Tx, prompt_id: bigint): Promise<void> {
  const { rows } = await sql<Contradicted>`
    select p.id, p.receipt, p.amount_cents from payments p join prompts t on t.payment_id = p.id
    where t.id = ${prompt_id}
      and exists (select from hearings h where h.payment_id = p.id and h.source = 'stk')
  `.execute(tx);
  await tellContradicted(tx, rows);
}
