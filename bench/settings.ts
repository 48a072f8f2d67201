import { moneyAccount } from '../src/ledger/chart.ts';
import type { ReceiveSettings } from '../src/payments/receive.ts';
import { dues } from '../src/registry.ts';

// The demo's, so that whole processes need no configuration.

export const hook_secret = 'bench-hook-secret-0123456789';

/** Where the demo's shortcodes keep their money. */
export const money_accounts = new Map([
  ['600000', moneyAccount('600000', 'paybill')],
  ['600001', moneyAccount('600001', 'till')],
]);

/** How a busy business receives: the admins have a digest, and payers are thanked one by one. */
export const busy: ReceiveSettings = {
  dues,
  money_accounts,
  limits: { payment_cents: 25_000_000n, payer_day_cents: 50_000_000n },
  digest_above_per_minute: 0,
};
