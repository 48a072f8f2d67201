import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';
import { assert, Refusal } from '../base/errors.ts';
import { newAddressSecret } from '../base/ids.ts';
import { wake } from '../base/jobs.ts';
import type { Due } from './due.ts';
import { newPromptReference } from './prompt.ts';

export interface Ask {
  due: Due;
  amount_cents: bigint;
  /** Who pays, on which phone. */
  person_id: bigint;
  msisdn: string;
  /** Which of our shortcodes is paid. */
  shortcode: string;
  asked_by: bigint;
  /** The same for the same wish: asked again, it is the same prompt. */
  key: string;
  /** How long to wait with it: a phone in a USSD session can show none. */
  after_ms: number;
}

/**
 * What is on its way to the phone (`asked`), was there before, perhaps for another amount
 * (`already`), or is being found out about (`checking`): M-Pesa says that it is paid.
 */
export interface Asked {
  /** The prompt's own. */
  reference: string;
  amount_cents: bigint;
  due_reference: string;
  how: 'asked' | 'already' | 'checking';
}

export const most_at_a_time_cents = 25_000_000n;
const least_cents = 100n;

/**
 * Asks a phone for a payment: the prompt leaves after this commit. While one is open for the same
 * due, or reached the phone less than two minutes ago, that one is returned. Throws Refusal
 * too_little, too_much, over_limit, or same_again: M-Pesa takes the same amount of the same phone
 * once in two minutes (its code 17); or asked_too_often, when others have this phone asked again
 * and again.
 */
export async function askForPayment(tx: Tx, it: Ask): Promise<Asked> {
  const whole = wholeShillings(it.due.outstanding_cents);
  if (it.amount_cents < least_cents || it.amount_cents % 100n !== 0n)
    throw new Refusal('too_little');
  if (it.amount_cents > whole) throw new Refusal('too_much');
  if (it.amount_cents > most_at_a_time_cents) throw new Refusal('over_limit');
  const there = await openPrompt(tx, it);
  if (there) return there;
  if (await paidJustNow(tx, it)) throw new Refusal('same_again');
  if (it.asked_by !== it.person_id && (await hadEnough(tx, it))) {
    throw new Refusal('asked_too_often');
  }
  const { rows } = await sql<{ reference: string }>`
    insert into prompts (reference, token, person_id, msisdn, shortcode, due_kind, due_id,
                         due_reference, amount_cents, asked_by, asked_key, look_at)
    values (${newPromptReference()}, ${newAddressSecret()}, ${it.person_id}, ${it.msisdn},
            ${it.shortcode}, ${it.due.kind}, ${it.due.id}, ${it.due.reference}, ${it.amount_cents},
            ${it.asked_by}, ${it.key}, now() + make_interval(secs => ${it.after_ms / 1000}))
    on conflict do nothing
    returning reference
  `.execute(tx);
  const [made] = rows;
  if (made) {
    await wake(tx, 'send_prompts');
    const { amount_cents, due } = it;
    return { ...made, amount_cents, due_reference: due.reference, how: 'asked' };
  }
  // Two asked at once: the other was first.
  const other = await openPrompt(tx, it);
  assert(other, 'what was in the way is open');
  return other;
}

/** An amount as it can be asked for: M-Pesa takes whole shillings, and what is over is credit. */
export function wholeShillings(cents: bigint): bigint {
  return ((cents + 99n) / 100n) * 100n;
}

// A phone shows one prompt at a time.
async function openPrompt(tx: Tx, it: Ask): Promise<Asked | undefined> {
  const { rows } = await sql<Asked>`
    select reference, amount_cents, due_reference,
           case state when 'confirmed' then 'checking' else 'already' end as how
    from prompts
    where asked_key = ${it.key}
       or state not in ('paid', 'failed') and (
            (person_id = ${it.person_id} and due_kind = ${it.due.kind} and due_id = ${it.due.id})
            or (msisdn = ${it.msisdn} and created_at > now() - interval '2 minutes'))
    order by id desc limit 1
  `.execute(tx);
  return rows[0];
}

async function paidJustNow(tx: Tx, it: Ask): Promise<boolean> {
  const { rows } = await sql`
    select from prompts
    where msisdn = ${it.msisdn} and amount_cents = ${it.amount_cents} and state = 'paid'
      and created_at > now() - interval '10 minutes' and ended_at > now() - interval '2 minutes'
    limit 1
  `.execute(tx);
  return rows.length > 0;
}

const most_unpaid_an_hour = 10;

// A screen that asks for a PIN is no way to press somebody for money. Who asks for it on their own
// phone may go on.
async function hadEnough(tx: Tx, { msisdn }: Ask): Promise<boolean> {
  const { rows } = await sql<{ unpaid: number }>`
    select count(*)::int as unpaid from prompts
    where msisdn = ${msisdn} and created_at > now() - interval '1 hour'
      and state = 'failed' and asked_by <> person_id
  `.execute(tx);
  return (rows[0]?.unpaid ?? 0) >= most_unpaid_an_hour;
}
