import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';
import { wake } from '../base/jobs.ts';

/** What can be tapped below words, where a channel can show it. */
export interface Choices {
  body: string;
  open: string;
  at: string;
  options: { id: string; label: string }[];
}

/** A paper that goes with a message: drawn as it leaves, so that it says how things stand then. */
export type Paper =
  | { kind: 'invoice'; number: string }
  /** Days in Nairobi, both of them on it. */
  | { kind: 'statement'; customer: string; from: string; to: string };

/** Something to tell a person: a message of flows/_messages.yaml, or words already chosen. */
export type Message = {
  key: string;
  person_id: bigint;
  /** A reminder or news: whoever said STOP is not told. */
  optional?: boolean;
  /** By this channel and no other; otherwise by whichever reaches the person. */
  channel?: 'whatsapp' | 'sms';
  /** By SMS to this number, where they have several, or have it no more. */
  to_msisdn?: string;
  /** The trade that it is of, or the kind of due: it may be kept off a channel. */
  trade?: string;
  /** The reference of the question that it asks. */
  question?: string;
  /** Where the channel can carry it: by SMS the words go alone. */
  paper?: Paper;
} &
  /** Below a template's words, which are its choices' body, what may be tapped. */
  (
    | { template: string; values: Record<string, string>; choices?: Choices | undefined }
    | { words: string; choices?: Choices | undefined }
  );

/**
 * Queues messages in this commit; they are sent after it. The key says what is told and to whom,
 * and a message under the same key is queued once. Money in `values` is a decimal string of
 * shillings. Who was found to be somebody else is told as that one.
 */
export async function notify(tx: Tx, messages: Message[]): Promise<void> {
  if (messages.length === 0) return;
  await sql`
    insert into outbox
      (key, person_id, template, values, words, channel, choices, question, trade, paper, to_msisdn)
    select m.key, coalesce((select merged_into from people p where p.id = m.person_id), m.person_id),
      m.template, m.values, m.words, m.channel, m.choices, m.question, m.trade, m.paper, m.to_msisdn
    from unnest(
      ${messages.map((m) => m.key)}::text[],
      ${messages.map((m) => m.person_id)}::bigint[],
      ${messages.map((m) => ('template' in m ? m.template : null))}::text[],
      ${messages.map((m) => JSON.stringify('template' in m ? m.values : {}))}::jsonb[],
      ${messages.map((m) => ('words' in m ? m.words : null))}::text[],
      ${messages.map((m) => m.channel ?? null)}::text[],
      ${messages.map((m) => ('choices' in m && m.choices ? JSON.stringify(m.choices) : null))}::jsonb[],
      ${messages.map((m) => m.question ?? null)}::text[],
      ${messages.map((m) => m.optional === true)}::boolean[],
      ${messages.map((m) => m.trade ?? null)}::text[],
      ${messages.map((m) => (m.paper ? JSON.stringify(m.paper) : null))}::jsonb[],
      ${messages.map((m) => m.to_msisdn ?? null)}::text[]
    ) with ordinality as m(
      key, person_id, template, values, words, channel, choices, question, optional, trade, paper,
      to_msisdn, n)
    where not (m.optional and exists (
      select from people p where p.id = m.person_id and p.stopped_at is not null))
    order by m.n
    on conflict (key) do nothing
  `.execute(tx);
  await wake(tx, 'send_outbox');
}
