import { z } from '@hono/zod-openapi';
import { type RawBuilder, sql } from 'kysely';
import { wrongField } from './problems.ts';

/** Lists, a page at a time: where a page ends is told by its last row, so nothing new moves it. */

const limit_words = 'a whole number from 1 to 100';

export const page_filters = {
  limit: z.coerce
    .number({ error: limit_words })
    .int(limit_words)
    .min(1, limit_words)
    .max(100, limit_words)
    .default(20)
    .openapi({ description: 'How many at most.' }),
  after: z
    .string()
    .max(300)
    .optional()
    .openapi({ description: 'What `next` of the page before said.' }),
};

/** A page of these. */
export const pageOf = <Item extends z.ZodType>(name: string, item: Item) =>
  z
    .object({
      data: z.array(item),
      next: z.string().nullable().openapi({
        description: 'For `after`, to have the next page; null on the last.',
      }),
    })
    .openapi(`${name}Page`);

/** The sort keys of the row after which the page begins; each has to look like its pattern. */
export function placeIn(after: string | undefined, ...patterns: RegExp[]): string[] | undefined {
  if (after === undefined) return undefined;
  const keys = readPlace(after);
  const fits =
    keys?.length === patterns.length && patterns.every((pattern, i) => pattern.test(keys[i] ?? ''));
  if (!fits) throw wrongField('query', 'after', 'what `next` of the page before said');
  return keys;
}

function readPlace(after: string): string[] | undefined {
  try {
    const keys: unknown = JSON.parse(Buffer.from(after, 'base64url').toString('utf8'));
    return Array.isArray(keys) && keys.every((key) => typeof key === 'string') ? keys : undefined;
  } catch {
    return undefined;
  }
}

/** An id, as it stands in a place. */
export const id_key = /^\d{1,18}$/;

/** The page of rows that were read one too many, if there are. */
export function pageFrom<Row, Shown>(
  rows: Row[],
  limit: number,
  it: { show: (row: Row) => Shown; place: (row: Row) => (string | bigint)[] },
): { data: Shown[]; next: string | null } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const more = rows.length > limit && last !== undefined;
  return {
    data: shown.map((row) => it.show(row)),
    next: more
      ? Buffer.from(JSON.stringify(it.place(last).map(String))).toString('base64url')
      : null,
  };
}

/** All of these conditions that there are. */
export function allOf(...conditions: (RawBuilder<unknown> | undefined | false)[]) {
  const there = conditions.filter((it) => it !== undefined && it !== false);
  return there.length === 0 ? sql`true` : sql.join(there, sql` and `);
}
