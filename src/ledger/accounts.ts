import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';
import { chart } from './chart.ts';

export interface NewAccount {
  code: string;
  /**
   * Whose sub-account it is. One with an owner keeps its balance row by row; the others are
   * derived.
   */
  owner?: { kind: 'customer'; id: bigint };
  /** The balance may not go below this, in cents. */
  floor_cents?: bigint;
}

/** Opens the accounts that are not open yet; those that are stay as they are. */
export async function openAccounts(tx: Tx, accounts: NewAccount[]): Promise<void> {
  if (accounts.length === 0) return;
  await sql`
    with wanted as (
      select * from unnest(
        ${accounts.map((a) => a.code)}::text[],
        ${accounts.map((a) => a.owner?.kind ?? null)}::text[],
        ${accounts.map((a) => a.owner?.id ?? null)}::bigint[],
        ${accounts.map((a) => a.floor_cents ?? null)}::bigint[]
      ) as w(code, owner_kind, owner_id, floor_cents)
    ), opened as (
      insert into accounts (code, owner_kind, owner_id)
      select code, owner_kind, owner_id from wanted
      on conflict (code) do nothing
      returning id, code
    )
    insert into account_balances (account_id, floor_cents)
    select o.id, w.floor_cents from opened o join wanted w using (code) where w.owner_id is not null
  `.execute(tx);
}

/** Opens the accounts of the chart that exist once, and M-Pesa's own. */
export async function openChart(tx: Tx, money_accounts: string[]): Promise<void> {
  await openAccounts(
    tx,
    [...chart.map((a) => a.code), ...money_accounts].map((code) => ({ code })),
  );
}
