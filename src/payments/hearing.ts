import { payerFrom } from '../daraja/payloads.ts';

/**
 * Why a payment waits for a person although it may have a due; one of 'history' pays only what its
 * payer named exactly.
 */
export type Flag = 'unknown_shortcode' | 'over_limit' | 'over_day_limit' | 'history';

/** One way in which a payment was heard of, whatever it came by. */
export interface Hearing {
  inbox_id: bigint;
  /** What reported it; `pull`, `status` and `statement` are M-Pesa's answers to us. */
  source: 'c2b' | 'stk' | 'pull' | 'status' | 'statement';
  shortcode: string;
  receipt: string;
  amount_cents: bigint;
  paid_at: Date;
  /** What the payer typed as the account, trimmed; empty for a till. */
  account_typed: string;
  payer_msisdn: string | null;
  payer_hash: string | null;
  payer_masked: string | null;
  /** The name as M-Pesa gives it. */
  payer_name: string | null;
}

/** A payment that was new with one of these hearings, as it was recorded. */
export interface NewPayment extends Omit<Hearing, 'inbox_id' | 'source'> {
  id: bigint;
  flag: Flag | null;
}

/** The payer's number as M-Pesa wrote it: clear, hashed or masked. */
export function payerColumns(
  msisdn_given: string,
): Pick<Hearing, 'payer_msisdn' | 'payer_hash' | 'payer_masked'> {
  const { msisdn = null, hash = null, masked = null } = payerFrom(msisdn_given);
  return { payer_msisdn: msisdn, payer_hash: hash, payer_masked: masked };
}
