import type { Db } from '../base/db.ts';
import { payerFrom, type C2bConfirmation } from '../daraja/payloads.ts';
import type { Dues, Named } from './due.ts';
import { type Limits, paidOnDay } from './limits.ts';
import { promptReferencesIn } from './prompt.ts';

export interface Rules {
  dues: readonly Dues[];
  limits: Limits;
  /** Whether a payment for an account that names nothing is refused before it is made. */
  refuse_unknown_accounts: boolean;
}

/** Safaricom's codes for refusing a payment that is about to be made (C2B validation). */
export type Refused = 'C2B00012' | 'C2B00013' | 'C2B00016';

/**
 * Whether a payment that is about to be made may be made: undefined when it may. Reads only, from
 * the same references as matching: what breaks a limit is refused, what is for a closed due too,
 * and an account that names nothing where the house says so.
 */
export async function refusalOf(
  db: Db,
  { dues, limits, refuse_unknown_accounts }: Rules,
  it: C2bConfirmation,
): Promise<Refused | undefined> {
  if (it.amount_cents > limits.payment_cents) return 'C2B00013';
  const named = await namedIn(db, dues, it.account_typed);
  if (named.length > 0 && named.every((one) => one.closed)) return 'C2B00016';
  const payer = payerFrom(it.msisdn_given);
  const who = payer.msisdn ?? payer.hash;
  if (who !== undefined) {
    const before_cents = await paidOnDay(db, who, it.paid_at);
    if (before_cents + it.amount_cents > limits.payer_day_cents) return 'C2B00013';
  }
  const names_nothing = named.length === 0 && promptReferencesIn(it.account_typed).length === 0;
  // A till's payer types none.
  if (refuse_unknown_accounts && it.account_typed !== '' && names_nothing) return 'C2B00012';
  return undefined;
}

async function namedIn(db: Db, dues: readonly Dues[], typed: string): Promise<Named[]> {
  const named: Named[] = [];
  for (const trade of dues) {
    const references = trade.referencesIn(typed);
    if (references.length > 0) named.push(...(await trade.find(db, references)));
  }
  return named;
}
