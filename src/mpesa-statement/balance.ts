import type { Preamble } from './layouts.ts';
import type { StatementLine } from './lines.ts';

/** A place at which the balance moves by what no line says. */
export interface Gap {
  /** Lines of the file, in its order; null is what stands above the lines. */
  from_line: number | null;
  to_line: number | null;
  /** Above 0: so much came in that no line says; below: went out. */
  missing_cents: bigint;
}

/** What the running balance shows. */
export interface BalanceFindings {
  gaps: Gap[];
  /** Of all gaps; `gaps` has the first hundred. */
  gap_count: number;
  /** Where the totals above the lines are not those of the lines. */
  totals: { name: 'paid in' | 'withdrawn'; said_cents: bigint; lines_cents: bigint }[];
}

const most_gaps = 100;
// Of one second: more than M-Pesa completes for one account.
const most_at_once = 1_000;

/**
 * Follows the balance down a file, whichever way it runs: the newest line first or the oldest.
 * Holds no more than the lines of one second, since those of a second may stand in any order.
 */
export function followBalance(preamble: Preamble) {
  const ways = [
    new Way('oldest_first', preamble.opening_cents),
    new Way('newest_first', preamble.closing_cents),
  ] as const;
  let group: StatementLine[] = [];
  let first_at: Date | undefined;
  let last_at: Date | undefined;
  let paid_in = 0n;
  let withdrawn = 0n;

  function settle(): void {
    for (const way of ways) way.take(group);
    group = [];
  }

  return {
    /** The next line of the file that was completed. */
    add(line: StatementLine): void {
      const same_time = line.completed_at.getTime() === group[0]?.completed_at.getTime();
      if (group.length > 0 && (!same_time || group.length === most_at_once)) settle();
      group.push(line);
      first_at ??= line.completed_at;
      last_at = line.completed_at;
      if (line.amount_cents > 0n) paid_in += line.amount_cents;
      else withdrawn -= line.amount_cents;
    },
    end(): BalanceFindings {
      settle();
      const [up, down] = ways;
      up.end(preamble.closing_cents);
      down.end(preamble.opening_cents);
      const spread = (last_at?.getTime() ?? 0) - (first_at?.getTime() ?? 0);
      const rises = spread === 0 ? up.count <= down.count : spread > 0;
      const way = rises ? up : down;
      return { gaps: way.gaps, gap_count: way.count, totals: totals(preamble, paid_in, withdrawn) };
    },
  };
}

function totals(preamble: Preamble, paid_in: bigint, withdrawn: bigint): BalanceFindings['totals'] {
  const said_out = preamble.withdrawn_cents ?? withdrawn;
  const both = [
    { name: 'paid in', said_cents: preamble.paid_in_cents ?? paid_in, lines_cents: paid_in },
    { name: 'withdrawn', said_cents: said_out < 0n ? -said_out : said_out, lines_cents: withdrawn },
  ] as const;
  return both.filter((it) => it.said_cents !== it.lines_cents);
}

/** The file read as if it ran one way. */
class Way {
  readonly gaps: Gap[] = [];
  count = 0;
  #last_line: number | null = null;
  readonly #up: boolean;
  /** What the balance should be where the next line joins. */
  #at: bigint | undefined;

  constructor(order: 'oldest_first' | 'newest_first', at: bigint | undefined) {
    this.#up = order === 'oldest_first';
    this.#at = at;
  }

  take(group: readonly StatementLine[]): void {
    const end = group.length > 1 ? this.#through(group) : undefined;
    if (end !== undefined) {
      this.#at = end;
      this.#last_line = group.at(-1)?.number ?? null;
      return;
    }
    const left = [...group];
    while (left.length > 0) {
      const fits = left.findIndex((line) => this.#at !== undefined && this.#missing(line) === 0n);
      const [line] = left.splice(fits === -1 ? this.#begin(left) : fits, 1);
      if (line) this.#step(line);
    }
  }

  /**
   * Where the balance ends when these lines follow each other in some order from where it is;
   * undefined when they cannot. Each is a step from one balance to another, so this asks for a way
   * that takes every step once: it exists when all hang together, and as many lead into each
   * balance as out of it but for the first and the last.
   */
  #through(group: readonly StatementLine[]): bigint | undefined {
    const surplus = new Map<bigint, number>();
    const leader = new Map<bigint, bigint>();
    const find = (node: bigint): bigint => {
      let at = node;
      for (let next = leader.get(at); next !== undefined && next !== at; next = leader.get(at)) {
        at = next;
      }
      return at;
    };
    for (const { balance_cents: after, amount_cents } of group) {
      if (after === null) return undefined;
      const before = after - amount_cents;
      const [from, to] = this.#up ? [before, after] : [after, before];
      surplus.set(from, (surplus.get(from) ?? 0) + 1);
      surplus.set(to, (surplus.get(to) ?? 0) - 1);
      leader.set(find(from), find(to));
    }
    const uneven = [...surplus].filter(([, n]) => n !== 0);
    if (uneven.some(([, n]) => Math.abs(n) > 1) || uneven.length > 2) return undefined;
    if (new Set([...surplus.keys()].map(find)).size > 1) return undefined;
    const start = uneven.find(([, n]) => n === 1)?.[0];
    // All around: it ends where it begins, which is known or not.
    if (start === undefined)
      return this.#at !== undefined && surplus.has(this.#at) ? this.#at : undefined;
    if (this.#at !== undefined && this.#at !== start) return undefined;
    return uneven.find(([, n]) => n === -1)?.[0];
  }

  /** Where none joins: the line that follows on no other of them, or the first. */
  #begin(lines: readonly StatementLine[]): number {
    const after = (line: StatementLine) => line.balance_cents;
    const before = (line: StatementLine) =>
      line.balance_cents === null ? null : line.balance_cents - line.amount_cents;
    const [mine, others] = this.#up ? [before, after] : [after, before];
    const joins = new Set(lines.map(others));
    return Math.max(
      0,
      lines.findIndex((line) => !joins.has(mine(line))),
    );
  }

  /** What is missing between here and where this line joins; 0 when nobody can tell. */
  #missing(line: StatementLine): bigint {
    if (this.#at === undefined || line.balance_cents === null) return 0n;
    return this.#up
      ? line.balance_cents - line.amount_cents - this.#at
      : this.#at - line.balance_cents;
  }

  #step(line: StatementLine): void {
    this.#note(this.#missing(line), line.number);
    const before = line.balance_cents ?? (this.#up ? undefined : this.#at);
    if (this.#up) {
      this.#at = before ?? (this.#at === undefined ? undefined : this.#at + line.amount_cents);
    } else {
      this.#at = before === undefined ? undefined : before - line.amount_cents;
    }
    this.#last_line = line.number;
  }

  #note(missing_cents: bigint, to_line: number | null): void {
    if (missing_cents === 0n) return;
    this.count += 1;
    if (this.gaps.length === most_gaps) return;
    this.gaps.push({ from_line: this.#last_line, to_line, missing_cents });
  }

  /** The file ends here, with this balance as its other end. */
  end(other: bigint | undefined): void {
    if (other === undefined || this.#at === undefined) return;
    this.#note(this.#up ? other - this.#at : this.#at - other, null);
  }
}
