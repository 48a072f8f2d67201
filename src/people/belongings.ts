import type { Db, Tx } from '../base/db.ts';

/** What hangs on a person elsewhere: of every customer that they are. */
export interface Standing {
  /** "CUST-001, CUST-004"; empty for who is no customer. */
  customers: string;
  owed_cents: bigint;
  credit_cents: bigint;
}

/** What other folders keep for persons, handed in where persons become one. */
export interface Belongings {
  standingOf: (db: Db, person_id: bigint) => Promise<Standing>;
  /** The person behind a customer's number, however it is written; undefined if there is none. */
  personOfCustomer: (db: Db, text: string) => Promise<bigint | undefined>;
  /** The customer's number as it is kept; undefined when the text holds none. */
  customerNumberIn: (text: string) => string | undefined;
  /** Lets all that is `other`'s be `keep`'s. */
  handOver: (tx: Tx, it: { keep: bigint; other: bigint }) => Promise<void>;
}
