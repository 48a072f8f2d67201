import { sql } from 'kysely';
import type { Db, Tx } from '../base/db.ts';
import { notify } from '../outbox/notify.ts';
import { clock } from '../base/clock.ts';
import { makeStranger } from './strangers.ts';

/**
 * WhatsApp names an account by its number, by an id of its own that shows none ("123@lid"), or by
 * both. We know it by its number where we have heard it, else by that id.
 */
export interface WhatsAppIds {
  number: string | null;
  lid: string | null;
}

/**
 * The address under which an account is known: by its number, or by its id where the number has
 * not been seen yet; or under which it would be.
 */
export async function knownAs(db: Db, { number, lid }: WhatsAppIds): Promise<string | undefined> {
  const { rows } = await sql<{ value: string }>`
    select value from addresses where kind = 'whatsapp' and (value = ${number} or lid = ${lid})
    order by value = ${number} desc nulls last, id limit 1
  `.execute(db);
  return rows[0]?.value ?? number ?? lid ?? undefined;
}

interface Row {
  id: bigint;
  person_id: bigint;
  value: string;
  lid: string | null;
  /** Neither a number nor a role is theirs. */
  stranger: boolean;
}

/**
 * Learns that an id and a number are one account's. What was known of either becomes one, where one
 * of them is nobody in particular yet. Where the number had another id, it is another account by
 * now, whoever holds it: it is a stranger's until they prove the number, and its owner is told.
 */
export async function learnIds(tx: Tx, { number, lid }: WhatsAppIds): Promise<void> {
  if (number === null || lid === null) return;
  const { rows } = await sql<Row>`
    select a.id, a.person_id, a.value, a.lid,
      not exists (select from addresses m where m.person_id = a.person_id and m.kind = 'msisdn')
        and not exists (select from roles r where r.person_id = a.person_id) as stranger
    from addresses a where a.kind = 'whatsapp' and a.value in (${number}, ${lid})
    for update
  `.execute(tx);
  const by_number = rows.find((row) => row.value === number);
  const by_lid = rows.find((row) => row.value === lid);
  if (by_number?.lid === lid && !by_lid) return;
  if (by_number && by_number.lid !== null && by_number.lid !== lid) {
    await anotherAccount(tx, by_number, { number, lid });
    by_number.stranger = true;
  }
  if (by_lid && !by_number) {
    await sql`update addresses set value = ${number}, lid = ${lid} where id = ${by_lid.id}`.execute(
      tx,
    );
  } else if (by_lid && by_number) {
    // Two whom we know: whose the id is, is certain; the number alone was never tied to an account.
    if (!by_lid.stranger && !by_number.stranger) {
      await anotherAccount(tx, by_number, { number, lid });
      by_number.stranger = true;
    }
    await becomeOne(tx, by_number, by_lid);
  }
  await sql`
    update addresses set lid = ${lid} where kind = 'whatsapp' and value = ${number}
  `.execute(tx);
}

async function anotherAccount(tx: Tx, row: Row, { number, lid }: WhatsAppIds): Promise<void> {
  const { person_id } = row;
  const stranger = await makeStranger(tx, person_id);
  await sql`
    update addresses set person_id = ${stranger}, verified_at = null,
      linked_chat = null, heard_at = null, heard_by = null
    where id = ${row.id}
  `.execute(tx);
  row.person_id = stranger;
  if (row.stranger) return;
  const values = { phone: number ?? '', at: clock.now().toISOString() };
  const key = `link_moved:${row.id}:${lid}`;
  await notify(tx, [{ key, person_id, template: 'link_moved', values, channel: 'sms' }]);
}

// The one that is nobody in particular goes over into the other, and the number's row stays.
async function becomeOne(tx: Tx, by_number: Row, by_lid: Row): Promise<void> {
  const goes = by_number.stranger ? by_number : by_lid;
  const stays = goes === by_number ? by_lid : by_number;
  await sql`
    with dropped as (
      delete from addresses where id = ${by_lid.id} returning linked_chat, heard_at, heard_by
    ), moved as (
      update addresses a set person_id = ${stays.person_id},
        linked_chat = coalesce(a.linked_chat, dropped.linked_chat),
        heard_at = greatest(a.heard_at, dropped.heard_at),
        heard_by = coalesce(a.heard_by, dropped.heard_by)
      from dropped where a.id = ${by_number.id}
    ), told as (
      update outbox set person_id = ${stays.person_id}
      where person_id = ${goes.person_id} and state = 'waiting'
    )
    update people set merged_into = ${stays.person_id}
    where id = ${goes.person_id} and id <> ${stays.person_id}
  `.execute(tx);
}
