import { type Context, Hono } from 'hono';
import { type Db, inTransaction, isAway } from '../base/db.ts';
import { messageOf } from '../base/errors.ts';
import { log } from '../base/log.ts';
import { accepted } from '../daraja/payloads.ts';
import { type Keep, keepRejected } from '../inbox/keep.ts';
import { notify } from '../outbox/notify.ts';
import { withRole } from '../people/find.ts';
import { readConfirmation } from './confirmation.ts';

export interface PaymentDoors {
  db: Db;
  keep: Keep;
  /** Where the request came from, and whether Daraja's calls may come from there. */
  sourceOf: (c: Context) => { from_ip: string | null; allowed: boolean };
}

/** Daraja's callbacks about money in, under /hooks/{secret}. */
export function paymentHooks({ db, keep, sourceOf }: PaymentDoors): Hono {
  const routes = new Hono();

  // Keep the body as it came and say yes; understanding it is a job's work. A yes means: committed.
  routes.post('/c2b/confirmation', async (c) => {
    const source = 'c2b_confirmation';
    const { from_ip, allowed } = sourceOf(c);
    const bytes = Buffer.from(await c.req.arrayBuffer());
    if (!allowed) {
      await reject(db, { source, reason: 'not an allowed address', body: bytes, from_ip });
      return c.notFound();
    }
    const read = readConfirmation(bytes);
    if ('fault' in read) {
      await reject(db, { source, reason: read.fault, body: bytes, from_ip });
      return c.json({ ResultCode: 1, ResultDesc: `Rejected: ${read.fault}` }, 400);
    }
    await keep({ source, body: read.body, from_ip });
    return c.json(accepted);
  });

  return routes;
}

// Kept, and the admins told, since money may have moved; a second time the same bytes tell nobody again.
async function reject(
  db: Db,
  it: { source: string; reason: string; body: Buffer; from_ip: string | null },
): Promise<void> {
  try {
    const fresh = await keepRejected(db, it);
    log.warn(
      { source: it.source, reason: it.reason, from_ip: it.from_ip },
      'callback not understood',
    );
    if (!fresh) return;
    await inTransaction(db, async (tx) => {
      const admins = await withRole(tx, 'admin');
      await notify(
        tx,
        admins.map((person_id) => ({
          key: `rejected:${fresh}:${person_id}`,
          person_id,
          template: 'callback_rejected',
          values: { source: it.from_ip ?? '-' },
        })),
      );
    });
  } catch (error) {
    // What is wrong with it was the sender's; that we could not keep it is ours.
    if (isAway(error)) throw error;
    log.error({ source: it.source, error: messageOf(error) }, 'a rejected callback was not kept');
  }
}
