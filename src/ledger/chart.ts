/** The chart of accounts, as far as anything posts to it. Sub-accounts are `CODE:OWNER`. */

export const BANK = '1000';
/**
 * M-Pesa in settlement; also what was reported for a shortcode that is not configured, until a
 * person looks.
 */
export const IN_SETTLEMENT = '1015';
export const RECEIVABLE = '1200';
/** What was already used when M-Pesa took its payment back. */
export const AFTER_REVERSAL = '1390';
export const CUSTOMER_CREDIT = '2010';
export const UNMATCHED = '2040';
export const SALES = '4000';
/** What M-Pesa takes for its work. */
export const MPESA_CHARGES = '5010';

/**
 * The accounts that exist once. Owners' sub-accounts and M-Pesa's own are opened as they appear.
 */
export const chart: readonly { code: string; name: string }[] = [
  { code: BANK, name: 'Bank' },
  { code: IN_SETTLEMENT, name: 'M-Pesa in settlement' },
  { code: AFTER_REVERSAL, name: 'Receivable after reversal or clawback' },
  { code: UNMATCHED, name: 'Unmatched receipts' },
  { code: '3000', name: 'Equity and opening balances' },
  { code: SALES, name: 'Sales' },
  { code: MPESA_CHARGES, name: 'M-Pesa charges' },
];

/**
 * Where a shortcode's payments land at M-Pesa: a paybill's Utility account, a till's Merchant
 * account.
 */
export function moneyAccount(shortcode: string, kind: 'paybill' | 'till'): string {
  return `1010:${shortcode}:${kind === 'till' ? 'merchant' : 'utility'}`;
}

/**
 * All accounts that a shortcode has at M-Pesa, given where its payments land: that one, and the
 * Working account, from which it pays businesses.
 */
export function accountsAtMpesa(money_account: string): string[] {
  return [money_account, money_account.replace(/:[a-z]+$/, ':working')];
}

/** What one customer owes. */
export function receivableOf(customer_number: string): string {
  return `${RECEIVABLE}:${customer_number}`;
}

/** What one customer has paid ahead. */
export function creditOf(customer_number: string): string {
  return `${CUSTOMER_CREDIT}:${customer_number}`;
}
