import { inTransaction, openDatabase } from '../../src/base/db.ts';
import { migrateJobs } from '../../src/base/jobs.ts';
import { migrate } from '../../src/base/migrate.ts';
import { addCustomer } from '../../src/customers/add.ts';
import { issueInvoice } from '../../src/invoices/issue.ts';
import { openChart } from '../../src/ledger/accounts.ts';
import { enrol } from '../../src/people/enrol.ts';
import { admins, customers, invoiceOf, invoices_each } from './plan.ts';

const invoice_cents = 10_000_00n;

/** The configuration of the business that is tried, with its callbacks under this secret. */
export function businessConfig(hook_secret: string): string {
  return `
environment: sandbox
business: { name: Duka, help_number: "0700000001" }
admin_numbers: ["${admins.join('", "')}"]
shortcodes: [{ number: "600000", kind: paybill, consumer_key: k, consumer_secret: s }]
hooks: { daraja: ["${hook_secret}"], ussd: ["${hook_secret}"], whatsapp: ["${hook_secret}"] }
whatsapp: { phone_number_id: "1", access_token: t, app_secrets: ["${hook_secret}"], verify_token: v }
ussd: { code: "*384*1#" }
alerts: { digest_above_per_minute: 1000 }
`;
}

/** A few customers with a few invoices each, so that payments meet on the same rows. */
export async function seedBusiness(database_url: string): Promise<void> {
  const { db, pool } = openDatabase(database_url, 2);
  await migrate(pool, 'sandbox');
  await migrateJobs(database_url);
  await inTransaction(db, async (tx) => {
    await openChart(tx, []);
    await enrol(
      tx,
      admins.map((msisdn) => ({ msisdn, roles: ['admin'] })),
    );
    const people = await enrol(
      tx,
      customers.map((msisdn) => ({ msisdn, roles: ['customer'] })),
    );
    for (const [n, person_id] of people.entries()) {
      const number = `CUST-00${n + 1}`;
      const id = await addCustomer(tx, { number, name: `Customer ${n + 1}`, person_id });
      for (let nth = 0; nth < invoices_each; nth += 1) {
        await issueInvoice(tx, {
          number: invoiceOf(n, nth),
          customer: { id, number },
          total_cents: invoice_cents,
          issued_on: '2026-03-01',
          due_on: '2026-03-31',
        });
      }
    }
  });
  await db.destroy();
}
