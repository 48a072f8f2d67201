import { sql } from 'kysely';
import { clock } from '../base/clock.ts';
import type { Tx } from '../base/db.ts';
import { assert, Refusal } from '../base/errors.ts';
import { isOneOf } from '../base/secrets.ts';
import type { Actor } from '../flow/action.ts';
import { notify } from '../outbox/notify.ts';
import { lockPersonAt, personById } from './find.ts';
import { makeStranger } from './strangers.ts';

/**
 * Proving that a WhatsApp id and a number are one person's. A number in a WhatsApp id proves
 * nothing: it may belong to somebody else by now.
 */

/** A hash that only this installation can make. */
export type Keyed = (purpose: string, text: string) => string;

const good_for = '10 minutes';
const most_an_hour = 3;
const most_a_day = 6;
const shortest_pause = '60 seconds';
export const most_tries = 5;

/** The six digits of a proof: made from its id, and so kept nowhere. */
export function codeOf(keyed: Keyed, proof_id: string): string {
  const hash = keyed('link-code', proof_id);
  return String(BigInt(`0x${hash.slice(0, 15)}`) % 1_000_000n).padStart(6, '0');
}

/**
 * Sends a code to a number by SMS. Refuses with `too_many` who asks again too soon or too often,
 * counted by who asks and by the number; with `confirmed` who has a number already.
 */
export async function sendCode(tx: Tx, actor: Actor, msisdn: string): Promise<void> {
  const id = await newProof(tx, actor, { msisdn, way: 'sms' });
  const { id: person_id } = await lockPersonAt(tx, 'msisdn', msisdn);
  const values = { code_of: String(id) };
  await notify(tx, [
    {
      key: `link_code:${id}`,
      person_id,
      template: 'code_sms',
      values,
      channel: 'sms',
      to_msisdn: msisdn,
    },
  ]);
}

/** Waits for a number to dial the USSD code and say yes; refuses as `sendCode` does. */
export async function awaitDial(tx: Tx, actor: Actor, msisdn: string): Promise<void> {
  await newProof(tx, actor, { msisdn, way: 'dial' });
}

/**
 * Writes down what is to be proven, and ends what the same person was proving. Throws Refusal
 * `too_many` as `sendCode` does, and `confirmed` where a stranger was to become somebody. What is
 * counted is the number; where somebody says what their old number was, what they said.
 */
export async function newProof(
  tx: Tx,
  actor: Actor,
  it:
    | { msisdn: string; way: 'sms' | 'dial' }
    | { msisdn: string | null; way: 'change'; asked: string },
): Promise<bigint> {
  const { msisdn, way } = it;
  const asked = way === 'change' ? it.asked : null;
  if (way !== 'change' && !(await isStranger(tx, actor.id))) throw new Refusal('confirmed');
  const counted = `link:${asked ?? msisdn}`;
  await sql`select pg_advisory_xact_lock(hashtextextended(${counted}, 0))`.execute(tx);
  const { rows } = await sql<{ id: bigint }>`
    with ended as (
      update link_proofs set ended_at = now() where person_id = ${actor.id} and ended_at is null
    )
    insert into link_proofs (person_id, msisdn, way, asked, expires_at)
    select ${actor.id}, ${msisdn}, ${way}, ${asked}, now() + ${good_for}::interval
    where not exists (
      select from link_proofs p
      where (case when ${asked}::text is null then p.msisdn = ${msisdn}::text and p.asked is null
                  else p.asked = ${asked}::text end
             or p.person_id = ${actor.id} and (p.asked is null) = (${asked}::text is null))
        and p.created_at > now() - interval '1 day'
      having count(*) >= ${most_a_day} or max(p.created_at) > now() - ${shortest_pause}::interval
        or count(*) filter (where p.created_at > now() - interval '1 hour') >= ${most_an_hour})
    returning id
  `.execute(tx);
  const [row] = rows;
  if (!row) throw new Refusal('too_many');
  return row.id;
}

// Who has a number or a role is somebody, and does not go over into somebody else.
async function isStranger(tx: Tx, person_id: bigint): Promise<boolean> {
  const { rows } = await sql<{ known: boolean }>`
    select exists (select from addresses where person_id = ${person_id} and kind = 'msisdn')
        or exists (select from roles where person_id = ${person_id}) as known
  `.execute(tx);
  return rows[0]?.known === false;
}

export type Proof = 'linked' | 'wrong' | 'over';

/**
 * Compares a code with the one that was sent, and links when it is right. A wrong one is counted,
 * which a refusal would undo; the fifth ends it, as ten minutes do.
 */
export async function proveByCode(
  tx: Tx,
  keyed: Keyed,
  actor: Actor,
  { msisdn, code }: { msisdn: string; code: string },
): Promise<Proof> {
  const { rows } = await sql<{ id: bigint; tries: number }>`
    update link_proofs set tries = tries + 1,
      ended_at = case when tries + 1 >= ${most_tries} then now() end
    where id = (
        select id from link_proofs
        where person_id = ${actor.id} and msisdn = ${msisdn} and way = 'sms'
        order by id desc limit 1)
      and ended_at is null and expires_at > now()
    returning id, tries
  `.execute(tx);
  const [proof] = rows;
  if (!proof) return 'over';
  if (!isOneOf([codeOf(keyed, String(proof.id))], code)) {
    return proof.tries >= most_tries ? 'over' : 'wrong';
  }
  await end(tx, proof.id);
  await link(tx, actor.id, msisdn);
  return 'linked';
}

/** Who waits for this person's number to dial: their WhatsApp and its name; undefined if nobody. */
export async function waitingDial(
  tx: Tx,
  actor: Actor,
): Promise<{ id: bigint; whatsapp: string; name: string | null } | undefined> {
  const { rows } = await sql<{ id: bigint; whatsapp: string; name: string | null }>`
    select p.id, w.value as whatsapp, (select name from people where id = p.person_id) as name
    from addresses a
    join link_proofs p on p.msisdn = a.value
    join addresses w on w.person_id = p.person_id and w.kind = 'whatsapp'
    where a.person_id = ${actor.id} and a.kind = 'msisdn'
      and p.way = 'dial' and p.ended_at is null and p.expires_at > now()
    order by p.id desc, w.heard_at desc nulls last limit 1
  `.execute(tx);
  return rows[0];
}

/**
 * Links whom this proof is of, and nobody who began to wait after it was shown. Refuses with `over`
 * when its time is over, or it is not about this person's number.
 */
export async function proveByDial(tx: Tx, actor: Actor, proof_id: bigint): Promise<void> {
  const { rows } = await sql<{ person_id: bigint; msisdn: string }>`
    update link_proofs p set ended_at = now() from addresses a
    where p.id = ${proof_id} and p.way = 'dial' and p.ended_at is null and p.expires_at > now()
      and a.person_id = ${actor.id} and a.kind = 'msisdn' and a.value = p.msisdn
    returning p.person_id, p.msisdn
  `.execute(tx);
  const [proof] = rows;
  if (!proof || !(await isStranger(tx, proof.person_id))) throw new Refusal('over');
  const { id: person_id } = await link(tx, proof.person_id, proof.msisdn);
  const values = { phone: proof.msisdn };
  const channel = 'whatsapp';
  await notify(tx, [{ key: `linked:${proof_id}`, person_id, template: 'linked', values, channel }]);
}

/** Ends every wait for this person's number to dial. */
export async function refuseDial(tx: Tx, actor: Actor): Promise<void> {
  await sql`
    update link_proofs p set ended_at = now() from addresses a
    where a.person_id = ${actor.id} and a.kind = 'msisdn' and p.msisdn = a.value
      and p.way = 'dial' and p.ended_at is null
  `.execute(tx);
}

async function end(tx: Tx, id: bigint): Promise<void> {
  await sql`update link_proofs set ended_at = now() where id = ${id}`.execute(tx);
}

/**
 * Makes the WhatsApp of a stranger that of a number's owner, who goes on for both. A WhatsApp that
 * the owner had before is theirs no more, and is told, as is the number.
 */
async function link(tx: Tx, person_id: bigint, msisdn: string): Promise<Actor> {
  assert(await isStranger(tx, person_id), 'only a stranger goes over into somebody else');
  const owner = await lockPersonAt(tx, 'msisdn', msisdn);
  await tellEarlier(tx, owner, msisdn);
  await sql`
    with moved as (
      update addresses set person_id = ${owner.id}, verified_at = now()
      where (person_id = ${person_id} and kind = 'whatsapp')
         or (person_id = ${owner.id} and kind = 'msisdn' and value = ${msisdn})
    ), told as (
      update outbox set person_id = ${owner.id} where person_id = ${person_id} and state = 'waiting'
    ), merged as (
      update people set merged_into = ${owner.id} where id = ${person_id} returning name
    )
    update people set name = coalesce(people.name, merged.name) from merged
    where people.id = ${owner.id}
  `.execute(tx);
  return personById(tx, owner.id);
}

// The earlier WhatsApp is a stranger's from now on.
async function tellEarlier(tx: Tx, owner: Actor, msisdn: string): Promise<void> {
  const values = { phone: msisdn, at: clock.now().toISOString() };
  const { rows: before } = await sql<{ id: bigint }>`
    select id from addresses where person_id = ${owner.id} and kind = 'whatsapp' order by id
  `.execute(tx);
  for (const address of before) {
    const stranger = await makeStranger(tx, owner.id);
    await sql`update addresses set person_id = ${stranger} where id = ${address.id}`.execute(tx);
    const key = `link_moved:${address.id}:${stranger}`;
    await notify(tx, [
      { key, person_id: stranger, template: 'link_moved', values, channel: 'whatsapp' },
      {
        key: `${key}:sms`,
        person_id: owner.id,
        template: 'link_moved',
        values,
        channel: 'sms',
        to_msisdn: msisdn,
      },
    ]);
  }
}
