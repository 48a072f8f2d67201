import type { Config } from './base/config.ts';
import type { Tx } from './base/db.ts';
import { addCustomer } from './customers/add.ts';
import { issueInvoice } from './invoices/issue.ts';
import { type Enrolment, enrol } from './people/enrol.ts';
import { startCodes } from './people/one-time-codes.ts';

// The demo's small business: its people and rows, trade by trade. Its numbers are fixed, others
// rely on them.

const people: (Enrolment & { name: string })[] = [
  { msisdn: '254700000001', name: 'Wanjiru', roles: ['admin'] },
  { msisdn: '254700000002', name: 'Otieno', roles: ['admin'] },
  { msisdn: '254700000003', name: 'Achieng', roles: ['owner'] },
  { msisdn: '254700000004', name: 'Kamau', roles: ['customer', 'borrower'] },
  { msisdn: '254700000005', name: 'Mwangi', roles: ['tenant'] },
  { msisdn: '254700000006', name: 'Nekesa', roles: ['bettor'] },
  { msisdn: '254700000007', name: 'Baraka', roles: ['officer'] },
  { msisdn: '254700000008', name: 'Zawadi', roles: ['cashier'] },
];

const kamau = people.findIndex((person) => person.name === 'Kamau');

/** The demo's configuration: every provider's addresses carry the one secret. */
export function demoConfig(hook_secret: string): Omit<Config, 'environment'> {
  // v1 hashes the payer's number, and a hash still finds the people we know.
  const app = {
    c2b_version: 'v1',
    consumer_key: 'demo',
    consumer_secret: 'demo',
    passkey: 'demo',
    pull: { nominated_number: '254700000001' },
    initiator: { name: 'demo', credential: btoa('demo') },
  } as const;
  return {
    business: { name: 'Duka la Wanjiru', help_number: '254700000001' },
    admin_numbers: people.filter((p) => p.roles.includes('admin')).map((p) => p.msisdn),
    shortcodes: [
      { number: '600000', kind: 'paybill', ...app },
      { number: '600001', kind: 'till', ...app },
    ],
    hooks: {
      daraja: [hook_secret],
      ussd: [hook_secret],
      sms: [hook_secret],
      whatsapp: [hook_secret],
    },
    whatsapp: {
      phone_number_id: '254700000000',
      access_token: hook_secret,
      app_secrets: [hook_secret],
      verify_token: hook_secret,
      graph_version: 'v25.0',
    },
    ussd: { code: '*384*123456#' },
    sms: { username: 'demo', api_key: hook_secret, sender: 'DUKA' },
    channels: {},
    alerts: { digest_above_per_minute: 10 },
    limits: { payment: 250_000, payer_day: 500_000 },
    unknown_accounts: 'accept',
    trusted_proxies: [],
    allowed_sources: { daraja: [] },
  };
}

/** Writes the demo's people and rows, once: what is there at the next start is left as it is. */
export async function seedDemo(tx: Tx): Promise<void> {
  const ids = await enrol(tx, people);
  // The playground shows an admin's codes, where an app would.
  const admins = ids.filter((_, index) => people[index]?.roles.includes('admin'));
  await startCodes(tx, admins);
  const there = await tx.selectFrom('customers').select('id').limit(1).executeTakeFirst();
  if (there) return;
  const number = 'CUST-001';
  const id = await addCustomer(tx, { number, name: 'Kamau', person_id: ids[kamau] ?? null });
  for (const invoice of [
    {
      number: 'INV-20260203-0001',
      total_cents: 500_000n,
      issued_on: '2026-02-03',
      due_on: '2026-02-10',
    },
    {
      number: 'INV-20260210-0002',
      total_cents: 150_000n,
      issued_on: '2026-02-10',
      due_on: '2026-02-17',
    },
  ]) {
    await issueInvoice(tx, { ...invoice, customer: { id, number } });
  }
}
