import { z } from 'zod';
import type { Db } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { decimalFromCents } from '../base/money.ts';
import { msisdnFrom } from '../base/phone.ts';
import { type Actions, action, Money } from '../flow/action.ts';
import { balancesOf } from '../ledger/balances.ts';
import { creditOf, receivableOf } from '../ledger/chart.ts';
import type { Dues } from '../payments/due.ts';
import { needRole } from '../people/need-role.ts';
import { registerCustomer } from './add.ts';
import { customersMeant, type Found, findCustomers, somebodyNew } from './find.ts';

const Choice = z.object({ number: z.string(), name: z.string() });

/** What admins do with customers. */
export const customerActions = (dues: readonly Dues[]): Actions => ({
  ...finding(dues),
  ...keeping,
});

const finding = (dues: readonly Dues[]): Actions => ({
  'customers.who': action({
    // A name, a phone, a customer's number or an invoice's.
    input: z.object({ typed: z.string() }),
    output: z.object({
      count: z.number(),
      customers: z.array(Choice),
      /** Where only one is meant. */
      only: z.string().optional(),
    }),
    refusals: ['not_allowed', 'none'],
    looks: true,
    run: async (tx, { actor, input }) => {
      needRole(actor, 'admin');
      const customers = (await customersMeant(tx, dues, input.typed)).map(inShort);
      const [first, ...others] = customers;
      if (!first) throw new Refusal('none');
      const only = others.length === 0 ? { only: first.number } : {};
      return { count: customers.length, customers, ...only };
    },
  }),

  'customers.find': action({
    input: z.object({ text: z.string() }),
    output: z.object({
      count: z.number(),
      customers: z.array(Choice),
      /** Of one that is found. */
      only: z.string().optional(),
      /** Of one that is not: what the text says of them. */
      name: z.string().optional(),
      phone: z.string().optional(),
    }),
    refusals: ['not_allowed', 'none'],
    looks: true,
    run: async (tx, { actor, input }) => {
      needRole(actor, 'admin');
      const customers = (await customersMeant(tx, dues, input.text)).map(inShort);
      const [only] = customers;
      if (customers.length === 1 && only) return { count: 1, customers, only: only.number };
      if (customers.length > 1) return { count: customers.length, customers };
      const somebody = somebodyNew(dues, input.text);
      if (!somebody) throw new Refusal('none');
      return { count: 0, customers, ...somebody };
    },
  }),
});

const keeping: Actions = {
  'customers.show': action({
    // The only one that was found, or the one of several that was chosen.
    input: z.object({ only: z.string().optional(), chosen: z.string().optional() }),
    output: z.object({
      number: z.string(),
      name: z.string(),
      phone: z.string(),
      owed: Money,
      credit: Money,
    }),
    refusals: ['not_allowed', 'unknown'],
    looks: true,
    run: async (tx, { actor, input }) => {
      needRole(actor, 'admin');
      const [customer] = await findCustomers(tx, input.chosen ?? input.only ?? '');
      if (!customer) throw new Refusal('unknown');
      const { number, name, msisdn } = customer;
      return { number, name, phone: msisdn ?? '-', ...(await standingOf(tx, customer)) };
    },
  }),

  'customers.add': action({
    input: z.object({
      name: z.string().optional(),
      typed_name: z.string().optional(),
      phone: z.string().optional(),
      typed_phone: z.string().optional(),
    }),
    output: z.object({ number: z.string(), name: z.string() }),
    refusals: ['not_allowed', 'exists', 'no_name'],
    run: async (tx, { actor, input }) => {
      needRole(actor, 'admin');
      const { number, name } = await registerCustomer(tx, {
        name: input.typed_name ?? input.name ?? '',
        msisdn: msisdnFrom(input.typed_phone ?? input.phone ?? '') ?? null,
        by: actor.id,
      });
      return { number, name };
    },
  }),
};

function inShort({ number, name }: Found) {
  return { number, name };
}

async function standingOf(db: Db, { number }: { number: string }) {
  const balances = await balancesOf(db, [receivableOf(number), creditOf(number)]);
  return {
    owed: decimalFromCents(balances.get(receivableOf(number)) ?? 0n),
    credit: decimalFromCents(balances.get(creditOf(number)) ?? 0n),
  };
}
