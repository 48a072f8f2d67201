import { z } from 'zod';
import type { Db } from '../base/db.ts';
import { decimalFromCents } from '../base/money.ts';
import { Money } from '../flow/action.ts';
import { type Due, type Dues, type Meant, meantBy } from './due.ts';
import type { Unmatched } from './unmatched.ts';

/** What a payment may be for, as it is shown to who decides. */
export const Payable = z.object({
  ref: z.string(),
  /** Whose it is, and their own reference. */
  name: z.string(),
  of: z.string(),
  /** What is left to pay: of a customer, of all that they have open. */
  left: Money,
});
export type Payable = z.output<typeof Payable>;

/** What is left to pay of each. */
export async function payablesOf(
  db: Db,
  dues: readonly Dues[],
  meant: readonly Meant[],
): Promise<Payable[]> {
  const parties = [...new Set(meant.map((it) => it.party))];
  const open: Due[] = [];
  for (const trade of parties.length === 0 ? [] : dues)
    open.push(...(await trade.open(db, parties)));
  return meant.map(({ reference, name, of, party, due }) => {
    const own = open.filter((it) =>
      due === null ? it.party === party : it.kind === due.kind && it.id === due.id,
    );
    const left_cents = own.reduce((sum, it) => sum + it.outstanding_cents, 0n);
    return { ref: reference, name, of, left: decimalFromCents(left_cents) };
  });
}

const most_likely = 3;
// Who types less names nobody.
const shortest_name = 3;

/**
 * What a payment is likely for, the likeliest first: what matching saw, whose name was typed as its
 * account, what is nearly the reference that was typed, and what is open for about that amount.
 */
export async function likelyFor(
  db: Db,
  dues: readonly Dues[],
  it: Pick<Unmatched, 'also_possible' | 'account_typed' | 'payer_masked' | 'left_cents'>,
): Promise<Payable[]> {
  const typed = it.account_typed.trim();
  const found: Meant[] = [];
  for (const reference of it.also_possible) found.push(...(await meantBy(db, dues, reference)));
  const named = typed.length < shortest_name ? [] : await meantBy(db, dues, typed);
  // A name that half the town has says nothing.
  if (named.length <= most_likely) found.push(...named);
  for (const trade of typed === '' ? [] : dues) found.push(...(await trade.near(db, typed)));
  const digits = it.payer_masked?.replace(/\D+/g, '%').replace(/^0/, '254') ?? null;
  const wanted = { amount_cents: it.left_cents, number_like: digits };
  for (const trade of found.length < most_likely ? dues : []) {
    for (const { reference } of await trade.suggest(db, wanted)) {
      found.push(...(await meantBy(db, dues, reference)));
    }
  }
  const once = found.filter((one, index) => {
    return !one.closed && found.findIndex((other) => other.reference === one.reference) === index;
  });
  return payablesOf(db, dues, once.slice(0, most_likely));
}
