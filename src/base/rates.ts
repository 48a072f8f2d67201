import { type RawBuilder, sql } from 'kysely';

/** How much may come at once, and how much a second after that. */
export interface Rate {
  at_once: number;
  a_second: number;
}

/** What came of taking one. */
export interface Taken {
  /** How often in a row it was too often; 0 when it was not. */
  refusals: number;
  /** In how many seconds there is one again. */
  wait_s: number;
}

/**
 * A statement, or a part of one, that takes one for whom a query names, if any, and returns what
 * came of it. It is counted in the database, so for all processes together. Whoever came too often
 * is heard again once `again` of it are there.
 */
export function takingOne(
  who: RawBuilder<unknown>,
  { at_once, a_second }: Rate,
  again = 1,
): RawBuilder<Taken> {
  const milli_a_second = a_second * 1_000;
  const filled = sql`least(${at_once * 1_000}::int, r.left_milli
    + floor(greatest(extract(epoch from now() - r.at), 0) * ${milli_a_second}::float8)::bigint)::int`;
  const good = sql`${filled} >= case when r.refusals = 0 then 1000 else ${again * 1_000}::int end`;
  return sql`
    insert into rates as r (who, left_milli)
    select who, ${(at_once - 1) * 1_000}::int from (${who}) as w(who)
    on conflict (who) do update set
      left_milli = ${filled} - case when ${good} then 1000 else 0 end,
      refusals = case when ${good} then 0 else r.refusals + 1 end,
      -- Never back: what began earlier may get here later.
      at = greatest(r.at, now())
    returning refusals,
      ceil(greatest(${again * 1_000}::int - left_milli, 0) / ${milli_a_second}::float8)::int as wait_s`;
}
