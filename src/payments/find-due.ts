import type { Db } from '../base/db.ts';
import type { Due, Dues } from './due.ts';

/** What a person has open, in all trades, oldest due date first. */
export async function openDuesOf(db: Db, dues: readonly Dues[], person_id: bigint): Promise<Due[]> {
  const parties: string[] = [];
  for (const trade of dues) {
    parties.push(...(await trade.partiesOf(db, [person_id])).map((it) => it.party));
  }
  if (parties.length === 0) return [];
  const open: Due[] = [];
  for (const trade of dues) open.push(...(await trade.open(db, [...new Set(parties)])));
  return open.sort((a, b) => (a.due_on < b.due_on ? -1 : a.due_on > b.due_on ? 1 : 0));
}
