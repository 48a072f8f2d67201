import { sql } from 'kysely';
import { clock, eatDate } from '../base/clock.ts';
import type { Db, Tx } from '../base/db.ts';
import { log } from '../base/log.ts';
import type { StatusVerdict } from '../base/schema.ts';
import type { StatusResult } from '../daraja/status-payloads.ts';
import { drainInbox, type Kept } from '../inbox/take.ts';
import { tellAdmins } from '../people/tell-admins.ts';
import { type Hearing, payerColumns } from './hearing.ts';
import { readAgain, readStatusResult } from './read-callback.ts';
import { receivePayments, type ReceiveSettings } from './receive.ts';
import { reversedAtMpesa } from './reverse.ts';
import { tellContradicted } from './tell.ts';

const batch_size = 50;

/** Works through M-Pesa's answers about payments that we asked about. */
export async function drainStatusResults(
  db: Db,
  settings: ReceiveSettings,
  more: () => boolean,
): Promise<number> {
  const results = await drainInbox(
    db,
    { source: 'status_result', batch_size, work: (tx, rows) => takeResults(tx, settings, rows) },
    more,
  );
  const timeouts = await drainInbox(
    db,
    { source: 'status_timeout', batch_size, work: takeTimeouts },
    more,
  );
  return results + timeouts;
}

// An answer may come all the same, and the next question is there already.
async function takeTimeouts(tx: Tx, rows: Kept[]): Promise<void> {
  await sql`
    update status_questions set error = 'given up by M-Pesa'
    where token = any(${rows.map((row) => row.subject)}::text[]) and answered_at is null
  `.execute(tx);
}

interface Asked {
  /** Of the payment. */
  id: bigint;
  receipt: string;
  amount_cents: bigint;
  token: string;
  shortcode: string;
  paid_at: Date;
}

interface Answer {
  row: Kept;
  it: StatusResult;
  asked: Asked;
  verdict: StatusVerdict;
}

async function takeResults(tx: Tx, settings: ReceiveSettings, rows: Kept[]): Promise<void> {
  const answers = await understand(tx, rows);
  await recordAnswers(tx, answers);
  const of = (verdict: StatusVerdict) => answers.filter((answer) => answer.verdict === verdict);
  await receivePayments(tx, settings, of('verified').map(hearingOf));
  await tellContradicted(
    tx,
    of('contradicted').map(({ asked }) => asked),
  );
  const at = clock.now();
  const reversals = of('reversed').map(({ asked }) => ({
    receipt: asked.receipt,
    reversal_receipt: null,
    at,
  }));
  if (reversals.length > 0) await reversedAtMpesa(tx, settings, reversals);
  await tellRefused(tx, of('refused'));
}

async function understand(tx: Tx, rows: Kept[]): Promise<Answer[]> {
  const { rows: questions } = await sql<Asked>`
    select q.token, q.shortcode, p.id, p.receipt, p.amount_cents, p.paid_at
    from status_questions q join payments p on p.id = q.payment_id
    where q.token = any(${rows.map((row) => row.subject)}::text[]) and q.asked_at is not null
  `.execute(tx);
  const by_token = new Map(questions.map((asked) => [asked.token, asked]));
  return rows.flatMap((row) => {
    const asked = by_token.get(row.subject ?? '');
    // A question is a row before it is asked: what has none was never ours.
    if (!asked) {
      log.warn({ inbox_id: String(row.id) }, 'an answer to what we never asked');
      return [];
    }
    const it = readAgain(row.body, readStatusResult);
    return [{ row, it, asked, verdict: verdictOf(it, asked) }];
  });
}

// The fault is the initiator's, and says nothing of the payment.
const initiator_refused = new Set(['18', '20', '21', '22', '2001', '2006', '2028', '8006']);
const no_such_receipt = '2032';
const never_paid = new Set(['cancelled', 'declined', 'expired']);

function verdictOf(it: StatusResult, asked: Asked): StatusVerdict {
  if (initiator_refused.has(it.code)) return 'refused';
  if (it.code === no_such_receipt) return 'contradicted';
  if (it.code !== '0') return 'unclear';
  if (it.receipt !== undefined && it.receipt !== asked.receipt) return 'unclear';
  if (it.state === 'reversed') return 'reversed';
  if (never_paid.has(it.state)) return 'contradicted';
  if (it.state !== 'completed' || it.amount_cents === undefined) return 'unclear';
  return it.amount_cents === asked.amount_cents ? 'verified' : 'contradicted';
}

async function recordAnswers(tx: Tx, answers: Answer[]): Promise<void> {
  if (answers.length === 0) return;
  await sql`
    update status_questions q set answered_at = now(), result_code = a.code, verdict = a.verdict
    from unnest(${answers.map(({ asked }) => asked.token)}::text[],
                ${answers.map(({ it }) => it.code)}::text[],
                ${answers.map(({ verdict }) => verdict)}::text[]) as a(token, code, verdict)
    where q.token = a.token
  `.execute(tx);
}

function hearingOf({ row, it, asked }: Answer): Hearing {
  return {
    inbox_id: row.id,
    source: 'status',
    shortcode: asked.shortcode,
    receipt: asked.receipt,
    amount_cents: asked.amount_cents,
    paid_at: asked.paid_at,
    account_typed: '',
    ...payerColumns(it.payer?.msisdn_given ?? ''),
    payer_name: it.payer?.name ?? null,
  };
}

async function tellRefused(tx: Tx, refused: Answer[]): Promise<void> {
  for (const { asked, it } of refused) {
    const { shortcode } = asked;
    const key = `initiator:${shortcode}:${eatDate(clock.now())}`;
    const values = { shortcode, code: it.code };
    await tellAdmins(tx, { key, template: 'initiator_refused', values });
  }
}
