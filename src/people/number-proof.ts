import { sql } from 'kysely';
import type { Db, Tx } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { msisdnFrom } from '../base/phone.ts';
import { isOneOf } from '../base/secrets.ts';
import type { Actor } from '../flow/action.ts';
import { notify } from '../outbox/notify.ts';
import type { Belongings } from './belongings.ts';
import { changeNumber, hasOwnAccount, isStaff } from './change-number.ts';
import { last_proven, numberOf } from './find.ts';
import { codeOf, type Keyed, most_tries, newProof } from './link.ts';

/**
 * Who writes from a new number proves that an old one is theirs, by a code sent to it. Whether we
 * know the old one is told to nobody: whatever is typed is answered and counted alike.
 */

/** What was typed, as it is counted: a number, or a customer's. Undefined when it is neither. */
function askedIn(belongings: Belongings, typed: string): string | undefined {
  return msisdnFrom(typed) ?? belongings.customerNumberIn(typed);
}

/**
 * Sends a code by SMS to the old number, where it is that of somebody whose number may change so:
 * of those who work here another admin changes it. Throws Refusal not_understood, unproven (who
 * asks has no number of their own yet), own_account (theirs is in use), yours, or too_many.
 */
export async function sendOldCode(
  tx: Tx,
  belongings: Belongings,
  actor: Actor,
  typed: string,
): Promise<void> {
  const asked = askedIn(belongings, typed);
  if (asked === undefined) throw new Refusal('not_understood');
  const own = await numberOf(tx, actor.id);
  if (own === undefined) throw new Refusal('unproven');
  if (own === asked) throw new Refusal('yours');
  if (await hasOwnAccount(tx, belongings, actor.id)) throw new Refusal('own_account');
  const old = await movable(tx, belongings, actor, asked);
  const of = await newProof(tx, actor, { msisdn: old?.msisdn ?? null, way: 'change', asked });
  if (!old || (await wroteOften(tx, old.msisdn, of))) return;
  await notify(tx, [
    {
      key: `change_code:${of}`,
      person_id: old.person_id,
      template: 'change_code_sms',
      values: { code_of: String(of), phone: old.msisdn },
      channel: 'sms',
      to_msisdn: old.msisdn,
    },
  ]);
}

interface Old {
  person_id: bigint;
  msisdn: string;
}

async function movable(
  tx: Tx,
  belongings: Belongings,
  actor: Actor,
  asked: string,
): Promise<Old | undefined> {
  const of_customer = await belongings.personOfCustomer(tx, asked);
  const { rows } = await sql<Old>`
    select a.person_id, a.value as msisdn from addresses a
    where a.kind = 'msisdn' and (a.value = ${asked} or a.person_id = ${of_customer ?? null})
    order by a.value = ${asked} desc, ${last_proven} limit 1
  `.execute(tx);
  const [old] = rows;
  if (!old || old.person_id === actor.id || (await isStaff(tx, old.person_id))) return undefined;
  const { customers } = await belongings.standingOf(tx, old.person_id);
  return customers === '' && !(await hasRole(tx, old.person_id)) ? undefined : old;
}

async function hasRole(db: Db, person_id: bigint): Promise<boolean> {
  const { rows } = await sql`select from roles where person_id = ${person_id} limit 1`.execute(db);
  return rows.length > 0;
}

// Under several names, a number would hear of it more often than each of them may ask.
async function wroteOften(tx: Tx, msisdn: string, but: bigint): Promise<boolean> {
  const { rows } = await sql`
    select from link_proofs
    where msisdn = ${msisdn} and id <> ${but} and created_at > now() - interval '1 day'
    having count(*) >= 6 or max(created_at) > now() - interval '60 seconds'
  `.execute(tx);
  return rows.length > 0;
}

export type NumberProof = 'changed' | 'wrong' | 'over' | 'own_account';

/**
 * Compares a code with the one that was sent to the old number, and makes the number of whoever
 * writes theirs when it is right. A wrong one is counted, which a refusal would undo; the fifth
 * ends it, as ten minutes do.
 */
export async function proveOldNumber(
  tx: Tx,
  belongings: Belongings,
  it: { actor: Actor; keyed: Keyed; typed: string; code: string },
): Promise<NumberProof> {
  const { actor, keyed, code } = it;
  const asked = askedIn(belongings, it.typed) ?? '';
  const { rows } = await sql<{ id: bigint; msisdn: string | null; tries: number }>`
    update link_proofs set tries = tries + 1,
      ended_at = case when tries + 1 >= ${most_tries} then now() end
    where id = (
        select id from link_proofs
        where person_id = ${actor.id} and asked = ${asked} and way = 'change'
        order by id desc limit 1)
      and ended_at is null and expires_at > now()
    returning id, msisdn, tries
  `.execute(tx);
  const [proof] = rows;
  if (!proof) return 'over';
  const right = isOneOf([codeOf(keyed, String(proof.id))], code);
  const old = right ? await movable(tx, belongings, actor, asked) : undefined;
  if (!old || old.msisdn !== proof.msisdn) {
    return proof.tries >= most_tries ? 'over' : 'wrong';
  }
  const to = await numberOf(tx, actor.id);
  if (to === undefined || (await hasOwnAccount(tx, belongings, actor.id))) return 'own_account';
  await sql`update link_proofs set ended_at = now() where id = ${proof.id}`.execute(tx);
  const key = `number:${proof.id}`;
  await changeNumber(tx, belongings, { owner: old.person_id, from: old.msisdn, to, key });
  return 'changed';
}
