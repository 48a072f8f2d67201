import type { Db, Tx } from '../base/db.ts';

/** Whoever owes: `customer:12`. What one party pays beyond a due can go to its others. */
export interface Party {
  party: string;
  person_id: bigint | null;
  /** Who that is to the admins: "Kamau, CUST-001". */
  owner?: string | undefined;
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

/** What somebody may mean by some words, as it is shown to whoever chooses among several. */
export interface Meant extends Named {
  /** Whose it is: "Kamau". */
  name: string;
  /** The reference of whoever owes, "CUST-001"; of themselves the same as `reference`. */
  of: string;
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
  /** How its references begin, in small letters: who types that means one, right or wrong. */
  prefix: string;
  /**
   * The references of this trade in what a payer typed, each in its one canonical form. No
   * database.
   */
  referencesIn: (typed: string) => string[];
  /** What these references name, paid or not. */
  find: (db: Db, references: string[]) => Promise<Named[]>;
  /**
   * What a person of the house may mean by these words: a reference, or the end of one, a phone, a
   * name or a part of it. Ten at most.
   */
  meant: (db: Db, typed: string) => Promise<Meant[]>;
  /** What is open and has nearly the reference that somebody typed: never paid without a person. */
  near: (db: Db, typed: string) => Promise<Meant[]>;
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

/**
 * What these words may mean, of whatever trade: how people are found wherever one may be named. Who
 * names a due means it, and not all that its customer owes.
 */
export async function meantBy(db: Db, dues: readonly Dues[], typed: string): Promise<Meant[]> {
  const found: Meant[] = [];
  for (const trade of dues) found.push(...(await trade.meant(db, typed)));
  const exact = found.filter((it) => it.due !== null);
  return exact.length > 0 ? exact : found;
}
