import { sql } from 'kysely';
import type { Db, Tx } from '../base/db.ts';
import { Hopeless } from '../base/errors.ts';
import type { StkCallback } from '../daraja/payloads.ts';
import { drainInbox, type Kept } from '../inbox/take.ts';
import { failPrompts, type NotPaid } from './end-prompts.ts';
import { type Hearing, payerColumns } from './hearing.ts';
import type { Prompt } from './prompt.ts';
import { readAgain, readStkCallback } from './read-callback.ts';
import { receivePayments, type ReceiveSettings } from './receive.ts';
import { tellGivenUp } from './tell.ts';

const batch_size = 100;
// Its id may not be written down yet where the address carries no token.
const early_s = 60;

/** Works through what M-Pesa says became of our prompts. */
export async function drainStkCallbacks(
  db: Db,
  settings: ReceiveSettings,
  more: () => boolean,
): Promise<number> {
  return drainInbox(
    db,
    {
      source: 'stk_callback',
      batch_size,
      work: (tx, rows) => takeCallbacks(tx, settings, rows),
      gaveUp: tellGivenUp,
    },
    more,
  );
}

type Known = Pick<Prompt, 'id' | 'reference' | 'token' | 'shortcode' | 'checkout_id'>;

async function takeCallbacks(tx: Tx, settings: ReceiveSettings, rows: Kept[]): Promise<Kept[]> {
  const callbacks = rows.map((row) => ({ row, it: readAgain(row.body, readStkCallback) }));
  const prompts = await findPrompts(tx, callbacks);
  const early: Kept[] = [];
  const hearings: Hearing[] = [];
  const not_paid: NotPaid[] = [];
  const ids: { id: bigint; checkout_id: string }[] = [];
  for (const { row, it } of callbacks) {
    // At an address with a token that is none of ours, the right id proves nothing.
    const by_token = row.subject !== it.checkout_id;
    const prompt = prompts.find((p) =>
      by_token ? p.token === row.subject : p.checkout_id === it.checkout_id,
    );
    // A token is written down before anybody is told of it.
    if (!prompt && !by_token && row.age_s < early_s) early.push(row);
    else if (!prompt) throw new Hopeless(`we have no prompt ${it.checkout_id}`);
    else if (prompt.checkout_id !== null && prompt.checkout_id !== it.checkout_id) {
      throw new Hopeless(`${it.checkout_id} came to the address of ${prompt.checkout_id}`);
    } else {
      ids.push({ id: prompt.id, checkout_id: it.checkout_id });
      if ('paid' in it) hearings.push(hearingOf(row, prompt, it.paid));
      else not_paid.push({ id: prompt.id, code: it.code });
    }
  }
  await receivePayments(tx, settings, hearings);
  await learnIds(tx, ids);
  await failPrompts(tx, not_paid);
  return early;
}

async function findPrompts(tx: Tx, callbacks: { row: Kept; it: StkCallback }[]): Promise<Known[]> {
  const { rows } = await sql<Known>`
    select id, reference, token, shortcode, checkout_id from prompts
    where token = any(${callbacks.map(({ row }) => row.subject)}::text[])
       or checkout_id = any(${callbacks.map(({ it }) => it.checkout_id)}::text[])
  `.execute(tx);
  return rows;
}

type Paid = Extract<StkCallback, { paid: unknown }>['paid'];

function hearingOf(row: Kept, prompt: Known, paid: Paid): Hearing {
  return {
    inbox_id: row.id,
    source: 'stk',
    shortcode: prompt.shortcode,
    receipt: paid.receipt,
    amount_cents: paid.amount_cents,
    paid_at: paid.paid_at,
    // What M-Pesa was asked to write there; its callback does not repeat it.
    account_typed: prompt.reference,
    ...payerColumns(paid.msisdn_given),
    payer_name: null,
  };
}

// Where the answer to our request was lost: with it M-Pesa can be asked.
async function learnIds(tx: Tx, ids: { id: bigint; checkout_id: string }[]): Promise<void> {
  if (ids.length === 0) return;
  await sql`
    update prompts t set checkout_id = l.checkout_id,
      look_at = case when t.state = 'paid' then now() else t.look_at end
    from unnest(${ids.map((l) => l.id)}::bigint[], ${ids.map((l) => l.checkout_id)}::text[])
      as l(id, checkout_id)
    where t.id = l.id and t.checkout_id is null
  `.execute(tx);
}
