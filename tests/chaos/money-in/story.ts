import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { checkMoney, type Found } from './checker.ts';
import { comeToRest, giveUpReceipts, importStatements, passTime, wantPulls } from './clerk.ts';
import { type MoneyPlan, type Payment, planMoney, type Prompted } from './plan.ts';
import { answerPhones, type AskedPrompt, askFor } from './prompts.ts';
import { type MoneyWorld, mpesaAt, openMoneyWorld } from './world.ts';

export interface MoneyStory {
  seed: bigint;
  payments: number;
  /** Of a database that is empty. */
  database_url: string;
  say: (line: string) => void;
}

/** What was done, by act: what paying gave, what became of asking. */
export interface Told {
  plan: MoneyPlan;
  paid: Map<string, Payment>;
  asked: Map<string, AskedPrompt>;
  /** Prompts that Karani had given up before they were paid. */
  given_up: Set<string>;
}

export interface MoneyOutcome extends Found {
  kills: number;
  seconds: number;
}

const fair = { drop: 0.05, duplicate: 0.1, delay_ms: 400, reorder: 0.1, lost_response: 0.05 };
const dark = { drop: 1, lost_response: 0.02 };
const at_once = 12;

/**
 * Plays a seed's plan with real processes and an M-Pesa that loses, doubles, delays and reorders
 * what it says; lets all be found again by asking and by statements, and checks it from outside.
 */
export async function playMoneyIn(story: MoneyStory): Promise<MoneyOutcome> {
  const { seed, say } = story;
  const began = performance.now();
  const plan = planMoney(seed, story.payments);
  const world = await openMoneyWorld(plan, story.database_url);
  try {
    const told: Told = { plan, paid: new Map(), asked: new Map(), given_up: new Set() };
    const findings = await play(world, told, (line) => {
      say(`${((performance.now() - began) / 1000).toFixed(1)} s: ${line}`);
    });
    const found = await checkMoney(world, told);
    const codes = await world.stop();
    if (codes.some((code) => code !== 0)) findings.push(`they ended with ${codes.join(', ')}`);
    const seconds = (performance.now() - began) / 1000;
    return { ...found, findings: [...findings, ...found.findings], kills: world.kills, seconds };
  } finally {
    await world.close();
  }
}

async function play(world: MoneyWorld, told: Told, say: (line: string) => void): Promise<string[]> {
  const { acts, seed } = told.plan;
  const mpesa = mpesaAt(world.simulator_url);
  const phones = answerPhones(world, told.asked);
  try {
    await mpesa.faults({ ...fair, refuse: 0.03, seed: String(seed) });
    const fair_acts = acts.filter((act) => act.weather === 'fair');
    const third = Math.ceil(fair_acts.length / 3);
    await playActs(world, told, fair_acts.slice(0, third));
    await Promise.all([
      playActs(world, told, fair_acts.slice(third, 2 * third)),
      ...told.plan.killed.map((name) => world.kill(name)),
    ]);
    await playActs(world, told, fair_acts.slice(2 * third));
    say(`${fair_acts.length} in fair weather`);

    await mpesa.faults({ ...dark, seed: String(seed) });
    await playActs(
      world,
      told,
      acts.filter((act) => act.weather === 'dark'),
    );
    say('the dark is over');
    const findings = await playLate(world, told, phones);
    say(`${told.given_up.size} paid what had been given up`);

    await mpesa.faults({});
    // What M-Pesa holds back leaves with the next that it sends.
    await mpesa.pay({ phone: '254722999999', amount: 1, account: 'the last', name: 'Last' });
    findings.push(...(await comeToRest(world, await wantPulls(world))));
    say('M-Pesa was asked about everything');

    await reverseLater(world, told);
    findings.push(...(await importStatements(world)));
    findings.push(...(await giveUpReceipts(world)));
    say('the statements are imported');
    return findings;
  } finally {
    await phones.stop();
  }
}

/** So many at a time, in the order of the plan. */
async function playActs(
  world: MoneyWorld,
  told: Told,
  acts: (Payment | Prompted)[],
): Promise<void> {
  const left = [...acts];
  const one = async () => {
    for (let act = left.shift(); act; act = left.shift()) {
      if (act.kind === 'payment') await pay(world, told, act);
      else await ask(world, told, act);
    }
  };
  await Promise.all(Array.from({ length: at_once }, one));
}

async function pay(world: MoneyWorld, told: Told, act: Payment): Promise<void> {
  const mpesa = mpesaAt(world.simulator_url);
  const { phone, amount, account, shortcode, msisdn, n } = act;
  const name = `Payer ${n}`;
  const { receipt } = await mpesa.pay({ phone, amount, account, shortcode, msisdn, name });
  told.paid.set(receipt, act);
  if (act.reversed === 'at_once') await mpesa.reverse(receipt);
}

async function ask(world: MoneyWorld, told: Told, act: Prompted): Promise<void> {
  const asked = await askFor(world, act);
  told.asked.set(asked.reference, asked);
}

// On the phone a prompt stays for a minute, and then ends by itself; to Karani that minute is hours.
const on_phone_ms = 90_000;

/** What is paid only when Karani has given it up, since M-Pesa's answer was lost or is slow. */
async function playLate(
  world: MoneyWorld,
  told: Told,
  phones: ReturnType<typeof answerPhones>,
): Promise<string[]> {
  const mpesa = mpesaAt(world.simulator_url);
  const late = told.plan.acts.filter((act) => act.kind === 'prompt' && act.weather === 'late');
  const findings: string[] = [];
  for (const answer_lost of [true, false]) {
    await mpesa.faults({ lost_response: answer_lost ? 1 : 0 });
    const acts = late.filter((act) => act.kind === 'prompt' && act.answer_lost === answer_lost);
    await playActs(world, told, acts);
    findings.push(...(await untilSent(world, lateReferences(told))));
  }
  await mpesa.faults({});
  const references = lateReferences(told);
  const until = performance.now() + on_phone_ms;
  for (;;) {
    const { rows } = await sql<{ reference: string }>`
      select reference from prompts
      where state = 'failed' and payment_id is null and reference = any(${references}::text[])
    `.execute(world.db);
    told.given_up = new Set(rows.map((row) => row.reference));
    if (rows.length === references.length) break;
    if (performance.now() > until) {
      findings.push(`${references.length - rows.length} prompts are not given up`);
      break;
    }
    // M-Pesa says again and again that they are under way.
    await sql`
      update prompts set looks = greatest(looks, 11), look_at = now()
      where state in ('sent', 'unknown') and reference = any(${references}::text[])
    `.execute(world.db);
    await passTime(world);
    await sleep(100);
  }
  phones.letLate();
  return findings;
}

const lateReferences = ({ asked }: Told) =>
  [...asked.values()].filter(({ act }) => act.weather === 'late').map(({ reference }) => reference);

const until_sent_ms = 30_000;

/** Waits until the prompts of these references have left; resolves to what is wrong when they do not. */
async function untilSent({ db }: MoneyWorld, references: string[]): Promise<string[]> {
  const until = performance.now() + until_sent_ms;
  for (;;) {
    const { rows } = await sql<{ n: number }>`
      select count(*)::int as n from prompts
      where state in ('waiting', 'sending') and reference = any(${references}::text[])
    `.execute(db);
    const waiting = rows[0]?.n ?? 0;
    if (waiting === 0) return [];
    if (performance.now() > until) return [`${waiting} prompts did not leave`];
    await sleep(50);
  }
}

/** What M-Pesa takes back when Karani knows of it already, of which statements alone tell. */
async function reverseLater(world: MoneyWorld, told: Told): Promise<void> {
  const mpesa = mpesaAt(world.simulator_url);
  const prompted = [...told.asked.values()].flatMap(({ act, ended }) =>
    ended?.receipt && act.reversed ? [ended.receipt] : [],
  );
  const paid = [...told.paid].flatMap(([receipt, act]) =>
    act.reversed === 'later' ? [receipt] : [],
  );
  for (const receipt of [...prompted, ...paid]) await mpesa.reverse(receipt);
}
