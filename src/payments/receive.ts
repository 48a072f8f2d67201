import type { Tx } from '../base/db.ts';
import { allocatePayments } from './allocate.ts';
import type { Dues } from './due.ts';
import type { Hearing } from './hearing.ts';
import { recordPayments } from './record.ts';
import { tellOfConflicts, tellOfPayments } from './tell.ts';

/** What receiving needs to know of the house. */
export interface ReceiveSettings {
  dues: readonly Dues[];
  /** Ledger account codes by shortcode: where each of ours keeps its money. */
  money_accounts: ReadonlyMap<string, string>;
  /** More payments a minute than this reach the admins as a digest. */
  digest_above_per_minute: number;
}

/**
 * Receives payments from any number of hearings of them: recorded, matched, allocated, on the
 * books, and the messages about them queued, all in this commit. A payment heard of before changes
 * nothing.
 */
export async function receivePayments(
  tx: Tx,
  settings: ReceiveSettings,
  hearings: Hearing[],
): Promise<void> {
  const { payments, conflicts } = await recordPayments(tx, hearings, settings.money_accounts);
  await tellOfConflicts(tx, conflicts);
  if (payments.length === 0) return;
  const allocated = await allocatePayments(tx, settings.dues, payments);
  await tellOfPayments(tx, allocated, settings.digest_above_per_minute);
}
