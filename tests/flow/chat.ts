import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import {
  type Action,
  type Actions,
  type Channel,
  channels,
  type Language,
  languages,
  Money,
} from '../../src/flow/action.ts';
import { actions as shipped } from '../../src/registry.ts';
import { FlowFindings, type Flows, loadFlows } from '../../src/flow/load.ts';
import type { Heard, Session } from '../../src/flow/session.ts';
import { type Context, dial, hear, settle, type Turn } from '../../src/flow/step.ts';

export const flows_folder = join(import.meta.dirname, '../../flows');

export const house = { shop: 'Duka', help: '0700000001', paybill: '600000', ussd: '*384*123456#' };

/** Declares what an action takes and gives; the tests answer in its place. */
export function declared(it: Pick<Action, 'input' | 'output'> & { refusals?: string[] }): Action {
  return { refusals: [], ...it, run: () => Promise.reject(new Error('the test answers')) };
}

const nothing = z.object({});

/** What the shipped flows and the tests' own can do. */
export const actions: Actions = {
  ...Object.fromEntries(
    Object.entries(shipped).map(([name, it]) => [
      name,
      declared({ ...it, refusals: [...it.refusals] }),
    ]),
  ),
  'orders.list': declared({
    input: nothing,
    output: z.array(
      z.object({ id: z.string(), ref: z.string(), total: Money, note: z.string().optional() }),
    ),
    refusals: ['none'],
  }),
  'orders.refund': declared({
    input: z.object({ order: z.string(), amount: Money, reason: z.string().optional() }),
    output: z.object({ ref: z.string() }),
    refusals: ['over_limit'],
  }),
  'orders.approve': declared({
    input: z.object({ code: z.string() }),
    output: z.object({ ref: z.string() }),
    refusals: ['wrong_code'],
  }),
  'orders.count': declared({ input: z.object({ count: z.number() }), output: nothing }),
};

export function invoices(count: number) {
  return Array.from({ length: count }, (_, index) => ({
    number: `INV-20260203-${String(index + 1).padStart(4, '0')}`,
    left: '5000.00',
    total: '5000.00',
    due: '2026-02-03',
  }));
}

function unmatched(id: string) {
  return {
    ...{ id, ref: `UM${id}`, receipt: 'NLJ7RT61SV', left: '1500.00', account: 'JOHN SHOP' },
    ...{ payer: 'WANJIKŨ “SHOP” KAMAU NJOROGE 😀', at: '2026-02-03T11:30:00Z', over_limit: false },
  };
}

/** What the actions answer unless a test says otherwise. */
export const answers: Readonly<Record<string, unknown>> = {
  'reports.home': {
    role: 'customer',
    name: 'Kamau',
    total: '12500.00',
    n: 2,
    left: '6500.00',
    claimed: false,
  },
  'reports.today': {
    received: '12500.00',
    count: 5,
    matched: 3,
    unmatched: 2,
    unmatched_total: '1200.50',
  },
  'reports.movements': {
    owed: '6500.00',
    ahead: '0.00',
    last: Array.from({ length: 5 }, (_, index) => ({
      id: String(index),
      at: '2026-02-03T11:30:00Z',
      ref: 'INV-20260203-0001',
      amount: index % 2 === 0 ? '5000.00' : '-500.00',
      after: '6500.00',
    })),
    lines: '03/02/2026 +5,000.00 INV-20260203-0001\n04/02/2026 -500.00 NLJ7RT61SV',
  },
  'reports.customer_movements': { refusal: 'none' },
  'reports.send_statement': {},
  'customers.who': {
    count: 1,
    customers: [{ number: 'CUST-001', name: 'Kamau' }],
    only: 'CUST-001',
  },
  'invoices.standing': { owed: '6500.00', credit: '0.00', invoices: invoices(9) },
  'invoices.customer_standing': {
    number: 'CUST-001',
    name: 'Kamau',
    owed: '6500.00',
    credit: '0.00',
    open: 2,
  },
  'payments.recent': Array.from({ length: 12 }, (_, index) => ({
    id: String(index),
    receipt: `NLJ7RT61S${index % 10}`,
    amount: '500.00',
    at: '2026-02-03T11:30:00Z',
    payer: 'WANJIKŨ “SHOP” KAMAU NJOROGE 😀',
    account: 'JOHN SHOP',
    state: index % 2 === 0 ? 'unmatched' : 'matched',
    paid_for: 'INV-20260203-0001',
  })),
  'payments.payable': {
    count: 9,
    dues: invoices(9).map(({ number: ref, left, due }) => ({ ref, left, due })),
  },
  'payments.due': { ref: 'INV-20260203-0001', left: '5000.00', due: '2026-02-03', most: '5000.00' },
  'payments.ask': { ref: 'INV-20260203-0001', amount: '5000.00', how: 'asked' },
  'payments.unmatched': { count: 2, payments: [unmatched('7'), unmatched('8')] },
  'payments.unmatched_one': {
    ...unmatched('7'),
    likely: [{ ref: 'INV-20260203-0001', name: 'Kamau', of: 'CUST-001', left: '1500.00' }],
  },
  'payments.name_due': {
    count: 1,
    found: [{ ref: 'CUST-001', name: 'Kamau', of: 'CUST-001', left: '6500.00' }],
    only: 'CUST-001',
  },
  'payments.named_due': { ref: 'CUST-001', name: 'Kamau', of: 'CUST-001', left: '6500.00' },
  'payments.assign': { paid: 'INV-20260203-0001', left: '0.00' },
  'payments.keep_credit': { paid: '', left: '0.00' },
  'payments.split': { paid: 'INV-20260203-0001', left: '600.00' },
  'payments.mark_refund': {},
  'payments.by_receipt': {
    ...{ id: '7', receipt: 'NLJ7RT61SV', amount: '1500.00', at: '2026-02-03T11:30:00Z' },
    ...{ payer: 'KAMAU', account: 'INV-12', state: 'matched', paid_for: 'INV-20260203-0001' },
  },
  'payments.reallocate': { paid: 'CUST-001', left: '0.00' },
  'people.speak': { language: 'sw' },
  'people.send_code': {},
  'people.await_dial': {},
  'people.prove_by_code': { result: 'wrong', name: 'Kamau' },
  'people.waiting_dial': { id: '7', whatsapp: '0722xxx123' },
  'people.refuse_dial': {},
  'people.prove_by_dial': {},
  'orders.list': [
    { id: 'o1', ref: 'ORD-1', total: '500.00' },
    { id: 'o2', ref: 'ORD-2', total: '1500.50', note: 'late' },
  ],
  'orders.refund': { ref: 'RF-9' },
  'orders.approve': { ref: 'RF-9' },
  'orders.count': {},
};

interface Ran {
  action: string;
  input: Record<string, unknown>;
  key: string;
}

interface ChatSetting {
  language: Language;
  channel: Channel;
  roles: Context['actor']['roles'];
  /** Instead of the usual answers; { refusal } refuses, a function sees the input. */
  answers: Record<string, unknown>;
}

/** One person with a phone: says things, and keeps the session as JSON between turns. */
export class Chat {
  readonly ran: Ran[] = [];
  readonly setting: ChatSetting;
  /** Everything that was ever kept or shown. */
  readonly traces: string[] = [];
  kept: string | undefined;
  over = true;
  flows: Flows;
  now = new Date('2026-02-10T08:00:00Z');
  stopped = false;
  /** How the last turn ended. */
  last: Turn | undefined;
  private turns = 0;

  constructor(flows: Flows, setting: Partial<ChatSetting> = {}) {
    this.flows = flows;
    this.setting = {
      language: 'en',
      channel: 'whatsapp',
      roles: ['customer'],
      answers: {},
      ...setting,
    };
  }

  get session(): Session | undefined {
    return this.kept === undefined ? undefined : (JSON.parse(this.kept) as Session);
  }

  /** Says or sends it and returns what is heard. */
  say(heard: Heard): string {
    return this.take((id) => hear(this.flows, this.session, heard, id, this.context()));
  }

  /** Dials the code, as after a session that was cut off. */
  dial(): string {
    return this.take((id) => dial(this.flows, this.session, id, this.context()));
  }

  /** Nothing is said for so many minutes. */
  wait(minutes: number): void {
    this.now = new Date(this.now.getTime() + minutes * 60_000);
  }

  private take(begin: (id: string) => Turn): string {
    this.turns += 1;
    let turn = begin(`turn-${this.turns}`);
    for (let count = 0; turn.next === 'act'; count += 1) {
      if (count > 20) throw new Error('the flow does not end');
      turn = this.act(turn);
    }
    this.last = turn;
    this.over = turn.next === 'over';
    this.kept = turn.next === 'wait' ? JSON.stringify(turn.session) : undefined;
    this.traces.push(turn.words, this.kept ?? '');
    return turn.words;
  }

  private act(turn: Extract<Turn, { next: 'act' }>): Turn {
    const { action, input, key } = turn;
    this.ran.push({ action, input, key });
    const session = JSON.stringify(turn.session);
    this.traces.push(session, key);
    if (action === 'people.speak') this.setting.language = input['language'] as Language;
    const given = { ...answers, ...this.setting.answers }[action];
    const answer: unknown = typeof given === 'function' ? given(input) : given;
    const refused = typeof answer === 'object' && answer !== null && 'refusal' in answer;
    const outcome = refused ? { refusal: String(answer.refusal) } : { value: answer };
    return settle(this.flows, JSON.parse(session) as Session, outcome, this.context());
  }

  private context(): Context {
    const { language, channel, roles } = this.setting;
    const actor = { id: 4n, name: 'Kamau', language, roles, stopped: this.stopped };
    return { actor, channel, now: this.now, values: house };
  }
}

export const everywhere = channels.flatMap((channel) =>
  languages.map((language) => ({ channel, language })),
);

/** Loads the shared texts with these files, each `name.yaml` by its name. */
export async function loadFiles(files: Record<string, string>, can = actions): Promise<Flows> {
  const folder = await mkdtemp(join(tmpdir(), 'karani-flows-'));
  const flows = join(folder, 'flows');
  try {
    await mkdir(flows);
    const shared = await readFile(join(flows_folder, '_shared.yaml'), 'utf8');
    for (const [name, text] of Object.entries({ _shared: shared, ...files }))
      await writeFile(join(flows, `${name}.yaml`), text);
    return await loadFlows(flows, can);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** What the loader finds wrong with these files. */
export async function findingsOf(files: Record<string, string>, can = actions): Promise<string[]> {
  try {
    await loadFiles(files, can);
    return [];
  } catch (error) {
    if (error instanceof FlowFindings) return error.findings;
    throw error;
  }
}
