import { sql } from 'kysely';
import { type Db, inTransaction } from '../base/db.ts';
import { messageOf, ProviderError } from '../base/errors.ts';
import { log } from '../base/log.ts';
import type { Tokens } from '../daraja/client.ts';
import { pushStk, type StkShortcode } from '../daraja/stk.ts';
import { failPrompts } from './end-prompts.ts';
import type { Prompt } from './prompt.ts';

/** What asking phones needs of the house. */
export interface Prompting {
  tokens: Tokens;
  /** Those of our shortcodes that may ask, by number. */
  shortcodes: ReadonlyMap<string, StkShortcode>;
  /** Where results are told; each prompt's token follows. */
  callback_url: string;
}

// Longer than a call may take: who holds one past it is dead.
const lease = '30 seconds';
const at_once = 10;
const most_attempts = 6;
const silent_for = '2 minutes';
const first_look_after = '75 seconds';

/**
 * Sends the prompts that wait, each once: one whose answer is lost is never sent again. What
 * provably did not arrive waits, and is given up after a few tries.
 */
export async function sendPrompts(
  db: Db,
  { tokens, shortcodes, callback_url }: Prompting,
  more: () => boolean,
): Promise<void> {
  await endLeases(db);
  while (more()) {
    const prompts = await lockWaiting(db);
    if (prompts.length === 0) return;
    await Promise.all(
      prompts.map(async (prompt) => {
        const shortcode = shortcodes.get(prompt.shortcode);
        const sent = shortcode
          ? pushStk(tokens, shortcode, {
              msisdn: prompt.msisdn,
              amount_cents: prompt.amount_cents,
              account: prompt.reference,
              callback_url: `${callback_url}/${prompt.token}`,
            })
          : Promise.reject(new ProviderError('refused', 'unsent'));
        await sent.then(
          (checkout_id) => recordSent(db, prompt, checkout_id),
          (error: unknown) => recordNotSent(db, prompt, error),
        );
      }),
    );
  }
}

// Whoever sent it has died: it may have reached the phone.
async function endLeases(db: Db): Promise<void> {
  await sql`
    update prompts set state = 'unknown', lease_until = null, look_at = now() + ${silent_for}::interval
    where state = 'sending' and lease_until < now()
  `.execute(db);
}

async function lockWaiting(db: Db): Promise<Prompt[]> {
  const { rows } = await sql<Prompt>`
    update prompts set state = 'sending', attempts = attempts + 1,
      lease_until = now() + ${lease}::interval, look_at = null
    where id in (
      select id from prompts where state = 'waiting' and look_at <= now()
      order by look_at limit ${at_once} for update skip locked)
    returning id, reference, token, msisdn, shortcode, amount_cents, attempts
  `.execute(db);
  return rows;
}

// Its result may have come before the answer: then only M-Pesa's id of it is new.
async function recordSent(db: Db, { id }: Prompt, checkout_id: string): Promise<void> {
  await sql`
    update prompts set checkout_id = coalesce(checkout_id, ${checkout_id}), sent_at = now(),
      lease_until = null,
      state = case when state in ('sending', 'unknown') then 'sent' else state end,
      look_at = case when state in ('sending', 'unknown') then now() + ${first_look_after}::interval
                     when state = 'paid' then now() end
    where id = ${id}
  `.execute(db);
}

async function recordNotSent(db: Db, { id, attempts }: Prompt, error: unknown): Promise<void> {
  const outcome = error instanceof ProviderError ? error.outcome : 'unknown';
  const code = error instanceof ProviderError ? error.code : 'unknown';
  log.warn({ prompt_id: String(id), outcome, code, error: messageOf(error) }, 'prompt not sent');
  const again = outcome === 'retryable' && attempts < most_attempts;
  if (outcome !== 'unknown' && !again) {
    const why = code === '1001' ? code : 'unsent';
    return inTransaction(db, (tx) => failPrompts(tx, [{ id, code: why }]));
  }
  await sql`
    update prompts set lease_until = null, state = ${again ? 'waiting' : 'unknown'},
      look_at = now() + ${again ? `${2 ** attempts} seconds` : silent_for}::interval
    where id = ${id} and state = 'sending'
  `.execute(db);
}
