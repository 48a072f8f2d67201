import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import UssdMenu from 'ussd-menu-builder';
import { assign, createActor, setup } from 'xstate';
import { z } from 'zod';
import { assert } from '../src/base/errors.ts';
import { moneyWords } from '../src/base/money.ts';
import { action, Money } from '../src/flow/action.ts';
import { type Flows, loadFlows } from '../src/flow/load.ts';
import type { Context, Session, Turn } from '../src/flow/session.ts';
import { hear, settle } from '../src/flow/step.ts';
import { type Bench, type Part, ratio, type Table } from './part.ts';
import { alternate } from './rounds.ts';

/** One turn of one person: the session comes as text, and goes as text. */
type TakeTurn = (sessions: Map<string, string>, id: string, said: string) => string;

const journey = ['refund', '1', '1', '900', '400', '1'];
const orders = [
  { id: 'o1', ref: 'ORD-12', total: '500.00' },
  { id: 'o2', ref: 'ORD-13', total: '1200.00' },
];
const ref = 'RF-9';

export const turns: Part = { letter: 'i', title: 'Turns of a conversation', run };

async function run(bench: Bench): Promise<Table[]> {
  const ours = ourTurn(await journeyFlows());
  const theirs = machineTurn();
  // The same words first, or the comparison says nothing.
  const [a, b] = [new Map<string, string>(), new Map<string, string>()];
  for (const said of journey) {
    const [heard, expected] = [ours(a, 'one', said), theirs(b, 'one', said)];
    assert(heard === expected, `the same is said: ${heard} / ${expected}`);
  }
  bench.say('six turns again and again');
  const measure = (turn: TakeTurn) => () => Promise.resolve(turnsASecond(turn, bench.seconds));
  const { medians, notes } = await alternate({ ours: measure(ours), xstate: measure(theirs) });
  const rates = [medians.ours, medians.xstate].map((rate) => rate.toFixed(0));
  const rows = [[...rates, ratio(medians.ours, medians.xstate)]];
  return [
    { title: 'Turns a second on one core', compares, columns, rows, notes },
    await allAtOnce(await journeyFlows()),
  ];
}

const phones = 200;
const looked_up_after_ms = 5;
const patience_ms = 1_000;

/** One phone dials and is shown its own order, which takes a while to look up. */
type Dial = (phone: string) => Promise<string>;

async function allAtOnce(flows: Flows): Promise<Table> {
  const engines: [string, Dial][] = [
    ['ours', ourDial(flows)],
    ['ussd-menu-builder', builderDial()],
  ];
  const rows = await Promise.all(
    engines.map(async ([name, dial]) => {
      const answers = await Promise.all(
        Array.from({ length: phones }, async (_, nth) => {
          const phone = `07${10_000_000 + nth}`;
          const words = await Promise.race([dial(phone), sleep(patience_ms, undefined)]);
          if (words === undefined) return 'hung';
          return words.includes(`ORD-${phone} `) ? 'right' : 'wrong';
        }),
      );
      const count = (what: string) => String(answers.filter((it) => it === what).length);
      return [name, count('right'), count('wrong'), count('hung')];
    }),
  );
  return {
    title: `${phones} phones that dial at once`,
    compares:
      'Each is shown its own order, which takes 5 ms to look up: who is shown it, another’s, or nothing within a ' +
      'second; beside ussd-menu-builder 1.2.0, one menu for all of them as its documentation has it.',
    columns: ['', 'right', 'wrong', 'hung'],
    rows,
    notes: [],
  };
}

const ordersOf = async (phone: string) => {
  await sleep(looked_up_after_ms);
  return [{ id: 'o1', ref: `ORD-${phone}`, total: '500.00' }];
};

function ourDial(flows: Flows): Dial {
  return async (phone) => {
    let turn: Turn = hear(flows, undefined, 'refund', phone, on_ussd);
    while (turn.next === 'act') {
      const { session } = turn;
      turn = settle(flows, session, { value: await ordersOf(phone) }, on_ussd);
    }
    return turn.words;
  };
}

function builderDial(): Dial {
  const menu = new UssdMenu();
  menu.startState({
    run: () => {
      void ordersOf(menu.args.phoneNumber).then(([order]) => menu.con(`1 ${order?.ref} KES 500`));
    },
  });
  const args = { sessionId: 's', serviceCode: '*384#', text: '' };
  return (phone) => menu.run({ ...args, phoneNumber: phone });
}

const compares =
  'A refund in six turns on USSD, without a database: the session is read from JSON and written to JSON in each ' +
  'turn, as a webhook does; against XState 5 with the same journey written by hand in one language, saying the same.';
const columns = ['ours', 'XState', 'ratio'];

function turnsASecond(turn: TakeTurn, seconds: number): number {
  const sessions = new Map<string, string>();
  const began = performance.now();
  const until = began + seconds * 1_000;
  let taken = 0;
  while (performance.now() < until) {
    for (let person = 0; person < 100; person += 1) {
      for (const said of journey) turn(sessions, `p${person}`, said);
    }
    taken += 100 * journey.length;
  }
  return (taken * 1_000) / (performance.now() - began);
}

async function journeyFlows(): Promise<Flows> {
  const folder = mkdtempSync(join(tmpdir(), 'karani-bench-flows-'));
  try {
    const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
    cpSync(at('flows'), folder, { recursive: true });
    cpSync(at('../flows/_shared.yaml'), join(folder, '_shared.yaml'));
    const never = () => Promise.reject(new Error('the benchmark answers'));
    const Order = z.object({ id: z.string(), ref: z.string(), total: Money });
    const refused: readonly string[] = [];
    return await loadFlows(folder, {
      'orders.list': action({
        input: z.object({}),
        output: z.array(Order),
        refusals: refused,
        run: never,
      }),
      'orders.refund': action({
        input: z.object({ order: z.string(), reason: z.string(), amount: Money }),
        output: z.object({ ref: z.string() }),
        refusals: refused,
        run: never,
      }),
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const kamau = { id: 1n, name: 'Kamau', language: 'en', roles: [], stopped: false } as const;
const on_ussd: Context = { actor: kamau, channel: 'ussd', now: new Date() };

function ourTurn(flows: Flows): TakeTurn {
  const answers = new Map<string, unknown>([
    ['orders.list', orders],
    ['orders.refund', { ref }],
  ]);
  return (sessions, id, said) => {
    const kept = sessions.get(id);
    const session = kept === undefined ? undefined : (JSON.parse(kept) as Session);
    let turn: Turn = hear(flows, session, said, id, on_ussd);
    while (turn.next === 'act') {
      turn = settle(flows, turn.session, { value: answers.get(turn.action) }, on_ussd);
    }
    if (turn.next === 'wait') sessions.set(id, JSON.stringify(turn.session));
    else sessions.delete(id);
    return turn.words;
  };
}

interface Refund {
  order: (typeof orders)[number] | undefined;
  reason: string;
  amount: string;
  wrong: boolean;
}

const fits = ({ order }: Refund, said: string) =>
  Number(said) >= 10 && Number(said) <= Number(order?.total);

const machine = setup({
  types: {
    context: {} as Refund & { orders: typeof orders },
    events: {} as { type: 'SAID'; said: string },
  },
}).createMachine({
  context: { orders, order: undefined, reason: '', amount: '', wrong: false },
  initial: 'order',
  states: {
    order: {
      on: {
        SAID: {
          target: 'reason',
          actions: assign(({ context, event }) => ({
            order: context.orders[Number(event.said) - 1],
          })),
        },
      },
    },
    reason: {
      on: {
        SAID: {
          target: 'amount',
          actions: assign(({ event }) => ({ reason: event.said === '1' ? 'late' : 'wrong' })),
        },
      },
    },
    amount: {
      on: {
        SAID: [
          {
            guard: ({ context, event }) => fits(context, event.said),
            target: 'confirm',
            actions: assign(({ event }) => ({ amount: event.said, wrong: false })),
          },
          { actions: assign({ wrong: true }) },
        ],
      },
    },
    confirm: {
      on: {
        SAID: [{ guard: ({ event }) => event.said === '1', target: 'sent' }, { target: 'stopped' }],
      },
    },
    sent: { type: 'final' },
    stopped: { type: 'final' },
  },
});

const money = (amount = '') => moneyWords(amount, true) ?? '';

function wordsOf(state: unknown, it: Refund): string {
  const most = money(it.order?.total);
  switch (state) {
    case 'order': {
      const list = orders.map((order, index) => `${index + 1} ${order.ref} ${money(order.total)}`);
      return `Which order?\n${list.join('\n')}\n0 Back`;
    }
    case 'reason':
      return 'What went wrong?\n1 Came late\n2 Wrong item\n0 Back';
    case 'amount':
      return it.wrong
        ? `Enter an amount from KES 10 to ${most}.\n0 Back`
        : `How much? Up to ${most}\n0 Back`;
    case 'confirm':
      return `Refund ${money(it.amount)} for ${it.order?.ref}?\n1 Yes\n2 No\n0 Back`;
    default:
      return state === 'sent' ? `We have your request. Ref ${ref}.` : 'The request was not sent.';
  }
}

function machineTurn(): TakeTurn {
  return (sessions, id, said) => {
    const kept = sessions.get(id);
    const snapshot = kept === undefined ? undefined : (JSON.parse(kept) as never);
    const actor = createActor(machine, snapshot === undefined ? {} : { snapshot });
    actor.start();
    if (kept !== undefined) actor.send({ type: 'SAID', said });
    const now = actor.getSnapshot();
    if (now.status === 'done') sessions.delete(id);
    else sessions.set(id, JSON.stringify(actor.getPersistedSnapshot()));
    actor.stop();
    return wordsOf(now.value, now.context);
  };
}
