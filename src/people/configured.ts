import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';
import { enrol } from './enrol.ts';
import { expireRequestsOfOthers } from './requests.ts';

/**
 * Makes the numbers of the configuration admins, and nobody else by it: who was one because the
 * configuration said so, and is not in it any more, is none now.
 */
export async function keepConfiguredAdmins(tx: Tx, msisdns: readonly string[]): Promise<void> {
  const ids = await enrol(
    tx,
    msisdns.map((msisdn) => ({ msisdn, roles: ['admin'] })),
  );
  await sql`
    with named as (
      update roles set by_configuration = true
      where role = 'admin' and person_id = any(${ids}::bigint[]) and not by_configuration
    )
    delete from roles
    where by_configuration and role = 'admin' and person_id <> all(${ids}::bigint[])
  `.execute(tx);
  await expireRequestsOfOthers(tx);
}
