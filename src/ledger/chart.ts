/** The chart of accounts, as far as anything posts to it. Sub-accounts are `CODE:OWNER`. */

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

/**
 * The accounts that exist once. Owners' sub-accounts and M-Pesa's own are opened as they appear.
 */
export const chart: readonly { code: string; name: string }[] = [
  { code: '1000', name: 'Bank' },
  { code: IN_SETTLEMENT, name: 'M-Pesa in settlement' },
  { code: AFTER_REVERSAL, name: 'Receivable after reversal or clawback' },
  { code: UNMATCHED, name: 'Unmatched receipts' },
  { code: '3000', name: 'Equity and opening balances' },
  { code: SALES, name: 'Sales' },
];

/**
 * Where a shortcode's payments land at M-Pesa: a paybill's Utility account, a till's Merchant
 * account.
 */
export function moneyAccount(shortcode: string, kind: 'paybill' | 'till'): string {
  return `1010:${shortcode}:${kind === 'till' ? 'merchant' : 'utility'}`;
}

/** What one customer owes. */
export function receivableOf(customer_number: string): string {
  return `${RECEIVABLE}:${customer_number}`;
}

/** What one customer has paid ahead. */
export function creditOf(customer_number: string): string {
  return `${CUSTOMER_CREDIT}:${customer_number}`;
}
