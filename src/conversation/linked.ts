import type { Db } from '../base/db.ts';
import { LinkedMessage, type LinkedStatus } from '../channels/whatsapp-linked/payloads.ts';
import { type Keep, keepRejected } from '../inbox/keep.ts';
import { knownAs } from '../people/whatsapp-ids.ts';
import { isDone } from './handoff.ts';
import type { House } from './house.ts';
import { takeSecretAnswers } from './secret-answers.ts';

/** What happens on the linked number, as it is kept before anything is done with it. */
export interface LinkedDoors {
  db: Db;
  house: House;
  keep: Keep;
}

/**
 * Keeps a message; resolves once that is committed. What people of the house write from the phone
 * itself is theirs alone, and so is what waited for too long to be an answer: only that it came is
 * kept.
 */
export async function keepMessage(
  { db, house, keep }: LinkedDoors,
  heard: Omit<LinkedMessage, 'from'>,
): Promise<void> {
  const from = (await knownAs(db, heard)) ?? heard.chat;
  const message: LinkedMessage = { ...heard, from, text: textToKeep(heard) };
  const body = JSON.stringify(message);
  // What reads as nothing that we know would come again for ever if it were let go of.
  if (!LinkedMessage.safeParse(JSON.parse(body)).success) {
    const head = Buffer.from(JSON.stringify({ ...message, text: null }));
    const reason = 'not such a message';
    await keepRejected(db, { source: 'whatsapp_linked', reason, body: head, from_ip: null });
    return;
  }
  const arrived = { source: 'whatsapp_linked', body, from_ip: null } as const;
  const to_keep = message.from_me ? body : await takeSecretAnswers(db, house, arrived);
  if (to_keep !== undefined) await keep({ ...arrived, subject: from, body: to_keep });
}

function textToKeep({ text, from_me, stale }: Pick<LinkedMessage, 'text' | 'from_me' | 'stale'>) {
  if (text === null || stale) return null;
  return from_me && !isDone(text) ? null : text;
}

/** Keeps how far messages of ours have come. */
export async function keepStatuses(keep_report: Keep, statuses: LinkedStatus[]): Promise<void> {
  await Promise.all(
    statuses.map((status) =>
      keep_report({
        source: 'linked_status',
        subject: null,
        body: JSON.stringify(status),
        from_ip: null,
      }),
    ),
  );
}
