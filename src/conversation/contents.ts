import { sql } from 'kysely';
import type { Db, Tx } from '../base/db.ts';
import { type Flows, readEarlier } from '../flow/load.ts';
import type { Session } from '../flow/session.ts';

/** What the files of the flows said when sessions began on them. */

/** Keeps the files of today, so that who begins on them can go on when they have changed. */
export async function keepContents(db: Db, { flows }: Flows): Promise<void> {
  const all = Array.from(flows.values());
  await sql`
    insert into flow_contents (hash, flow, content)
    select * from unnest(${all.map((flow) => flow.hash)}::text[],
                         ${all.map((flow) => flow.name)}::text[],
                         ${all.map((flow) => flow.content)}::text[])
    on conflict (hash) do nothing
  `.execute(db);
}

/** Reads the files that a session began on, where they have changed since. */
export async function learnContents(tx: Tx, flows: Flows, session: Session): Promise<void> {
  const unknown = [session, ...(session.callers ?? [])].filter(
    ({ flow, hash }) => flows.flows.get(flow)?.hash !== hash && !flows.earlier.has(hash),
  );
  if (unknown.length === 0) return;
  const rows = await tx
    .selectFrom('flow_contents')
    .select(['hash', 'flow', 'content'])
    .where(
      'hash',
      'in',
      unknown.map((it) => it.hash),
    )
    .execute();
  for (const row of rows) {
    const flow = readEarlier(flows, row.flow, row.content);
    if (flow) flows.earlier.set(row.hash, flow);
  }
}
