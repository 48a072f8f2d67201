import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import type { Belongings } from './belongings.ts';
import { expireRequestsOf } from './requests.ts';

/**
 * Lets one person go on for two: addresses, roles and all that hangs on the other are theirs, and
 * the other's row says who goes on, so that old ids still lead somewhere. What both did stays as it
 * was written. The other's conversations end, and their one-time codes are worth nothing. Throws
 * Refusal 'over' when either was found to be somebody else meanwhile.
 */
export async function becomeOne(
  tx: Tx,
  belongings: Belongings,
  { keep, other }: { keep: bigint; other: bigint },
): Promise<void> {
  const { rows } = await sql<{ merged_into: bigint | null }>`
    select merged_into from people where id in (${keep}, ${other}) order by id for no key update
  `.execute(tx);
  if (rows.length < 2 || rows.some((row) => row.merged_into !== null)) throw new Refusal('over');
  await expireRequestsOf(tx, other);
  await belongings.handOver(tx, { keep, other });
  await sql`
    with addressed as (
      update addresses set person_id = ${keep} where person_id = ${other}
    ), had as (
      delete from roles where person_id = ${other} returning role, granted_at, by_configuration
    ), granted as (
      insert into roles (person_id, role, granted_at, by_configuration)
      select ${keep}, role, granted_at, by_configuration from had
      on conflict (person_id, role) do update
      set by_configuration = roles.by_configuration or excluded.by_configuration
    ), told as (
      -- What is on its way too: it may come back, and what WhatsApp does not deliver goes by SMS.
      update outbox set person_id = ${keep}
      where person_id = ${other} and (state in ('waiting', 'sending')
        or (state = 'sent' and sent_by = 'whatsapp' and channel is null
            and delivered_at is null and copied_at is null))
    ), talked as (
      delete from sessions where person_id = ${other}
    ), asked as (
      update questions set ended_at = now() where person_id = ${other} and ended_at is null
    ), proven as (
      update link_proofs set ended_at = now() where person_id = ${other} and ended_at is null
    ), handed as (
      delete from handoffs where person_id = ${other}
    ), coded as (
      delete from one_time_codes where person_id = ${other}
    ), earlier as (
      update people set merged_into = ${keep} where merged_into = ${other}
    ), merged as (
      update people set merged_into = ${keep} where id = ${other} returning name, stopped_at
    )
    update people set name = coalesce(people.name, merged.name),
      -- Who has said STOP from either has said it.
      stopped_at = coalesce(people.stopped_at, merged.stopped_at)
    from merged where people.id = ${keep}
  `.execute(tx);
}
