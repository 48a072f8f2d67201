import type { Tx } from '../base/db.ts';
import { allocatePayments } from './allocate.ts';
import type { Dues } from './due.ts';
import { endPaid } from './end-prompts.ts';
import { followPrompts } from './follow-prompts.ts';
import type { Hearing } from './hearing.ts';
import { flagOverLimit, type Limits } from './limits.ts';
import { recordPayments } from './record.ts';
import { tellOfConflicts, tellOfPayments } from './tell.ts';

/** What receiving needs to know of the house. */
export interface ReceiveSettings {
  dues: readonly Dues[];
  /** Ledger account codes by shortcode: where each of ours keeps its money. */
  money_accounts: ReadonlyMap<string, string>;
  limits: Limits;
  /** More payments a minute than this reach the admins as a digest. */
  digest_above_per_minute: number;
}

/**
 * Receives payments from any number of hearings of them: recorded, matched, allocated, on the
 * books, and the messages about them queued, all in this commit. A payment heard of before changes
 * nothing, unless it names the prompt that caused it.
 */
export async function receivePayments(
  tx: Tx,
  settings: ReceiveSettings,
  hearings: Hearing[],
): Promise<void> {
  const { dues, limits, money_accounts, digest_above_per_minute } = settings;
  const { payments, repeats, conflicts } = await recordPayments(tx, hearings, money_accounts);
  await tellOfConflicts(tx, conflicts);
  if (payments.length > 0) {
    const flagged = await flagOverLimit(tx, payments, limits);
    const allocated = await allocatePayments(tx, dues, flagged);
    const late = await endPaid(tx, allocated);
    const news = allocated.filter(({ payment }) => payment.flag !== 'history');
    await tellOfPayments(tx, news, { digest_above_per_minute, late });
  }
  await followPrompts(tx, dues, repeats);
}
