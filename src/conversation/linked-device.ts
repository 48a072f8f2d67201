import { sql } from 'kysely';
import { clock, eatDate } from '../base/clock.ts';
import { type Db, inTransaction } from '../base/db.ts';
import type { LinkedState } from '../base/schema.ts';
import { makeSeal, type Seal } from '../base/secrets.ts';
import type { Trouble } from '../channels/whatsapp-linked/disconnects.ts';
import type { KeyStore } from '../channels/whatsapp-linked/keys.ts';
import { tellAdmins } from '../people/tell-admins.ts';

/** The linked number as the database has it: its keys, sealed, and how it stands. */

// The number means nothing but this.
export const linked_lock = 7_254_010;

/** The seal of what is kept of the linked number. */
export const linkedSeal = (secret: string): Seal => makeSeal(secret, 'linked-device');

/** Somebody else has taken the number over: whoever has it now goes on, and we may not. */
export class TakenOver extends Error {
  constructor() {
    super('another process has taken the linked number over');
    this.name = 'TakenOver';
  }
}

/** Takes the number over: whoever had it before writes nothing any more. Returns its fence. */
export async function takeOver(db: Db): Promise<bigint> {
  const { rows } = await sql<{ fence: bigint }>`
    update linked_device set fence = fence + 1, offer = null returning fence
  `.execute(db);
  return rows[0]?.fence ?? 0n;
}

/** Its keys, each change in one commit, which is refused when `fence` is not the newest. */
export function linkedKeys(
  db: Db,
  seal: Seal,
  fence: bigint,
): KeyStore & { forget: () => Promise<void> } {
  const fenced = (work: Parameters<typeof inTransaction<void>>[1]) =>
    inTransaction(db, async (tx) => {
      const { rows } = await sql`
        select from linked_device where fence = ${fence} for share
      `.execute(tx);
      if (rows.length === 0) throw new TakenOver();
      await work(tx);
    });
  const placeOf = (type: string, id: string) => `linked_keys:${type}:${id}`;
  return {
    async readCredentials() {
      const row = await db.selectFrom('linked_device').select('credentials').executeTakeFirst();
      return row?.credentials ? seal.open(row.credentials, 'credentials') : undefined;
    },
    async read(type, ids) {
      const rows = await db
        .selectFrom('linked_keys')
        .select(['id', 'value'])
        .where('type', '=', type)
        .where('id', '=', sql<string>`any(${ids}::text[])`)
        .execute();
      return new Map(rows.map(({ id, value }) => [id, seal.open(value, placeOf(type, id))]));
    },
    write: (changes, credentials) =>
      fenced(async (tx) => {
        if (credentials !== undefined) {
          const sealed = seal.seal(credentials, 'credentials');
          await tx.updateTable('linked_device').set({ credentials: sealed }).execute();
        }
        if (changes.length === 0) return;
        const kept = changes.filter((it) => it.value !== null);
        const gone = changes.filter((it) => it.value === null);
        await sql`
          delete from linked_keys k
          using unnest(${gone.map((it) => it.type)}::text[], ${gone.map((it) => it.id)}::text[])
            as it(type, id)
          where k.type = it.type and k.id = it.id
        `.execute(tx);
        await sql`
          insert into linked_keys (type, id, value)
          select * from unnest(
            ${kept.map((it) => it.type)}::text[], ${kept.map((it) => it.id)}::text[],
            ${kept.map((it) => seal.seal(it.value ?? '', placeOf(it.type, it.id)))}::bytea[])
          on conflict (type, id) do update set value = excluded.value
        `.execute(tx);
      }),
    forget: () =>
      fenced(async (tx) => {
        await tx.deleteFrom('linked_keys').execute();
        await tx.updateTable('linked_device').set({ credentials: null, offer: null }).execute();
      }),
  };
}

/** How the linked number stands, for who looks after it. */
export interface DeviceStanding {
  state: LinkedState;
  why: string | null;
  /** What is to be scanned, as a QR code shows it, or typed on the phone. */
  offer: Offer | null;
  changed_at: Date;
  /** Whether a process is there that holds it, and whether it has been asked for something. */
  held: boolean;
  wanted: boolean;
}

export type Offer = { qr: string } | { code: string };

export async function deviceStanding(db: Db, seal: Seal): Promise<DeviceStanding> {
  const row = await db
    .selectFrom('linked_device')
    .select(['state', 'why', 'offer', 'changed_at'])
    .select(
      sql<boolean>`exists (
        select from pg_locks
        where locktype = 'advisory' and objid = ${linked_lock} and granted
          and database = (select oid from pg_database where datname = current_database()))`.as(
        'held',
      ),
    )
    .select(sql<boolean>`coalesce(wanted_at > now() - interval '10 minutes', false)`.as('wanted'))
    .executeTakeFirstOrThrow();
  const offer = row.offer && (JSON.parse(seal.open(row.offer, 'offer')) as Offer);
  return { ...row, offer };
}

/** Writes down how it stands; what an earlier holder says of it is not heard. */
export async function setStanding(
  db: Db,
  fence: bigint,
  { state, why = null }: { state: LinkedState; why?: string | null | undefined },
): Promise<void> {
  await sql`
    update linked_device set state = ${state}, why = ${why}, changed_at = now(),
      wanted_at = case when ${state} <> 'open' then wanted_at end
    where fence = ${fence}
  `.execute(db);
}

/** Shows what is to be scanned or typed. With it anybody could make their own phone the shop's. */
export async function setOffer(
  db: Db,
  { seal, fence, offer }: { seal: Seal; fence: bigint; offer: Offer | undefined },
): Promise<void> {
  const sealed = offer ? seal.seal(JSON.stringify(offer), 'offer') : null;
  await db.updateTable('linked_device').set({ offer: sealed }).where('fence', '=', fence).execute();
}

/**
 * Asks for it to be linked, or to begin again, by whichever process holds it. By a code to type, or
 * else one to scan.
 */
export async function wantLink(db: Db, by_code: boolean): Promise<void> {
  await sql`update linked_device set wanted_at = now(), by_code = ${by_code}`.execute(db);
}

/** Takes up what somebody has asked for; undefined when nobody has. */
export async function takeWish(db: Db, fence: bigint): Promise<{ by_code: boolean } | undefined> {
  const { rows } = await sql<{ by_code: boolean }>`
    update linked_device set wanted_at = null, state = 'connecting', why = null, changed_at = now()
    where fence = ${fence} and wanted_at > now() - interval '10 minutes'
    returning by_code
  `.execute(db);
  return rows[0];
}

/** Tells the admins by SMS that the number (254…) needs a person; once a day for each reason. */
export async function tellOfTrouble(db: Db, number: string, trouble: Trouble): Promise<void> {
  const template = `linked_${trouble}`;
  const key = `${template}:${eatDate(clock.now())}`;
  await inTransaction(db, (tx) =>
    tellAdmins(tx, { key, template, values: { number }, channel: 'sms' }),
  );
}
