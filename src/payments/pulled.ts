import { sql } from 'kysely';
import type { Db, Tx } from '../base/db.ts';
import { PulledPayment } from '../daraja/pull-payloads.ts';
import { drainInbox, type Kept } from '../inbox/take.ts';
import { type Hearing, payerColumns } from './hearing.ts';
import { receivePayments, type ReceiveSettings } from './receive.ts';
import { tellGivenUp } from './tell.ts';

export const pull_source = 'pull_transaction';

const batch_size = 200;

/** An item of a pull as the inbox keeps it: the same item is always the same text. */
export function bodyOf(shortcode: string, item: unknown): string {
  return JSON.stringify({ shortcode, item: inOrder(item) });
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, one]) => [key, inOrder(one)]));
}

/** Turns what was asked for and waits in the inbox into payments, and proves those that we know. */
export async function drainPulled(
  db: Db,
  settings: ReceiveSettings,
  more: () => boolean,
): Promise<number> {
  return drainInbox(
    db,
    {
      source: pull_source,
      batch_size,
      work: async (tx, rows) => {
        const zones = await nairobiTimes(tx);
        await receivePayments(
          tx,
          settings,
          rows.map((row) => hearingOf(row, zones)),
        );
      },
      gaveUp: tellGivenUp,
    },
    more,
  );
}

async function nairobiTimes(tx: Tx): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ shortcode: string }>`
    select shortcode from pulls where nairobi_times
  `.execute(tx);
  return new Set(rows.map((row) => row.shortcode));
}

const nairobi_ahead_ms = 3 * 60 * 60 * 1000;

function hearingOf(row: Kept, zones: ReadonlySet<string>): Hearing {
  const { shortcode, item } = JSON.parse(row.body) as { shortcode: string; item: unknown };
  const it = PulledPayment.parse(item);
  return {
    inbox_id: row.id,
    source: 'pull',
    shortcode,
    receipt: it.receipt,
    amount_cents: it.amount_cents,
    paid_at: zones.has(shortcode) ? new Date(it.paid_at.getTime() - nairobi_ahead_ms) : it.paid_at,
    account_typed: it.account_typed,
    ...payerColumns(it.msisdn_given),
    payer_name: it.payer_name,
  };
}
