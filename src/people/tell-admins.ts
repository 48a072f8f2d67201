import type { Tx } from '../base/db.ts';
import { type Message, notify } from '../outbox/notify.ts';
import { withRole } from './find.ts';

/** A message to every admin; `key` says what is told. */
export type ToAdmins = {
  key: string;
  template: string;
  values: Record<string, string>;
} & Pick<Message, 'channel'>;

/** Queues one message to each admin. */
export async function tellAdmins(tx: Tx, { key, ...message }: ToAdmins): Promise<void> {
  const admins = await withRole(tx, 'admin');
  await notify(
    tx,
    admins.map((person_id) => ({ ...message, key: `${key}:${person_id}`, person_id })),
  );
}
