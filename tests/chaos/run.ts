import { parseArgs } from 'node:util';
import { playMoneyIn } from './money-in/story.ts';
import { type Instant, instants } from './plan.ts';
import { type ChaosPostgres, startChaosPostgres } from './postgres.ts';
import { type Outcome, playStory } from './story.ts';

// npm run chaos -- [--seed N] [--minutes M] [--seeds COUNT] [--money-in [--payments N]]
// Plays seeds one after the other, from N on, and says for each what was done and what was wrong.
// With --money-in [--payments N] it is M-Pesa that forgets, and everything is found again.

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    minutes: { type: 'string' },
    'money-in': { type: 'boolean', default: false },
    payments: { type: 'string' },
  },
});
const first = BigInt(values.seed ?? Math.floor(performance.timeOrigin));
const count = Number(values.seeds ?? 1);
// Of so many each instant is reached in several.
const enough_seeds = 25;
const length_ms = Number(values.minutes ?? 0.2) * 60_000;

const postgres = await startChaosPostgres();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void postgres.stop().finally(() => process.exit(130)));
}
if (values['money-in']) {
  const wrong = await playMoneySeeds(postgres);
  await postgres.stop();
  process.exit(wrong > 0 ? 1 : 0);
}

const outcomes: Outcome[] = [];
let red = 0;
try {
  for (let n = 0; n < count; n += 1) {
    const seed = first + BigInt(n);
    const say = length_ms > 60_000 ? (line: string) => console.log(`  ${line}`) : () => undefined;
    const outcome = await playStory({ seed, length_ms, postgres, say });
    outcomes.push(outcome);
    if (outcome.findings.length > 0) red += 1;
    console.log(`seed ${seed}: ${summary(outcome)}`);
    for (const finding of outcome.findings) console.log(`  ${finding}`);
  }
} finally {
  await postgres.stop();
}
if (count > 1) console.log(`\n${count} seeds, ${red} with findings\n${total(outcomes)}`);
else console.log(total(outcomes));
const unreached = neverReached(outcomes);
if (unreached.length > 0) console.log(`never killed at: ${unreached.join(', ')}`);
process.exit(red > 0 || unreached.length > 0 ? 1 : 0);

// What was found how, and what was wrong, of one seed after the other.
async function playMoneySeeds({ makeDatabase }: ChaosPostgres): Promise<number> {
  const payments = Number(values.payments ?? 5_000);
  let wrong = 0;
  for (let n = 0; n < count; n += 1) {
    const seed = first + BigInt(n);
    const { url } = await makeDatabase(`money_in_${n}`);
    const say = (line: string) => console.log(`  ${line}`);
    const told = await playMoneyIn({ seed, payments, database_url: url, say });
    if (told.findings.length > 0) wrong += 1;
    const verdict = told.findings.length === 0 ? 'clean' : `${told.findings.length} FINDINGS`;
    const figures = Object.entries(told.figures).sort(([a], [b]) => (a < b ? -1 : 1));
    console.log(`seed ${seed}: ${verdict}; ${told.kills} kills, ${told.seconds.toFixed(0)} s`);
    for (const [what, figure] of figures) console.log(`  ${what}: ${figure}`);
    for (const finding of told.findings) console.log(`  ${finding}`);
  }
  return wrong;
}

// Each is told apart by what a process says: when that changes, nobody may be killed there any more.
function neverReached(all: Outcome[]): Instant[] {
  if (all.length < enough_seeds) return [];
  return Object.values(instants)
    .flat()
    .filter((instant) => all.every((it) => !it.faults[`at ${instant}`]));
}

function summary(it: Outcome): string {
  const verdict = it.findings.length === 0 ? 'clean' : `${it.findings.length} FINDINGS`;
  return (
    `${verdict}; ${it.payments} payments, ${it.answered} answered at first, ${it.kills} kills, ` +
    `${it.tampered} tampered, ${it.repeats} messages repeated, ${it.dialled} dialled, ` +
    `longest wait ${it.longest_wait_s.toFixed(1)} s, at rest after ${it.rest_s.toFixed(1)} s`
  );
}

function total(all: Outcome[]): string {
  const sum = (of: (it: Outcome) => number) => all.reduce((n, it) => n + of(it), 0);
  const faults: Record<string, number> = {};
  const answers: Record<string, number> = {};
  for (const it of all) {
    for (const [kind, n] of Object.entries(it.faults))
      faults[kind] = (faults[kind] ?? 0) + (n ?? 0);
    for (const [status, n] of Object.entries(it.door.answers))
      answers[status] = (answers[status] ?? 0) + n;
  }
  const list = (of: Record<string, number>) =>
    Object.entries(of)
      .sort()
      .map(([name, n]) => `${name} ${n}`)
      .join(', ');
  return [
    `payments ${sum((it) => it.payments)}, answered at first ${sum((it) => it.answered)}`,
    `kills ${sum((it) => it.kills)}, restarts ${sum((it) => it.restarts)}`,
    `faults: ${list(faults)}`,
    `answers: ${list(answers)}`,
    `callbacks: ${sum((it) => it.door.copies)} copies, ${sum((it) => it.door.dropped)} dropped, ` +
      `${sum((it) => it.door.answers_lost)} answers lost, ${sum((it) => it.tampered)} tampered`,
    `messages repeated ${sum((it) => it.repeats)}`,
    `conversations on USSD ${sum((it) => it.dialled)}`,
    `longest wait ${Math.max(0, ...all.map((it) => it.longest_wait_s)).toFixed(1)} s`,
    `longest way to rest ${Math.max(0, ...all.map((it) => it.rest_s)).toFixed(1)} s`,
  ].join('\n');
}
