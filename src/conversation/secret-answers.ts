import { sql } from 'kysely';
import { clock } from '../base/clock.ts';
import { type Db, inTransaction } from '../base/db.ts';
import { assert } from '../base/errors.ts';
import { sha256 } from '../base/secrets.ts';
import { isPinLike } from '../flow/answer.ts';
import { tells_of_person } from './handoff.ts';
import type { House } from './house.ts';
import { reference_before } from './questions.ts';
import { answerAll, type Message, type Source, sources, takeTurns } from './whatsapp.ts';

// What could be a PIN or a code, were it asked for; a question's reference may stand before it.
const like_a_secret = /^\s*(?:[a-z]{2}\d{1,9}[\s:,.-]+)?\d[\d\s]{2,14}\s*$/i;
const longest_wait_ms = 2_000;

/** What came on WhatsApp, as it is to be kept. */
export interface Arrived {
  source: Source;
  body: string;
  from_ip: string | null;
}

/**
 * Takes what came when somebody answers a question for a PIN or a code in it. Such an answer is in
 * no row: it is used here, at once, and what is kept has it cut out. What was answered already is
 * taken too, and kept no second time, since its secret is not awaited any more. Otherwise returns
 * what to keep: the body, with zeros for digits that nobody asked for, since they may be a PIN too.
 */
export async function takeSecretAnswers(
  db: Db,
  house: House,
  { source, body, from_ip }: Arrived,
): Promise<string | undefined> {
  const messages = sources[source](body);
  const suspect = messages.filter((m) => like_a_secret.test(m.text ?? ''));
  if (suspect.length > 0) await finishEarlierTurns(db, house, source, suspect);
  const { answered, awaited, typing, answering } = await lookAhead(db, messages);
  if (messages.length > 0 && answered.size === messages.length) return undefined;
  // Beside others, it may answer what one of those leads to, or be one that was answered before.
  const among_others = suspect.length > 0 && messages.length > 1;
  if (awaited.size === 0 && !among_others) {
    const unasked = messages.filter(
      (m) =>
        isPinLike((m.text ?? '').replace(reference_before, '')) &&
        !typing.has(m.from) &&
        !answering.has(m.answers ?? ''),
    );
    return unasked.length === 0 ? body : withZeros(body, new Set(unasked.map((m) => m.id)));
  }
  const cut = messages.filter(
    (m) => awaited.has(m.from) || answered.has(m.key) || (among_others && suspect.includes(m)),
  );
  const kept = withoutTexts(body, new Set(cut.map((m) => m.id)));
  await inTransaction(db, async (tx) => {
    const { rows } = await sql<{ id: bigint }>`
      insert into inbox (source, body, body_hash, from_ip, state, done_at)
      values (${source}, ${kept}, ${sha256(kept)}, ${from_ip}::inet, 'done', now())
      on conflict (source, body_hash) do update set done_at = now()
      returning id
    `.execute(tx);
    const [row] = rows;
    assert(row, 'an inserted row has an id');
    await answerAll(tx, house, row.id, messages);
  });
  return undefined;
}

// What was written just before may be what leads to the question: it is answered first, and what
// another process is answering this moment is waited for.
async function finishEarlierTurns(
  db: Db,
  house: House,
  source: Source,
  messages: Message[],
): Promise<void> {
  const earlier = sql`
    select 1 from inbox where state = 'new' and source = ${source} and due_at <= now()
      and (subject is null or subject = any(${messages.map((m) => m.from)}::text[]))`;
  if ((await earlier.execute(db)).rows.length === 0) return;
  const until = clock.now().getTime() + longest_wait_ms;
  await takeTurns(db, house, () => clock.now().getTime() < until);
  await sql`${earlier} for share`.execute(db);
}

type Ahead = 'answered' | 'awaited' | 'typing' | 'answering';

async function lookAhead(db: Db, messages: Message[]): Promise<Record<Ahead, Set<string>>> {
  const keys = messages.map((m) => m.key);
  const { rows } = await sql<Record<Ahead, string[]>>`
    with waiting as (
      select a.value, s.awaits_secret, s.takes_digits
      from addresses a, lateral (
        select awaits_secret, takes_digits from sessions
        where person_id = a.person_id and channel = 'whatsapp'
        union all
        select awaits_secret, takes_digits from questions
        where person_id = a.person_id and asked_at is not null and ended_at is null) s
      where a.kind = 'whatsapp' and a.value = any(${messages.map((m) => m.from)}::text[])
    )
    select array(select key from turns where key = any(${keys}::text[])) as answered,
           array(select value from waiting where awaits_secret) as awaited,
           array(select value from waiting where takes_digits) as typing,
           -- What an admin writes to somebody who wanted a person is for them to read.
           array(select provider_id from outbox
                 where provider_id = any(${messages.flatMap((m) => m.answers ?? [])}::text[])
                   and template = any(${tells_of_person}::text[])) as answering
  `.execute(db);
  const [found] = rows;
  return {
    answered: new Set(found?.answered),
    awaited: new Set(found?.awaited),
    typing: new Set(found?.typing),
    answering: new Set(found?.answering),
  };
}

// What a message carries besides what was written in it.
const says_nothing = new Set([
  'id',
  'type',
  'from',
  'timestamp',
  'chat',
  'number',
  'lid',
  'from_me',
  'stale',
  'name',
]);

/** The body with what these messages say cut out, however it was written. */
function withoutTexts(body: string, ids: ReadonlySet<string>): string {
  return JSON.stringify(JSON.parse(body), function cut(this: unknown, key: string, value: unknown) {
    const id = typeof this === 'object' && this !== null && 'id' in this ? String(this.id) : '';
    return ids.has(id) && !says_nothing.has(key) ? '[cut]' : value;
  });
}

/** The body with zeros for the digits of these messages' texts, but for a reference before them. */
function withZeros(body: string, ids: ReadonlySet<string>): string {
  return JSON.stringify(JSON.parse(body), function cut(this: unknown, key: string, value: unknown) {
    const id = typeof this === 'object' && this !== null && 'id' in this ? String(this.id) : '';
    if (!ids.has(id) || key !== 'text') return value;
    const zeros = (found: string) => (found.length > 1 ? found : '0');
    const hidden = JSON.stringify(value).replace(/[a-z]{2}\d{1,9}(?=[\s:,.-]+\d)|\d/gi, zeros);
    return JSON.parse(hidden) as unknown;
  });
}
