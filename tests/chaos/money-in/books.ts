import { inTransaction, openDatabase } from '../../../src/base/db.ts';
import { migrateJobs } from '../../../src/base/jobs.ts';
import { migrate } from '../../../src/base/migrate.ts';
import { addCustomer } from '../../../src/customers/add.ts';
import { issueInvoice } from '../../../src/invoices/issue.ts';
import { accountsAtMpesa, moneyAccount } from '../../../src/ledger/chart.ts';
import { openChart } from '../../../src/ledger/accounts.ts';
import { enrol } from '../../../src/people/enrol.ts';
import type { ReceiveSettings } from '../../../src/payments/receive.ts';
import { dues } from '../../../src/registry.ts';
import { createToken } from '../../../src/web/api/tokens.ts';
import { type MoneyPlan, shortcodes } from './plan.ts';

export const admin = '254700000001';
export const hook_secret = 'chaos-hook-0123456789';
export const phone_number_id = '254700000000';

/** How a business receives whose M-Pesa forgets to call back. */
export const receive: ReceiveSettings = {
  dues,
  money_accounts: new Map([
    [shortcodes.paybill, moneyAccount(shortcodes.paybill, 'paybill')],
    [shortcodes.till, moneyAccount(shortcodes.till, 'till')],
    [shortcodes.quiet, moneyAccount(shortcodes.quiet, 'paybill')],
  ]),
  limits: { payment_cents: 25_000_000n, payer_day_cents: 50_000_000n },
  digest_above_per_minute: 10,
};

const app = 'consumer_key: k, consumer_secret: s';

/** Its configuration; the shortcode that comes first is the one that asks phones. */
export function moneyConfig(asks: 'paybill' | 'till'): string {
  const paybill =
    `{ number: "${shortcodes.paybill}", kind: paybill, c2b_version: v1, ${app}, passkey: p, ` +
    `pull: { nominated_number: "${admin}" } }`;
  const till =
    `{ number: "${shortcodes.till}", kind: till, ${app}, passkey: p, ` +
    'initiator: { name: karani, credential: "YSBwYXNzd29yZA==" } }';
  const first = asks === 'paybill' ? [paybill, till] : [till, paybill];
  const quiet = `{ number: "${shortcodes.quiet}", kind: paybill, ${app} }`;
  const secret = `["${hook_secret}"]`;
  return `
environment: sandbox
business: { name: Duka, help_number: "0700000001" }
admin_numbers: ["${admin}"]
shortcodes: [${[...first, quiet].join(', ')}]
hooks: { daraja: ${secret}, ussd: ${secret}, sms: ${secret}, whatsapp: ${secret} }
whatsapp: { phone_number_id: "${phone_number_id}", access_token: t, app_secrets: ${secret}, verify_token: v }
ussd: { code: "*384*1#" }
sms: { username: duka, api_key: k }
`;
}

/** Its customers with their invoices, and a token of the admin's for other software. */
export async function openBooks(plan: MoneyPlan, database_url: string): Promise<string> {
  const { db, pool } = openDatabase(database_url, 2);
  try {
    await migrate(pool, 'sandbox');
    await migrateJobs(database_url);
    return await inTransaction(db, async (tx) => {
      await openChart(tx, [...receive.money_accounts.values()].flatMap(accountsAtMpesa));
      await enrol(tx, [{ msisdn: admin, roles: ['admin'] }]);
      const phones = plan.customers.map(({ phone }) => phone);
      const people = await enrol(
        tx,
        phones.map((msisdn) => ({ msisdn, roles: ['customer'] })),
      );
      for (const [n, { number, invoices }] of plan.customers.entries()) {
        const person_id = people[n] ?? null;
        const id = await addCustomer(tx, { number, name: `Customer ${n + 1}`, person_id });
        for (const invoice of invoices) {
          const days = { issued_on: '2026-03-01', due_on: '2026-03-31' };
          await issueInvoice(tx, { ...invoice, ...days, customer: { id, number } });
        }
      }
      const scopes = ['payments:write'] as const;
      return createToken(tx, { name: 'chaos', scopes, msisdn: admin });
    });
  } finally {
    await pool.end();
  }
}
