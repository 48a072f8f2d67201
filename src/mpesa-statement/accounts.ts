import { IN_SETTLEMENT } from '../ledger/chart.ts';
import type { MpesaAccount } from './details.ts';

/**
 * The ledger account of one of M-Pesa's accounts of a shortcode. `money_accounts` says where each
 * of ours keeps its payments; one that is paid under another's number has that one's accounts.
 */
export function moneyAccountOf(
  money_accounts: ReadonlyMap<string, string>,
  shortcode: string,
  account: MpesaAccount,
): string {
  if (account === 'settlement') return IN_SETTLEMENT;
  const [control, number = shortcode] = (money_accounts.get(shortcode) ?? '').split(':');
  return `${control || '1010'}:${number}:${account}`;
}

/** In which of M-Pesa's accounts payments to a shortcode land. */
export function paidAccount(
  money_accounts: ReadonlyMap<string, string>,
  shortcode: string,
): MpesaAccount {
  return money_accounts.get(shortcode)?.endsWith(':merchant') ? 'merchant' : 'utility';
}
