import { sql } from 'kysely';
import { vi } from 'vitest';
import { clock } from '../../src/base/clock.ts';
import { inTransaction } from '../../src/base/db.ts';
import { askQuestions } from '../../src/conversation/questions.ts';
import { codeNow, startCodes } from '../../src/people/one-time-codes.ts';
import { enrol } from '../../src/people/enrol.ts';
import type { House } from './house.ts';

export const wanjiru = '254700000001';
export const otieno = '254700000002';
/** A third admin, whom the demo does not have. */
export const halima = '254700000021';

const step_ms = 30_000;
let shift_ms = 0;

/** A code that is good now, for the person behind this number: each time one of a later step. */
export async function codeOf(house: House, msisdn: string): Promise<string> {
  shift_ms += step_ms;
  return codeAt(house, msisdn, shift_ms);
}

/** A code that is certainly not good: none of the three that would be taken. */
export async function wrongCode(house: House, msisdn: string): Promise<string> {
  const good = new Set<string>();
  // The last is where the clock stays.
  for (const steps of [-1, 1, 0]) {
    good.add(await codeAt(house, msisdn, shift_ms + steps * step_ms));
  }
  return ['111111', '222222', '333333', '444444'].find((code) => !good.has(code)) ?? '';
}

// The clock goes on from there, until the file ends.
async function codeAt(house: House, msisdn: string, ahead_ms: number): Promise<string> {
  vi.spyOn(clock, 'now').mockImplementation(() => new Date(Date.now() + ahead_ms));
  const person_id = await personOf(house, msisdn);
  return (await codeNow(house.db, house.conversations.keyed, person_id))?.code ?? '';
}

export async function personOf(house: House, msisdn: string): Promise<bigint> {
  const { rows } = await sql<{ person_id: bigint }>`
    select person_id from addresses where kind = 'msisdn' and value = ${msisdn}
  `.execute(house.db);
  return rows[0]?.person_id ?? 0n;
}

/** Makes Halima an admin with codes, as one that two others have added. */
export async function withThirdAdmin(house: House): Promise<bigint> {
  return inTransaction(house.db, async (tx) => {
    const [id = 0n] = await enrol(tx, [{ msisdn: halima, name: 'Halima', roles: ['admin'] }]);
    await startCodes(tx, [id]);
    return id;
  });
}

/** Asks what waits to be asked, as the worker would; which admins were asked to approve what, "254…: RQ1". */
export async function asked(house: House): Promise<string[]> {
  await askQuestions(house.db, house.conversations, () => true);
  const { rows } = await sql<{ asked: string }>`
    select a.value || ': ' || q.ref as asked
    from questions q join addresses a on a.person_id = q.person_id and a.kind = 'msisdn'
    where q.ref like 'RQ%' and q.asked_at is not null and q.ended_at is null order by 1
  `.execute(house.db);
  return rows.map((row) => row.asked);
}

/** What people were told by templates since an id of the outbox, "254…: template". */
export async function told(house: House, since = 0n): Promise<string[]> {
  const { rows } = await sql<{ told: string }>`
    select coalesce(o.to_msisdn, a.value, '?') || ': ' || o.template as told
    from outbox o left join lateral (
      select value from addresses where person_id = o.person_id order by kind, id limit 1) a on true
    where o.id > ${since} and o.template is not null order by o.id
  `.execute(house.db);
  return rows.map((row) => row.told);
}
