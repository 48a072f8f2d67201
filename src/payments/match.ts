import type { MatchRule } from '../base/schema.ts';
import type { Due, Named, Party } from './due.ts';

/** A payment as matching sees it. */
export interface ToMatch {
  amount_cents: bigint;
  /** What the prompt that caused it asks to be paid. */
  prompted?: Named | undefined;
  /** The references typed, canonical. */
  references: string[];
  /** The parties as which the payer's number is known. */
  payer: Party[];
  /** Only what was named itself is meant, and no more than that. */
  exactly?: boolean;
}

/** What is open, as it stands after the payments decided so far. */
export interface World {
  named: Named[];
  /** Oldest due date first. `outstanding_cents` is lowered as payments are decided. */
  open: Due[];
  rest: (party: Party) => Due | undefined;
}

export interface Decision {
  rule: MatchRule;
  /** In order; together never more than the payment. */
  parts: { due: Due; amount_cents: bigint }[];
  /** What else could have been meant, for the person who looks. */
  also_possible: string[];
}

const close_enough_cents = 1_000n;
const most_suggestions = 3;

/**
 * Finds what a payment pays: by the prompt that caused it, then by the reference typed, then by the
 * payer's number; when none is certain, nothing, and a person decides. Takes what it decides out of
 * the world, so that the next payment of the same batch finds the rest.
 */
export function matchPayment(it: ToMatch, world: World): Decision {
  const found = byPrompt(it, world) ?? byReference(it, world) ?? byPayer(it, world);
  const choice = it.exactly ? exactly(it, found) : found;
  if (choice.rule === 'unmatched')
    return { rule: 'unmatched', parts: [], also_possible: choice.also };
  const rest = choice.party && world.rest(choice.party);
  const parts = spread(it.amount_cents, choice.dues, rest);
  for (const part of parts) part.due.outstanding_cents -= part.amount_cents;
  return { rule: choice.rule, parts, also_possible: choice.also };
}

type Choice =
  | { rule: 'unmatched'; also: string[] }
  | {
      rule: Exclude<MatchRule, 'unmatched' | 'person'>;
      /** Who has what the dues do not take. */
      party: Party | undefined;
      dues: Due[];
      also: string[];
    };

// The due that was named, and nothing else of whoever owes it.
function exactly(it: ToMatch, found: Choice): Choice {
  if (found.rule === 'unmatched') return found;
  const [named] = found.dues;
  const asked = it.prompted?.due ? nameOf(it.prompted.due) : undefined;
  if (named && (found.rule === 'reference' || nameOf(named) === asked)) {
    return { rule: found.rule, party: undefined, dues: [named], also: [] };
  }
  const also = found.dues.map((due) => due.reference);
  return { rule: 'unmatched', also: also.slice(0, most_suggestions) };
}

// It was asked for, so nothing else is meant, whatever has become of the due meanwhile.
function byPrompt({ prompted }: ToMatch, world: World): Choice | undefined {
  if (!prompted) return undefined;
  return { rule: 'prompt', party: prompted, dues: openFrom(prompted, world), also: [] };
}

// What a party has open, the due that was named before the others.
function openFrom(named: Named, world: World): Due[] {
  const open = world.open.filter((d) => d.party === named.party && d.outstanding_cents > 0n);
  const wanted = named.due && nameOf(named.due);
  const due = open.find((d) => nameOf(d) === wanted);
  return due ? [due, ...open.filter((d) => d !== due)] : open;
}

// Undefined when nothing was typed that names anything: then the payer's number decides.
function byReference(it: ToMatch, world: World): Choice | undefined {
  const named = world.named.filter((n) => it.references.includes(n.reference));
  const [first] = named;
  if (!first) return undefined;
  const parties = new Set(named.map((n) => n.party));
  const dues = new Set(named.flatMap((n) => (n.due === null ? [] : [nameOf(n.due)])));
  // Two references, or one number of two customers. A customer's number beside their invoice's is
  // one.
  const unknown = it.references.length - new Set(named.map((n) => n.reference)).size;
  if (parties.size > 1 || dues.size > 1 || unknown > 0) {
    return { rule: 'unmatched', also: named.map((n) => n.reference).slice(0, most_suggestions) };
  }
  const open = openFrom(named.find((n) => n.due !== null) ?? first, world);
  // What is paid already names its customer.
  const rule = open[0] && dues.has(nameOf(open[0])) ? 'reference' : 'customer';
  return { rule, party: first, dues: open, also: [] };
}

// Ids are a trade's own: order 5 is not invoice 5.
function nameOf(due: { kind: string; id: bigint }): string {
  return `${due.kind}:${due.id}`;
}

function byPayer(it: ToMatch, world: World): Choice {
  const parties = new Set(it.payer.map((p) => p.party));
  const open = world.open.filter((d) => parties.has(d.party) && d.outstanding_cents > 0n);
  const [oldest] = open;
  const also = open.map((d) => d.reference);
  const kinds = new Set([...parties].map((party) => party.split(':')[0]));
  if (!oldest || kinds.size < parties.size) {
    return { rule: 'unmatched', also: also.slice(0, most_suggestions) };
  }
  if (open.length === 1) return { rule: 'single', party: oldest, dues: open, also: [] };
  const fitting = open.find(
    (d) => distance(d.outstanding_cents, it.amount_cents) <= close_enough_cents,
  );
  if (fitting) {
    const others = also.filter((reference) => reference !== fitting.reference);
    return {
      rule: 'amount',
      party: fitting,
      dues: [fitting],
      also: others.slice(0, most_suggestions),
    };
  }
  if (open.some((d) => d.kind !== oldest.kind)) {
    return { rule: 'unmatched', also: also.slice(0, most_suggestions) };
  }
  return { rule: 'oldest', party: oldest, dues: open, also: also.slice(1, 1 + most_suggestions) };
}

function distance(a: bigint, b: bigint): bigint {
  return a < b ? b - a : a - b;
}

/** A payment over dues in their order; what is left goes to `rest`, where there is one. */
export function spread(
  amount_cents: bigint,
  dues: Due[],
  rest: Due | undefined,
): Decision['parts'] {
  const parts: Decision['parts'] = [];
  let left = amount_cents;
  for (const due of dues) {
    const part = due.outstanding_cents < left ? due.outstanding_cents : left;
    if (part > 0n) parts.push({ due, amount_cents: part });
    left -= part;
  }
  if (left > 0n && rest) parts.push({ due: rest, amount_cents: left });
  return parts;
}
