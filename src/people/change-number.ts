import { sql } from 'kysely';
import type { Db, Tx } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { staff_roles } from '../base/schema.ts';
import { notify } from '../outbox/notify.ts';
import { knownAtNumber, personAtNumber } from './at-number.ts';
import { becomeOne } from './become-one.ts';
import type { Belongings } from './belongings.ts';
import { lockPerson } from './find.ts';

export interface NumberChange {
  owner: bigint;
  /** The number that is theirs no more, and the one that is. */
  from: string;
  to: string;
  /** What is told is told once under it. */
  key: string;
}

/**
 * Makes a new number a person's instead of an old one, which is nobody's from now on. A WhatsApp
 * that they had under it is a stranger's, who proves a number again; who wrote from the new number
 * goes on as them. The old number is told by SMS. Throws Refusal 'over' when the old number is
 * theirs no more, 'own_account' when the new one is somebody's with an account of their own.
 */
export async function changeNumber(
  tx: Tx,
  belongings: Belongings,
  { owner, from, to, key }: NumberChange,
): Promise<void> {
  const { language } = await lockPerson(tx, owner);
  const holder = await personAtNumber(tx, to);
  await mayTakeNumber(tx, belongings, { owner, to });
  const { rows: gone } = await sql`
    delete from addresses where person_id = ${owner} and kind = 'msisdn' and value = ${from}
    returning 1
  `.execute(tx);
  if (gone.length === 0) throw new Refusal('over');
  await letGoOfWhatsApps(tx, { owner, language, key, values: { phone: from } });
  if (holder !== owner) await becomeOne(tx, belongings, { keep: owner, other: holder });
  await sql`
    update addresses set verified_at = now()
    where person_id = ${owner} and kind = 'msisdn' and value = ${to}
  `.execute(tx);
  const about = { person_id: owner, template: 'number_moved', channel: 'sms' } as const;
  await notify(tx, [
    { key: `${key}:old`, ...about, values: { phone: from }, to_msisdn: from },
    { key: `${key}:new`, person_id: owner, template: 'number_new', values: { phone: to } },
  ]);
}

// Trust ends with the number that it came from.
async function letGoOfWhatsApps(
  tx: Tx,
  it: { owner: bigint; language: string; key: string; values: Record<string, string> },
): Promise<void> {
  const { rows } = await sql<{ id: bigint }>`
    select id from addresses where person_id = ${it.owner} and kind = 'whatsapp' order by id
  `.execute(tx);
  for (const { id } of rows) {
    const { rows: moved } = await sql<{ person_id: bigint }>`
      with stranger as (insert into people (language) values (${it.language}) returning id)
      update addresses set person_id = stranger.id from stranger where addresses.id = ${id}
      returning person_id
    `.execute(tx);
    const [{ person_id } = { person_id: it.owner }] = moved;
    const told = { template: 'number_moved', values: it.values, channel: 'whatsapp' } as const;
    await notify(tx, [{ key: `${it.key}:whatsapp:${id}`, person_id, ...told }]);
  }
}

/**
 * Throws Refusal 'own_account' unless a number is free to become a person's: whoever has it now
 * works here, owes something or has paid ahead, and then two persons are one, which is another
 * matter; 'by_configuration' where the old number stands in the configuration.
 */
export async function mayTakeNumber(
  tx: Tx,
  belongings: Belongings,
  { owner, to }: { owner: bigint; to: string },
): Promise<void> {
  const { rows } = await sql`
    select from roles where person_id = ${owner} and by_configuration
  `.execute(tx);
  if (rows.length > 0) throw new Refusal('by_configuration');
  const holder = await knownAtNumber(tx, to);
  if (holder !== undefined && holder !== owner && (await hasOwnAccount(tx, belongings, holder))) {
    throw new Refusal('own_account');
  }
}

/** Whether a person works here, owes something or has paid ahead. */
export async function hasOwnAccount(
  db: Db,
  belongings: Belongings,
  person_id: bigint,
): Promise<boolean> {
  if (await isStaff(db, person_id)) return true;
  const { owed_cents, credit_cents } = await belongings.standingOf(db, person_id);
  return owed_cents !== 0n || credit_cents !== 0n;
}

/** Whether a person has a role that two admins give. */
export async function isStaff(db: Db, person_id: bigint): Promise<boolean> {
  const { rows } = await sql`
    select from roles where person_id = ${person_id} and role = any(${staff_roles}::text[])
  `.execute(db);
  return rows.length > 0;
}
