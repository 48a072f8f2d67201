import { inTransaction } from '../../src/base/db.ts';
import { decimalFromCents } from '../../src/base/money.ts';
import { registerCustomer } from '../../src/customers/add.ts';
import { invoiceCustomer } from '../../src/invoices/invoice-customer.ts';
import { voidInvoice } from '../../src/invoices/void.ts';
import { takeBack } from '../../src/payments/take-back.ts';
import { confirmation } from './confirmation.ts';
import type { House } from './house.ts';

let keys = 0;

/** What people of the house do with customers and invoices, and what came of it. */
export function trading(house: House) {
  const { db } = house;
  return {
    register: (name: string, msisdn: string | null = null) =>
      inTransaction(db, (tx) => registerCustomer(tx, { name, msisdn, by: null })),

    issue: (
      customer_id: bigint,
      shillings: number,
      more: Partial<Parameters<typeof invoiceCustomer>[1]> = {},
    ) =>
      inTransaction(db, (tx) =>
        invoiceCustomer(tx, {
          customer_id,
          total_cents: BigInt(shillings * 100),
          description: 'school shoes',
          by: null,
          key: `test:${(keys += 1)}`,
          tell: true,
          ...more,
        }),
      ),

    cancel: (number: string, reason = 'a mistake') =>
      inTransaction(db, (tx) => voidInvoice(tx, { number, by: null, reason })),

    /** A payment by somebody whom nobody knows, for what they typed; its id. */
    pay: async (account: string, shillings: number): Promise<bigint> => {
      const body = confirmation({
        BillRefNumber: account,
        TransAmount: `${shillings}.00`,
        MSISDN: '254799000111',
      });
      await house.hook('c2b/confirmation', body);
      await house.drain();
      const { id } = await db
        .selectFrom('payments')
        .select('id')
        .where('receipt', '=', String(body['TransID']))
        .executeTakeFirstOrThrow();
      return id;
    },

    takeBack: (payment_id: bigint) =>
      inTransaction(db, (tx) =>
        takeBack(tx, house.receive.dues, payment_id, { by: null, reason: 'a mistake' }),
      ),

    /** A customer's invoices in order, "INV-… UNPAID 1500.00", as far as they were issued here. */
    invoicesOf: async (customer_id: bigint): Promise<string[]> => {
      const rows = await db
        .selectFrom('invoices')
        .select(['state', 'outstanding_cents'])
        .where('customer_id', '=', customer_id)
        .orderBy('id')
        .execute();
      return rows.map((row) => `${row.state} ${decimalFromCents(row.outstanding_cents)}`);
    },
  };
}
