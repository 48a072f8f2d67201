import type { Db } from './base/db.ts';
import { runTasks, type Tasks } from './base/jobs.ts';
import { countSteps } from './conversation/step-counts.ts';
import { askQuestions } from './conversation/questions.ts';
import { takeReports } from './conversation/reports.ts';
import { type DrawPaper, type Send, sendOutbox } from './conversation/send.ts';
import { takeOptOuts, takeSms } from './conversation/sms.ts';
import type { House } from './conversation/house.ts';
import { takeTurns } from './conversation/whatsapp.ts';
import type { Messages } from './flow/messages.ts';
import { drainStatementLines } from './mpesa-statement/jobs.ts';
import { copyUndelivered, giveUpUnsent } from './outbox/delivery.ts';
import { endLostSms, followMerged } from './outbox/take.ts';
import { type Asking, askStatuses } from './payments/ask-status.ts';
import { sendReminders } from './invoices/remind.ts';
import { followConfirmed } from './payments/follow-confirmed.ts';
import { drainPayments, sendDigest } from './payments/jobs.ts';
import { lookUpPrompts } from './payments/look-up-prompts.ts';
import { type Pulling, pullPayments, wantAllPulls } from './payments/pull.ts';
import type { ReceiveSettings } from './payments/receive.ts';
import { type Prompting, sendPrompts } from './payments/send-prompts.ts';
import { expireOldRequests } from './people/requests.ts';
import { checks } from './registry.ts';
import { checkBooks } from './reports/check-books.ts';

export interface WorkerParts {
  db: Db;
  database_url: string;
  receive: ReceiveSettings;
  prompting: Prompting;
  pulling: Pulling;
  asking: Asking;
  house: House;
  messages: Messages;
  /** Where there is a number on Meta's Cloud API. */
  whatsapp: Send | undefined;
  sms: Send | undefined;
  draw: DrawPaper;
}

/** Starts the background tasks: the whole list of what runs when nobody asks. */
export async function startWorker(it: WorkerParts): Promise<Tasks> {
  // Whatever came while nobody was there.
  await wantAllPulls(it.db, it.pulling.shortcodes.keys());
  return runTasks(it.database_url, {
    drain_payments: (more) => drainPayments(it.db, it.receive, more),
    // On its own: nobody's payment waits behind a long statement.
    book_statements: (more) => drainStatementLines(it.db, it.receive, more),
    send_prompts: (more) => sendPrompts(it.db, it.prompting, more),
    look_up_prompts: async (more) => {
      await lookUpPrompts(it.db, it.prompting, more);
      await followConfirmed(it.db, it.receive);
    },
    pull_payments: (more) => pullPayments(it.db, it.pulling, more),
    ask_status: (more) => askStatuses(it.db, it.asking, more),
    take_turns: (more) =>
      Promise.all([takeTurns(it.db, it.house, more), takeSms(it.db, it.house, more)]),
    take_reports: async (more) => {
      await Promise.all([takeReports(it.db, more), takeOptOuts(it.db, more), endLostSms(it.db)]);
      await followMerged(it.db);
      const { numbers } = it.house;
      if (it.sms) await copyUndelivered(it.db, numbers);
      if (numbers.linked) await giveUpUnsent(it.db, numbers);
    },
    ask_questions: (more) =>
      Promise.all([askQuestions(it.db, it.house, more), expireOldRequests(it.db)]),
    send_outbox: (more, give_up) => sendOutbox({ ...it, sender: 'others' }, more, give_up),
    send_digest: () => sendDigest(it.db),
    remind: (more) => sendReminders(it.db, more),
    count_steps: () => countSteps(it.db),
    check_books: (more, give_up) => checkBooks({ ...it, checks }, more, give_up),
  });
}
