import type { Tx } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { msisdnFrom } from '../base/phone.ts';
import { shownLine } from '../base/text.ts';
import { registerCustomer } from './add.ts';
import { findCustomers } from './find.ts';
import { customerNumbersIn } from './number.ts';

/** The columns of a file of customers that must be there; `number` may be. */
export const customer_columns = ['name', 'phone'] as const;

/**
 * Adds the customer of one line, once: the phone, or the number that they already have, tells them
 * from others. Refuses a phone or number that is none (`wrong_phone`, `wrong_number`), a line with
 * neither (`no_phone`), without a name (`no_name`), and a number of somebody else (`other_name`).
 */
export async function importCustomer(
  tx: Tx,
  values: Readonly<Record<string, string>>,
): Promise<'added' | 'there'> {
  const { name = '', phone = '', number = '' } = values;
  const msisdn = msisdnFrom(phone);
  const [wanted] = customerNumbersIn(number);
  if (phone !== '' && msisdn === undefined) throw new Refusal('wrong_phone');
  if (number !== '' && wanted === undefined) throw new Refusal('wrong_number');
  if (msisdn === undefined && wanted === undefined) throw new Refusal('no_phone');
  if (shownLine(name, 100) === '') throw new Refusal('no_name');
  const [there] = await findCustomers(tx, wanted ?? msisdn ?? '');
  if (there && wanted !== undefined && there.name !== shownLine(name, 100)) {
    throw new Refusal('other_name');
  }
  if (there) return 'there';
  await registerCustomer(tx, { name, msisdn: msisdn ?? null, by: null, number: wanted });
  return 'added';
}
