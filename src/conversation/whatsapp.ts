import { sql } from 'kysely';
import { clock } from '../base/clock.ts';
import { type Db, type Tx, inTransaction } from '../base/db.ts';
import { assert } from '../base/errors.ts';
import { sha256 } from '../base/secrets.ts';
import {
  messagesOf,
  type WhatsAppMessage,
  WhatsAppWebhook,
} from '../channels/whatsapp-cloud/payloads.ts';
import { drainInbox, type Kept } from '../inbox/take.ts';
import { notify } from '../outbox/notify.ts';
import { lockPersonAt } from '../people/find.ts';
import { type House, takeTurn } from './turn.ts';

/**
 * Answers the WhatsApp messages that wait in the inbox, a person's in the order they came, in
 * however many processes.
 */
export async function takeTurns(
  db: Db,
  house: House,
  more: () => boolean = () => true,
): Promise<number> {
  const work = async (tx: Tx, rows: Kept[]) => {
    for (const row of rows) {
      const webhook = WhatsAppWebhook.parse(JSON.parse(row.body));
      await answerAll(tx, house, row.id, messagesOf(webhook));
    }
  };
  // One at a time: each commit holds the lock of the one person whose turn it is.
  return drainInbox(db, { source: 'whatsapp', batch_size: 1, work }, more);
}

async function answerAll(
  tx: Tx,
  house: House,
  inbox_id: bigint,
  messages: WhatsAppMessage[],
): Promise<void> {
  for (const message of messages) {
    const actor = await lockPersonAt(tx, 'whatsapp', message.from, message.name);
    const key = `whatsapp:${message.id}`;
    const { numInsertedOrUpdatedRows } = await tx
      .insertInto('turns')
      .values({ key, person_id: actor.id, inbox_id })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirstOrThrow();
    if (numInsertedOrUpdatedRows === 0n) continue;
    const said = await takeTurn(tx, house, {
      actor,
      channel: 'whatsapp',
      text: message.text ?? '',
      key,
    });
    await notify(tx, [{ key: `turn:${key}`, person_id: actor.id, words: said.words }]);
  }
}

// What could be a PIN or a code, were it asked for.
const like_a_secret = /^\s*\d[\d\s]{2,14}\s*$/;
const longest_wait_ms = 2_000;

/**
 * Takes a webhook in which somebody answers a question for a PIN or a code. Such an answer is in no
 * row: it is used here, in the request, and what is kept of the webhook has it cut out. A webhook
 * that was answered already is taken too, and kept no second time, since its secret is not awaited
 * any more. False: keep it.
 */
export async function takeSecretAnswers(
  db: Db,
  house: House,
  webhook: WhatsAppWebhook,
  body: string,
  from_ip: string | null,
): Promise<boolean> {
  const messages = messagesOf(webhook);
  const suspect = messages.filter((m) => like_a_secret.test(m.text ?? ''));
  if (suspect.length > 0) await finishEarlierTurns(db, house);
  const { answered, awaited } = await lookAhead(db, messages);
  if (messages.length > 0 && answered.size === messages.length) return true;
  // Beside others, it may answer what one of those leads to, or be one that was answered before.
  const among_others = suspect.length > 0 && messages.length > 1;
  if (awaited.size === 0 && !among_others) return false;
  const cut = messages.filter(
    (m) => awaited.has(m.from) || answered.has(m.id) || (among_others && suspect.includes(m)),
  );
  const kept = withoutTexts(body, new Set(cut.map((m) => m.id)));
  await inTransaction(db, async (tx) => {
    const { rows } = await sql<{ id: bigint }>`
      insert into inbox (source, body, body_hash, from_ip, state, done_at)
      values ('whatsapp', ${kept}, ${sha256(kept)}, ${from_ip}::inet, 'done', now())
      on conflict (source, body_hash) do update set done_at = now()
      returning id
    `.execute(tx);
    const [row] = rows;
    assert(row, 'an inserted row has an id');
    await answerAll(tx, house, row.id, messages);
  });
  return true;
}

// What was written just before may be what leads to the question: it is answered first, and what
// another process is answering this moment is waited for.
async function finishEarlierTurns(db: Db, house: House): Promise<void> {
  const until = clock.now().getTime() + longest_wait_ms;
  await takeTurns(db, house, () => clock.now().getTime() < until);
  await sql`
    select 1 from inbox where state = 'new' and source = 'whatsapp' and due_at <= now() for share
  `.execute(db);
}

async function lookAhead(
  db: Db,
  messages: WhatsAppMessage[],
): Promise<{ answered: Set<string>; awaited: Set<string> }> {
  const keys = messages.map((m) => `whatsapp:${m.id}`);
  const { rows } = await sql<{ answered: string[]; awaited: string[] }>`
    select array(select substr(key, 10) from turns where key = any(${keys}::text[])) as answered,
           array(
             select a.value from addresses a join sessions s on s.person_id = a.person_id
             where s.channel = 'whatsapp' and s.awaits_secret
               and a.kind = 'whatsapp' and a.value = any(${messages.map((m) => m.from)}::text[])
           ) as awaited
  `.execute(db);
  return { answered: new Set(rows[0]?.answered), awaited: new Set(rows[0]?.awaited) };
}

/** The webhook with what these messages say cut out, however it was written. */
function withoutTexts(body: string, ids: ReadonlySet<string>): string {
  return JSON.stringify(JSON.parse(body), function cut(this: unknown, key: string, value: unknown) {
    const id = typeof this === 'object' && this !== null && 'id' in this ? String(this.id) : '';
    return ids.has(id) && !['from', 'id', 'timestamp', 'type'].includes(key) ? '[cut]' : value;
  });
}
