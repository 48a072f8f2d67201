import { type Db, isAway } from '../base/db.ts';
import { messageOf } from '../base/errors.ts';
import { log } from '../base/log.ts';
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

const most_tries = 3;

/**
 * Keeps a message; resolves once that is committed. What people of the house write from the phone
 * itself is theirs alone, and so is what waited for too long to be an answer: only that it came is
 * kept. Throws when the database is away. What cannot be kept although it is there is kept aside:
 * let go of, it would come again for ever and hold up all others.
 */
export async function keepMessage(
  doors: LinkedDoors,
  heard: Omit<LinkedMessage, 'from'>,
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await keepOnce(doors, heard);
    } catch (error) {
      if (isAway(error)) throw error;
      if (tries < most_tries) continue;
      log.error({ id: heard.id, error: messageOf(error) }, 'a message could not be kept');
      const body = Buffer.from(JSON.stringify({ ...heard, text: null }));
      const reason = 'it could not be kept';
      return void (await keepRejected(doors.db, { ...nowhere, reason, body }));
    }
  }
}

const nowhere = { source: 'whatsapp_linked', from_ip: null } as const;

async function keepOnce(
  { db, house, keep }: LinkedDoors,
  heard: Omit<LinkedMessage, 'from'>,
): Promise<void> {
  const from = (await knownAs(db, heard)) ?? heard.chat;
  const message = LinkedMessage.parse({ ...heard, from, text: textToKeep(heard) });
  const body = JSON.stringify(message);
  const arrived = { ...nowhere, body };
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
