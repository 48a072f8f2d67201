import type { Db } from '../base/db.ts';
import { drainInbox } from '../inbox/take.ts';
import type { ReceiveSettings } from '../payments/receive.ts';
import { bookLines } from './book.ts';
import { line_source } from './keep.ts';

const batch_size = 200;

/**
 * Works through the lines of imported statements, the oldest first: payments like any other, and
 * M-Pesa's charges and moves onto the books.
 */
export async function drainStatementLines(
  db: Db,
  receive: ReceiveSettings,
  more: () => boolean = () => true,
): Promise<number> {
  const work = bookLines(receive);
  return drainInbox(db, { source: line_source, batch_size, work }, more);
}
