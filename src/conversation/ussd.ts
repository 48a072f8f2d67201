import { sql } from 'kysely';
import { type Db, type Tx, inTransaction } from '../base/db.ts';
import { sha256 } from '../base/secrets.ts';
import { heardNow, newAnswer, type UssdRequest } from '../channels/ussd/africas-talking.ts';
import type { Actor } from '../flow/action.ts';
import { lockPersonAt } from '../people/find.ts';
import { type House, type Said, takeTurn } from './turn.ts';

interface GatewaySession {
  turn: number;
  text_length: number;
  text_hash: string;
  reply: string;
  over: boolean;
}

/**
 * One key press on USSD, answered in the request itself: the request without its secrets, the turn
 * and its answer in one commit. The same request again gets the same answer.
 */
export async function answerUssd(
  db: Db,
  house: House,
  key: string,
  request: UssdRequest,
  from_ip: string | null,
): Promise<Said> {
  return inTransaction(db, async (tx) => {
    const actor = await lockPersonAt(tx, 'msisdn', request.phoneNumber);
    const before = await loadGatewaySession(tx, request.sessionId, actor);
    const now = newAnswer(key, request, before);
    if (before && now.kind === 'repeat') return { words: before.reply, over: before.over };

    const text = now.kind === 'answer' ? now.text : '';
    const secret = now.kind === 'answer' && (await awaitsSecret(tx, actor));
    const turn = (before?.turn ?? 0) + 1;
    await keepRequest(tx, request, {
      turn,
      answer: secret ? null : text,
      hash: heardNow(key, request),
      from_ip,
    });
    const said = await takeTurn(tx, house, {
      actor,
      channel: 'ussd',
      text,
      dialled: now.kind === 'dialled',
      key: `ussd:${request.sessionId}:${turn}`,
    });
    await saveGatewaySession(tx, key, request, actor, turn, said);
    return said;
  });
}

async function loadGatewaySession(
  tx: Tx,
  gateway_id: string,
  actor: Actor,
): Promise<GatewaySession | undefined> {
  const row = await tx
    .selectFrom('ussd_sessions')
    .select(['turn', 'text_length', 'text_hash', 'reply', 'over'])
    .where('gateway_id', '=', gateway_id)
    .where('person_id', '=', actor.id)
    .executeTakeFirst();
  return row;
}

async function awaitsSecret(tx: Tx, actor: Actor): Promise<boolean> {
  const row = await tx
    .selectFrom('sessions')
    .select('awaits_secret')
    .where('person_id', '=', actor.id)
    .where('channel', '=', 'ussd')
    .executeTakeFirst();
  return row?.awaits_secret ?? false;
}

// Not the request as it came: its `text` repeats every earlier answer, secrets included.
async function keepRequest(
  tx: Tx,
  request: UssdRequest,
  it: {
    turn: number;
    answer: string | null;
    hash: { text_length: number; text_hash: string };
    from_ip: string | null;
  },
): Promise<void> {
  const body = JSON.stringify({
    session: request.sessionId,
    turn: it.turn,
    phone: request.phoneNumber,
    code: request.serviceCode,
    network: request.networkCode,
    ...it.hash,
    ...(it.answer === null ? {} : { answer: it.answer }),
  });
  await sql`
    insert into inbox (source, body, body_hash, from_ip, state, done_at)
    values ('ussd', ${body}, ${sha256(body)}, ${it.from_ip}::inet, 'done', now())
    on conflict (source, body_hash) do nothing
  `.execute(tx);
}

async function saveGatewaySession(
  tx: Tx,
  key: string,
  request: UssdRequest,
  actor: Actor,
  turn: number,
  said: Said,
): Promise<void> {
  const heard = heardNow(key, request);
  await sql`
    insert into ussd_sessions (gateway_id, person_id, turn, text_length, text_hash, reply, over)
    values (${request.sessionId}, ${actor.id}, ${turn}, ${heard.text_length}, ${heard.text_hash},
            ${said.words}, ${said.over})
    on conflict (gateway_id) do update set
      person_id = excluded.person_id, turn = excluded.turn, text_length = excluded.text_length,
      text_hash = excluded.text_hash, reply = excluded.reply, over = excluded.over, updated_at = now()
  `.execute(tx);
}
