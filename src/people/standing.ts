import { z } from 'zod';
import type { Db } from '../base/db.ts';
import { decimalFromCents } from '../base/money.ts';
import { Money } from '../flow/action.ts';
import type { Belongings } from './belongings.ts';
import { nameOf } from './requests.ts';

/** A person with what hangs on them. */
export const Standing = z.object({
  id: z.string(),
  who: z.string(),
  phone: z.string(),
  customers: z.string(),
  owed: Money,
  credit: Money,
});

/** A person as admins see them before they decide about them. */
export async function standing(
  db: Db,
  belongings: Belongings,
  person_id: bigint,
): Promise<z.output<typeof Standing>> {
  const { customers, owed_cents, credit_cents } = await belongings.standingOf(db, person_id);
  const { who, phone } = await nameOf(db, person_id);
  return {
    id: String(person_id),
    who,
    phone: phone || '-',
    customers: customers || '-',
    owed: decimalFromCents(owed_cents),
    credit: decimalFromCents(credit_cents),
  };
}
