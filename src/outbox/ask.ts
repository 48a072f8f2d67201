import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';
import { wake } from '../base/jobs.ts';

/** A question to a person, in a conversation of its own. */
export interface Question {
  /** What people answer it by, "UM7": two letters and a number, the same for all of them. */
  ref: string;
  person_id: bigint;
  /** The flow that asks it; its actions are told the reference. */
  flow: string;
  /** Whether a bare number never answers it: for money out. */
  strict?: boolean;
}

/** Asks after this commit; of a person each reference once. */
export async function ask(tx: Tx, questions: Question[]): Promise<void> {
  if (questions.length === 0) return;
  await sql`
    insert into questions (ref, person_id, flow, strict)
    select * from unnest(${questions.map((q) => q.ref)}::text[],
                         ${questions.map((q) => q.person_id)}::bigint[],
                         ${questions.map((q) => q.flow)}::text[],
                         ${questions.map((q) => q.strict === true)}::boolean[])
    on conflict (ref, person_id) do nothing
  `.execute(tx);
  await wake(tx, 'ask_questions');
}

/** Ends questions for everybody: they are answered, or nobody needs an answer any more. */
export async function withdraw(tx: Tx, refs: string[]): Promise<void> {
  await sql`
    update questions set ended_at = now() where ref = any(${refs}::text[]) and ended_at is null
  `.execute(tx);
}
