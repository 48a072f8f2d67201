import { randomStream, type Random } from './random.ts';

// What is going to happen, made from the seed alone: who pays what and when, who writes, and what
// goes wrong. How the processes meet it is theirs.

export const process_names = ['web-1', 'web-2', 'worker-1', 'worker-2'] as const;
export type ProcessName = (typeof process_names)[number];
export type Role = 'web' | 'worker';

/**
 * Instants at which a process is killed, told apart from outside by what it says to PostgreSQL and
 * to WhatsApp.
 */
export const instants = {
  web: ['received', 'inserted_unknown', 'committed_not_answered'],
  worker: [
    'inserted_not_committed',
    'drained_not_committed',
    'commit_unknown',
    'leased_not_sent',
    'sent_not_recorded',
  ],
} as const;
export type Instant = (typeof instants)[Role][number];

export type Fault =
  | { kind: 'kill' | 'restart'; target: ProcessName }
  | { kind: 'kill_at'; role: Role; instant: Instant }
  | { kind: 'freeze'; target: ProcessName; for_ms: number }
  | { kind: 'postgres_restart' }
  | { kind: 'backends_terminated'; share: number }
  | { kind: 'database_refuses' | 'database_silent'; target: ProcessName | 'all'; for_ms: number }
  | { kind: 'connections_exhausted' | 'disk_full'; for_ms: number }
  | { kind: 'whatsapp_down' | 'whatsapp_answers_lost' | 'whatsapp_slow'; for_ms: number };
export type FaultKind = Fault['kind'];

export interface Payment {
  at_ms: number;
  /** In the payer's name, so that what happens to its callbacks is the seed's. */
  n: number;
  phone: string;
  amount: number;
  account: string;
  msisdn: 'clear' | 'hashed' | 'masked';
}

export interface Writing {
  at_ms: number;
  phone: string;
  channel: 'whatsapp' | 'ussd';
  text: string;
}

export interface Plan {
  seed: bigint;
  length_ms: number;
  /** Faults last as long as what they are to outlast; otherwise leases are made to run out. */
  long: boolean;
  payments: Payment[];
  writings: Writing[];
  /** When somebody new dials, and goes through a conversation. */
  dials: { at_ms: number; n: number }[];
  faults: { at_ms: number; fault: Fault }[];
  /** How far each process's clock is off. */
  skew_ms: Record<ProcessName, number>;
}

export const admins = ['254700000001', '254700000002'] as const;
export const customers = ['254711000001', '254711000002', '254711000003'] as const;
export const stranger = '254733000009';
export const invoices_each = 4;

const payments_a_second = 16;
const writings_a_second = 2;
const dials_a_second = 2;
const fault_every_ms = 900;

/** The plan for so many milliseconds. */
export function makePlan(seed: bigint, length_ms: number, long: boolean): Plan {
  return {
    seed,
    length_ms,
    long,
    payments: planPayments(randomStream(seed, 'payments'), length_ms, long),
    writings: planWritings(randomStream(seed, 'writings'), length_ms),
    dials: planDials(randomStream(seed, 'dials'), length_ms),
    faults: planFaults(randomStream(seed, 'faults'), length_ms, long),
    skew_ms: planSkew(randomStream(seed, 'clocks')),
  };
}

/** A customer's nth invoice, as `seedBusiness` numbers them. */
export function invoiceOf(customer: number, nth: number): string {
  return `INV-20260301-${String(customer * invoices_each + nth + 1).padStart(4, '0')}`;
}

// A phone has KES 100,000, and in an hour some thousands of payments.
const short_amounts = [10, 99] as const;
const long_amounts = [1, 20] as const;

function planPayments(random: Random, length_ms: number, long: boolean): Payment[] {
  const [least, most] = long ? long_amounts : short_amounts;
  const count = Math.round((length_ms / 1000) * payments_a_second);
  return Array.from({ length: count }, (_, n) => {
    const customer = random.whole(0, customers.length - 1);
    const known = random.chance(0.4);
    const number = invoiceOf(customer, random.whole(0, invoices_each - 1));
    return {
      // In bursts as well as one by one.
      at_ms: Math.floor(random.share() * length_ms * (random.chance(0.3) ? 0.5 : 1)),
      n,
      phone: known
        ? random.pick(customers)
        : `2547220${String(random.whole(0, 99_999)).padStart(5, '0')}`,
      amount: random.whole(least, most),
      account: random.pick([
        number,
        number,
        number.toLowerCase().replaceAll('-', ' '),
        `CUST-00${customer + 1}`,
        '',
        'shoes',
      ]),
      msisdn: random.pick(['clear', 'hashed', 'masked'] as const),
    };
  }).sort((a, b) => a.at_ms - b.at_ms);
}

function planWritings(random: Random, length_ms: number): Writing[] {
  const count = Math.round((length_ms / 1000) * writings_a_second);
  return Array.from({ length: count }, () => ({
    at_ms: Math.floor(random.share() * length_ms),
    phone: random.pick([...admins, ...customers, stranger]),
    channel: random.chance(0.8) ? ('whatsapp' as const) : ('ussd' as const),
    text: random.pick(['hi', '1', '2', '3', '0', 'menu', 'habari', '9', 'salio']),
  })).sort((a, b) => a.at_ms - b.at_ms);
}

function planDials(random: Random, length_ms: number): Plan['dials'] {
  const count = Math.round((length_ms / 1000) * dials_a_second);
  return Array.from({ length: count }, (_, n) => ({
    at_ms: Math.floor(random.share() * length_ms),
    n,
  }));
}

function planFaults(random: Random, length_ms: number, long: boolean): Plan['faults'] {
  const faults: Plan['faults'] = [];
  let at_ms = random.whole(200, 900);
  while (at_ms < length_ms) {
    faults.push({ at_ms, fault: randomFault(random, long) });
    at_ms += random.whole(fault_every_ms / 3, fault_every_ms * 1.7);
  }
  return faults;
}

// Frozen for longer than a lease (20 s) and than a transaction may lie idle; in the short form the
// leases are made to run out instead.
const long_freeze = [22_000, 28_000] as const;
const short_freeze = [600, 3_000] as const;

function randomFault(random: Random, long: boolean): Fault {
  const target = random.pick(process_names);
  const for_ms = random.whole(300, 2_500);
  const roll = random.share();
  if (roll < 0.2) return { kind: 'kill', target };
  if (roll < 0.56) {
    const role = random.pick(['web', 'worker', 'worker'] as const);
    return { kind: 'kill_at', role, instant: random.pick<Instant>(instants[role]) };
  }
  if (roll < 0.64) {
    const [least, most] = long && random.chance(0.3) ? long_freeze : short_freeze;
    return { kind: 'freeze', target, for_ms: random.whole(least, most) };
  }
  if (roll < 0.68) return { kind: 'restart', target };
  if (roll < 0.72) return { kind: 'postgres_restart' };
  if (roll < 0.79) return { kind: 'backends_terminated', share: random.pick([0.1, 0.5, 1]) };
  if (roll < 0.87) {
    const kind = random.pick(['database_refuses', 'database_silent'] as const);
    return { kind, target: random.chance(0.2) ? 'all' : target, for_ms };
  }
  if (roll < 0.9) return { kind: 'connections_exhausted', for_ms };
  if (roll < 0.92) return { kind: 'disk_full', for_ms };
  return {
    kind: random.pick(['whatsapp_down', 'whatsapp_answers_lost', 'whatsapp_slow'] as const),
    for_ms,
  };
}

const ten_minutes_ms = 600_000;

function planSkew(random: Random): Record<ProcessName, number> {
  const skews = process_names.map((name) => [
    name,
    random.pick([-ten_minutes_ms, 0, 0, ten_minutes_ms]),
  ]);
  return Object.fromEntries(skews) as Record<ProcessName, number>;
}

/** What happens to one sending of a payment's callback at the door. */
export interface Fate {
  dropped: boolean;
  delay_ms: number;
  /** How often it arrives, at once, across the web processes. */
  copies: number;
  /** Its answer never reaches M-Pesa. */
  answer_lost: boolean;
  /** Somebody sends it again with another amount, once it was answered. */
  tampered: boolean;
}

/** The fate of the nth sending of a payment's callback. */
export function fateOf(seed: bigint, payment: number, sending: number): Fate {
  const random = randomStream(seed, `callback:${payment}:${sending}`);
  const roll = random.share();
  return {
    dropped: random.chance(0.03),
    delay_ms: random.chance(0.25) ? random.whole(1, 400) : 0,
    copies: roll < 0.8 ? 1 : roll < 0.98 ? random.whole(2, 5) : 20,
    answer_lost: random.chance(0.04),
    tampered: random.chance(0.06),
  };
}
