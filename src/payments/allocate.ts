import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';
import { assert } from '../base/errors.ts';
import type { Dues, Named, Party } from './due.ts';
import type { NewPayment } from './hearing.ts';
import { type Decision, matchPayment } from './match.ts';
import { promptReferencesIn } from './prompt.ts';

/**
 * A payment and what it paid. `payer_id` is the person whose number it came from, when we know
 * them.
 */
export interface Allocated {
  payment: NewPayment;
  decision: Decision;
  /** What is left of each due, in the order of `decision.parts`, in cents. */
  left_cents: bigint[];
  payer: Payer | undefined;
  /** The prompt that caused it, where one did. */
  prompt_id?: bigint | undefined;
}

export interface Payer {
  person_id: bigint;
  msisdn: string;
}

/**
 * Finds what each payment pays, and pays it. A payment of an unknown shortcode waits for a person.
 */
export async function allocatePayments(
  tx: Tx,
  dues: readonly Dues[],
  payments: NewPayment[],
): Promise<Allocated[]> {
  const payers = await findPayers(tx, payments);
  const prompts = await findPrompts(tx, payments);
  const world = await look(tx, dues, payments, [...payers.values()], [...prompts.values()]);
  const allocated = payments.map((payment): Allocated => {
    const payer = payers.get(payment.id);
    const prompt = prompts.get(payment.id);
    const decision: Decision =
      payment.flag === null || payment.flag === 'history'
        ? matchPayment(
            {
              amount_cents: payment.amount_cents,
              prompted: prompt && world.named.find((n) => isDueOf(n, prompt)),
              references: dues.flatMap((d) => d.referencesIn(payment.account_typed)),
              payer: payer ? world.parties.filter((p) => p.person_id === payer.person_id) : [],
              exactly: payment.flag === 'history',
            },
            world,
          )
        : { rule: 'unmatched', parts: [], also_possible: [] };
    return {
      payment,
      decision,
      left_cents: decision.parts.map((part) => part.due.outstanding_cents),
      payer,
      prompt_id: prompt?.id,
    };
  });
  await applyDecisions(tx, dues, allocated);
  return allocated;
}

type PromptedDue = { id: bigint; due_kind: string; due_id: bigint; due_reference: string };

function isDueOf({ due }: Named, prompt: PromptedDue): boolean {
  return due?.kind === prompt.due_kind && due.id === prompt.due_id;
}

// By their own references, which M-Pesa repeats as the account. The first that is one: nobody types
// two.
async function findPrompts(tx: Tx, payments: NewPayment[]): Promise<Map<bigint, PromptedDue>> {
  const typed = payments.flatMap(({ id, account_typed }) =>
    promptReferencesIn(account_typed).map((reference) => ({ id, reference })),
  );
  if (typed.length === 0) return new Map();
  const { rows } = await sql<PromptedDue & { payment_id: bigint }>`
    select t.payment_id, p.id, p.due_kind, p.due_id, p.due_reference
    from unnest(${typed.map((t) => t.id)}::bigint[], ${typed.map((t) => t.reference)}::text[])
      as t(payment_id, reference)
    join prompts p using (reference)
  `.execute(tx);
  return new Map(rows.map(({ payment_id, ...prompt }) => [payment_id, prompt]));
}

async function findPayers(tx: Tx, payments: NewPayment[]): Promise<Map<bigint, Payer>> {
  const { rows } = await sql<Payer & { id: bigint }>`
    select p.id, a.person_id, a.value as msisdn
    from unnest(
      ${payments.map((p) => p.id)}::bigint[],
      ${payments.map((p) => p.payer_msisdn)}::text[],
      ${payments.map((p) => p.payer_hash)}::text[]) as p(id, msisdn, hash)
    join addresses a on a.kind = 'msisdn' and (a.value = p.msisdn or a.msisdn_hash = p.hash)
  `.execute(tx);
  return new Map(rows.map(({ id, ...payer }) => [id, payer]));
}

// Everything that any of these payments may pay, read once and locked.
async function look(
  tx: Tx,
  dues: readonly Dues[],
  payments: NewPayment[],
  payers: Payer[],
  prompts: PromptedDue[],
) {
  const named = [];
  const parties: (Party & { person_id: bigint })[] = [];
  const payer_ids = [...new Set(payers.map((p) => p.person_id))];
  for (const trade of dues) {
    const references = new Set([
      ...payments.flatMap((p) => trade.referencesIn(p.account_typed)),
      ...prompts.filter((p) => p.due_kind === trade.kind).map((p) => p.due_reference),
    ]);
    if (references.size > 0) named.push(...(await trade.find(tx, [...references])));
    if (payer_ids.length > 0) {
      parties.push(...(await trade.partiesOf(tx, payer_ids)));
    }
  }
  const wanted = [...new Set([...named, ...parties].map((p) => p.party))];
  const open = [];
  for (const trade of dues) open.push(...(await trade.lockOpen(tx, wanted)));
  open.sort((a, b) => (a.due_on < b.due_on ? -1 : a.due_on > b.due_on ? 1 : 0));
  const rest = (party: Party) => dues.map((d) => d.rest(party)).find((due) => due !== undefined);
  return { named, parties, open, rest };
}

/** A payment of which it is decided what it pays. */
export interface Decided {
  payment: { id: bigint; paid_at: Date };
  decision: Pick<Decision, 'rule' | 'parts' | 'also_possible'>;
}

/** Pays what was decided: the allocations, what is left of each due, and the books. */
export async function applyDecisions(
  tx: Tx,
  dues: readonly Dues[],
  allocated: Decided[],
  decided_by: bigint | null = null,
): Promise<void> {
  await writeDecisions(tx, allocated);
  const parts = allocated.flatMap(({ payment, decision }) =>
    decision.parts.map(({ due, amount_cents }) => ({ payment, due, amount_cents })),
  );
  await insertAllocations(tx, dues, parts, decided_by);
}

/** What one due gets of a payment. */
export interface Part {
  payment: { id: bigint; paid_at: Date };
  due: { kind: string; id: bigint; reference: string };
  amount_cents: bigint;
}

/** Lets dues have these parts, on the books too. Returns the allocations' ids, in their order. */
export async function insertAllocations(
  tx: Tx,
  dues: readonly Dues[],
  parts: Part[],
  decided_by: bigint | null,
): Promise<bigint[]> {
  if (parts.length === 0) return [];
  const { rows } = await sql<{ id: bigint }>`
    with numbered as (
      select nextval(pg_get_serial_sequence('allocations', 'id')) as id, a.*
      from unnest(
        ${parts.map((p) => p.payment.id)}::bigint[],
        ${parts.map((p) => p.due.kind)}::text[],
        ${parts.map((p) => p.due.id)}::bigint[],
        ${parts.map((p) => p.due.reference)}::text[],
        ${parts.map((p) => p.amount_cents)}::bigint[]
      ) with ordinality as a(payment_id, due_kind, due_id, due_reference, amount_cents, n)
    ), made as (
      insert into allocations (id, payment_id, due_kind, due_id, due_reference, amount_cents, decided_by)
      overriding system value
      select id, payment_id, due_kind, due_id, due_reference, amount_cents, ${decided_by}::bigint
      from numbered
    )
    select id from numbered order by n
  `.execute(tx);
  const allocations = parts.map(({ payment, due, amount_cents }, index) => {
    const id = rows[index]?.id;
    assert(id !== undefined, 'every allocation got an id');
    return { kind: due.kind, id, due_id: due.id, amount_cents, paid_at: payment.paid_at };
  });
  for (const trade of dues) {
    await trade.apply(
      tx,
      allocations.filter((it) => it.kind === trade.kind),
    );
  }
  return allocations.map((it) => it.id);
}

async function writeDecisions(tx: Tx, allocated: Decided[]): Promise<void> {
  const sums = allocated.map(({ decision }) =>
    decision.parts.reduce((sum, part) => sum + part.amount_cents, 0n),
  );
  await sql`
    update payments p set
      allocated_cents = p.allocated_cents + d.allocated_cents, rule = d.rule,
      -- What a person has decided was possible before.
      also_possible = case when d.rule = 'person' then p.also_possible else d.also_possible end
    from unnest(
      ${allocated.map((a) => a.payment.id)}::bigint[],
      ${sums}::bigint[],
      ${allocated.map((a) => a.decision.rule)}::text[],
      ${allocated.map((a) => JSON.stringify(a.decision.also_possible))}::jsonb[]
    ) as d(id, allocated_cents, rule, also_possible)
    where p.id = d.id
  `.execute(tx);
}
