import { randomStream, type Random } from '../random.ts';

// Who pays what, how, and what becomes of the callbacks: made from the seed alone.

/** Asked for what was paid; asked about single payments; told of by its statement alone. */
export const shortcodes = { paybill: '600000', till: '600001', quiet: '600100' } as const;

export interface Customer {
  number: string;
  phone: string;
  invoices: { number: string; total_cents: bigint }[];
}

interface Act {
  n: number;
  phone: string;
  shortcode: string;
  amount: number;
  /**
   * In fair weather some callbacks are lost, doubled, late and out of order; in the dark none
   * arrives; what is late is paid when Karani has given it up.
   */
  weather: 'fair' | 'dark' | 'late';
  /** Whom it must pay, if anybody; who else is paid is paid by mistake. */
  customer: Customer | undefined;
  /** Given back at M-Pesa: at once, perhaps before Karani hears of it, or in the end. */
  reversed: 'at_once' | 'later' | undefined;
}

/** Somebody pays by themselves. `named`: what they typed names the customer without a doubt. */
export interface Payment extends Act {
  kind: 'payment';
  account: string;
  msisdn: 'clear' | 'hashed' | 'masked';
  named: boolean;
}

export type PromptAnswer = 'pin' | 'cancel' | 'timeout' | 'wrong_pin' | 'insufficient';

/** Somebody is asked, and does this with the prompt. */
export interface Prompted extends Act {
  kind: 'prompt';
  invoice: string;
  answer: PromptAnswer;
  /** Of what is late: whether our request's answer was lost, or M-Pesa says for long that it is under way. */
  answer_lost: boolean;
}

export const process_names = ['web-1', 'web-2', 'worker'] as const;
export type ProcessName = (typeof process_names)[number];

export interface MoneyPlan {
  seed: bigint;
  /** Who is killed in the middle; to start again takes longer than a short plan. */
  killed: ProcessName[];
  customers: Customer[];
  acts: (Payment | Prompted)[];
}

const invoices_each = 4;
const prompt_share = 0.3;

/** The plan of so many payments, and of prompts that nobody pays besides. */
export function planMoney(seed: bigint, count: number): MoneyPlan {
  const customers = Array.from({ length: Math.max(8, Math.round(count / 60)) }, (_, n) =>
    customerOf(n),
  );
  const random = randomStream(seed, 'money in');
  const own_prompt = new Set<Customer>();
  const acts: MoneyPlan['acts'] = [];
  for (let paid = 0; paid < count;) {
    const act = random.chance(prompt_share)
      ? planPrompt(random, acts.length, customers, own_prompt)
      : planPayment(random, acts.length, customers);
    acts.push(act);
    if (act.kind === 'payment' || act.answer === 'pin') paid += 1;
  }
  return { seed, killed: count < 1_000 ? ['worker'] : ['web-1', 'worker'], customers, acts };
}

function customerOf(n: number): Customer {
  return {
    number: `CUST-${String(n + 1).padStart(3, '0')}`,
    phone: `254711${String(n).padStart(6, '0')}`,
    // One owes little, and soon pays ahead.
    invoices: Array.from({ length: n === 0 ? 1 : invoices_each }, (_, nth) => ({
      number: `INV-20260301-${String(n * invoices_each + nth + 1).padStart(4, '0')}`,
      // The first is soon paid, and what is over goes on.
      total_cents: nth === 0 ? 150_000n : 5_000_000n,
    })),
  };
}

function planPrompt(
  random: Random,
  n: number,
  customers: Customer[],
  own_prompt: Set<Customer>,
): Prompted {
  const customer = random.pick(customers.slice(1));
  // A phone shows one prompt in two minutes: nearly all are paid by somebody else's.
  const own = random.chance(0.2) && !own_prompt.has(customer);
  if (own) own_prompt.add(customer);
  const roll = random.share();
  const weather = roll < 0.8 ? 'fair' : roll < 0.9 ? 'dark' : 'late';
  const answer = random.chance(0.7)
    ? 'pin'
    : random.pick(['cancel', 'timeout', 'wrong_pin', 'insufficient'] as const);
  return {
    kind: 'prompt',
    ...{ n, customer, weather },
    phone: own ? customer.phone : `254790${String(n).padStart(6, '0')}`,
    shortcode: random.chance(0.6) ? shortcodes.paybill : shortcodes.till,
    amount: random.whole(1, 400),
    invoice: random.pick(customer.invoices.slice(1)).number,
    answer: weather === 'late' ? 'pin' : answer,
    answer_lost: random.chance(0.5),
    reversed: reversedAt(random),
  };
}

function planPayment(random: Random, n: number, customers: Customer[]): Payment {
  const shortcode = random.pick([
    ...[shortcodes.paybill, shortcodes.paybill, shortcodes.paybill],
    ...[shortcodes.till, shortcodes.quiet],
  ]);
  const somebody = random.pick(customers);
  const stranger = `254722${String(n).padStart(6, '0')}`;
  const { number } = random.pick(somebody.invoices);
  const named = [
    ...[number, number, number, number.toLowerCase().replaceAll('-', ' ')],
    ...[somebody.number, somebody.phone],
  ];
  const how = random.pick(['named', 'named', 'named', 'own phone', 'stranger'] as const);
  const typed = {
    named: random.pick(named),
    'own phone': '',
    stranger: random.pick(['', 'shoes']),
  };
  const account = shortcode === shortcodes.till ? '' : typed[how];
  const own = how === 'own phone' || (how === 'named' && random.chance(0.3));
  const is_named = how === 'named' && account !== '';
  return {
    kind: 'payment',
    ...{ n, shortcode, account },
    phone: own ? somebody.phone : stranger,
    amount: random.whole(1, 900),
    weather: random.chance(0.94) ? 'fair' : 'dark',
    msisdn: random.pick(['clear', 'hashed', 'masked'] as const),
    named: is_named,
    customer: own || is_named ? somebody : undefined,
    reversed: reversedAt(random),
  };
}

function reversedAt(random: Random): Act['reversed'] {
  if (!random.chance(0.04)) return undefined;
  return random.pick(['at_once', 'later'] as const);
}
