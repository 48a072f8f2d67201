import type { Db, Tx } from '../base/db.ts';

/** Whoever owes: `customer:12`. What one party pays beyond a due can go to its others. */
export interface Party {
  party: string;
  person_id: bigint | null;
}

/** Something open that money can pay. */
export interface Due extends Party {
  kind: string;
  id: bigint;
  /** As people write it, "INV-20260203-0001". */
  reference: string;
  outstanding_cents: bigint;
  /** A day in Nairobi, "2026-02-10". */
  due_on: string;
}

/** What a typed reference names: a party, and a due of theirs when it is that exact. */
export interface Named extends Party {
  reference: string;
  due: { kind: string; id: bigint } | null;
  /** Nothing can be paid on it any more, such as an invoice that was cancelled. */
  closed?: boolean | undefined;
}

/** Part of a payment that one due has. */
export interface Allocation {
  id: bigint;
  due_id: bigint;
  amount_cents: bigint;
}

/** A due that was paid, and is no more. */
export interface Returned {
  kind: string;
  id: bigint;
  reference: string;
  person_id: bigint | null;
  /** What was taken back of it. */
  amount_cents: bigint;
  /** What is left to pay on it now. */
  left_cents: bigint;
}

/**
 * What a trade offers for money to pay. Each is one object in registry.ts; payments never imports a
 * trade.
 */
export interface Dues {
  kind: string;
  /**
   * The references of this trade in what a payer typed, each in its one canonical form. No
   * database.
   */
  referencesIn: (typed: string) => string[];
  /** What these references name, paid or not. */
  find: (db: Db, references: string[]) => Promise<Named[]>;
  /** As which parties these persons pay. */
  partiesOf: (db: Db, person_ids: bigint[]) => Promise<(Party & { person_id: bigint })[]>;
  /** The open dues of these parties, oldest due date first. */
  open: (db: Db, parties: string[]) => Promise<Due[]>;
  /** The same, locked in id order until the commit. */
  lockOpen: (tx: Tx, parties: string[]) => Promise<Due[]>;
  /**
   * Open dues that a payment of this amount may be for, the likeliest first: within KES 10, those
   * whose number fits `number_like` (of SQL, "2547%126") before others.
   */
  suggest: (db: Db, it: { amount_cents: bigint; number_like: string | null }) => Promise<Due[]>;
  /** The due that takes what a party pays beyond all others, if it is for this trade to take. */
  rest: (party: Party) => Due | undefined;
  /** Pays the dues, with the ledger transactions that move the money out of 2040. */
  apply: (tx: Tx, allocations: (Allocation & { paid_at: Date })[]) => Promise<void>;
  /**
   * How much of each of these has been used already, in cents and in their order: `takeBack` would
   * throw. For a trade that has such dues.
   */
  used?: (tx: Tx, allocations: Allocation[]) => Promise<bigint[]>;
  /**
   * Takes back what `apply` did, with ledger transactions that reverse its own. Throws Refusal
   * 'spent' when what was paid has been used already.
   */
  takeBack: (tx: Tx, allocations: Allocation[]) => Promise<Returned[]>;
}
