import { sql } from 'kysely';
import { type Db, type Tx, inTransaction } from '../base/db.ts';
import { sha256 } from '../base/secrets.ts';
import {
  messagesOf,
  type WhatsAppMessage,
  WhatsAppWebhook,
} from '../channels/whatsapp-cloud/payloads.ts';
import { drainInbox } from '../inbox/take.ts';
import { notify } from '../outbox/notify.ts';
import { lockPersonAt } from '../people/find.ts';
import { type House, takeTurn } from './turn.ts';

/** Answers the WhatsApp messages that wait in the inbox, in the order in which they came. */
export async function takeTurns(db: Db, house: House): Promise<number> {
  // One at a time: each commit holds the lock of the one person whose turn it is.
  return drainInbox(db, ['whatsapp'], 1, async (tx, rows) => {
    for (const row of rows) {
      const webhook = WhatsAppWebhook.parse(JSON.parse(row.body));
      await answerAll(tx, house, row.id, messagesOf(webhook));
    }
  });
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

/**
 * Takes a webhook in which somebody answers a question for a PIN or a code. Such an answer is in no row: it
 * is used here, in the request, and what is kept of the webhook has it cut out. False when there is none.
 */
export async function takeSecretAnswers(
  db: Db,
  house: House,
  webhook: WhatsAppWebhook,
  body: string,
  from_ip: string | null,
): Promise<boolean> {
  const messages = messagesOf(webhook);
  if (!(await anySecretAwaited(db, messages))) return false;
  const kept = messages.reduce((text, message) => cutOut(text, message.text), body);
  await inTransaction(db, async (tx) => {
    const { rows } = await sql<{ id: bigint }>`
      insert into inbox (source, body, body_hash, from_ip, state, done_at)
      values ('whatsapp', ${kept}, ${sha256(kept)}, ${from_ip}::inet, 'done', now())
      on conflict (source, body_hash) do update set done_at = now()
      returning id
    `.execute(tx);
    await answerAll(tx, house, rows[0]?.id ?? 0n, messages);
  });
  return true;
}

async function anySecretAwaited(db: Db, messages: WhatsAppMessage[]): Promise<boolean> {
  if (messages.length === 0) return false;
  const { rows } = await sql`
    select 1 from addresses a
    join sessions s on s.person_id = a.person_id and s.channel = 'whatsapp' and s.awaits_secret
    where a.kind = 'whatsapp' and a.value = any(${messages.map((m) => m.from)}::text[])
    limit 1
  `.execute(db);
  return rows.length > 0;
}

// The whole quoted string, so that a short answer never cuts into an id that contains it.
function cutOut(body: string, answer: string | null): string {
  return answer ? body.replaceAll(JSON.stringify(answer), '"[cut]"') : body;
}
