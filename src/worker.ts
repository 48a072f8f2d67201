import type { Db } from './base/db.ts';
import { runTasks, type Tasks } from './base/jobs.ts';
import { countSteps } from './conversation/step-counts.ts';
import { type SendText, sendOutbox } from './conversation/send.ts';
import type { House } from './conversation/turn.ts';
import { takeTurns } from './conversation/whatsapp.ts';
import type { Messages } from './flow/messages.ts';
import { drainPayments, sendDigest } from './payments/jobs.ts';
import type { ReceiveSettings } from './payments/receive.ts';
import { checks } from './registry.ts';
import { checkBooks } from './reports/check-books.ts';

export interface WorkerParts {
  db: Db;
  database_url: string;
  receive: ReceiveSettings;
  house: House;
  messages: Messages;
  send: SendText;
}

/** Starts the background tasks: the whole list of what runs when nobody asks. */
export async function startWorker(it: WorkerParts): Promise<Tasks> {
  return runTasks(it.database_url, {
    drain_payments: (more) => drainPayments(it.db, it.receive, more),
    take_turns: (more) => takeTurns(it.db, it.house, more),
    send_outbox: (more, give_up) => sendOutbox(it, more, give_up),
    send_digest: () => sendDigest(it.db),
    count_steps: () => countSteps(it.db),
    check_books: (more, give_up) => checkBooks({ ...it, checks }, more, give_up),
  });
}
