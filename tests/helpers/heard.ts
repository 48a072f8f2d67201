import { sql } from 'kysely';
import type { Tx } from '../../src/base/db.ts';
import type { Hearing } from '../../src/payments/hearing.ts';

/** A hearing of a payment that the inbox has kept; what is given replaces what it says. */
export async function heard(
  tx: Tx,
  change: Partial<Hearing> & { receipt: string },
): Promise<Hearing> {
  const { rows } = await sql<{ id: bigint }>`
    insert into inbox (source, subject, body, body_hash, state)
    select 'model', ${change.receipt}, text, sha256(text::bytea), 'done'
    from gen_random_uuid() as id, cast(id as text) as text
    returning id
  `.execute(tx);
  return {
    inbox_id: rows[0]!.id,
    source: 'c2b',
    shortcode: '600000',
    amount_cents: 50_000n,
    paid_at: new Date('2026-03-20T07:00:00Z'),
    account_typed: '',
    payer_msisdn: null,
    payer_hash: null,
    payer_masked: '2547 ***** 126',
    payer_name: 'KAMAU',
    ...change,
  };
}
