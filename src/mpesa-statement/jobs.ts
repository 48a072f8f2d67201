import type { Db } from '../base/db.ts';
import { drainInbox } from '../inbox/take.ts';
import { bookLines, type BookSettings } from './book.ts';
import { line_source } from './keep.ts';

const batch_size = 200;

/**
 * Works through the lines of imported statements, the oldest first: payments like any other, and
 * M-Pesa's charges and moves onto the books.
 */
export async function drainStatementLines(
  db: Db,
  settings: BookSettings,
  more: () => boolean = () => true,
): Promise<number> {
  const work = bookLines(settings);
  return drainInbox(db, { source: line_source, batch_size, work }, more);
}
