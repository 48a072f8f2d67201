import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { Command } from './commands.ts';
import { eatDate, eatTime } from './base/clock.ts';
import type { Db } from './base/db.ts';
import { SetupError } from './base/errors.ts';
import { decimalFromCents, moneyWords } from './base/money.ts';
import { sharedTokens } from './daraja-tokens.ts';
import type { ExitCode } from './exit.ts';
import { keeper } from './inbox/keep.ts';
import { drainPayments } from './payments/jobs.ts';
import { type Pulling, pullPayments, wantAllPulls } from './payments/pull.ts';
import { type Reconciled, reconciled } from './payments/reconcile.ts';
import { pullEvery, pullShortcodes, type PullRegistered, registerPulls } from './recovery.ts';
import { dues } from './registry.ts';
import { moneyAccounts } from './serve.ts';
import { limitsOf, type Settings } from './settings.ts';
import { withDatabase } from './with-database.ts';

/** How what callbacks lost is found by hand, and what was found how. */
export const recoveryCommands: readonly Command[] = [
  {
    name: 'daraja register-pull',
    summary: 'Has M-Pesa let us ask what every configured shortcode was paid.',
    run: () => withDatabase(register),
  },
  {
    name: 'reconcile',
    summary:
      'Asks M-Pesa what was paid within two days, and says what was found how and what is unproven.',
    options: { json: { type: 'boolean' } },
    run: (values) =>
      withDatabase((db, settings, pool) =>
        reconcile({ db, pool }, settings, values['json'] === true),
      ),
  },
];

async function register(db: Db, settings: Settings): Promise<ExitCode> {
  const { hosts, public_url } = settings;
  if (!hosts || !public_url) {
    throw new SetupError('PUBLIC_URL is needed: the address at which M-Pesa reaches this server.');
  }
  const tokens = sharedTokens(db, settings.secret);
  const results = await registerPulls(settings, { tokens, daraja_url: hosts.daraja, public_url });
  for (const it of results) {
    const line = `${it.shortcode}: ${registeredWords(it)}\n`;
    (typeof it.how === 'object' ? process.stderr : process.stdout).write(line);
  }
  return results.some((it) => typeof it.how === 'object') ? 1 : 0;
}

function registeredWords({ how }: PullRegistered): string {
  if (typeof how === 'object') return `M-Pesa did not take it (${how.refused}).`;
  return {
    registered: 'its payments can be asked for.',
    already: 'its payments could be asked for already.',
    not_wanted: 'left alone; it has no `pull` in the configuration.',
    by_hand: 'left alone; `pull: true` says that it is registered.',
  }[how];
}

async function reconcile(
  { db, pool }: { db: Db; pool: Pool },
  settings: Settings,
  as_json: boolean,
): Promise<ExitCode> {
  const daraja_url = settings.hosts?.daraja ?? `http://${settings.host}:${settings.port || '3000'}`;
  const shortcodes = pullShortcodes(settings, daraja_url);
  const tokens = sharedTokens(db, settings.secret);
  const keep = keeper(pool, 'drain_payments');
  await pullNow(db, { tokens, shortcodes, keep, every_s: pullEvery(settings) });
  await drainNow(db, settings);
  const it = await reconciled(db);
  const lines = as_json ? [JSON.stringify(asJson(it))] : inWords(it);
  process.stdout.write(`${lines.join('\n')}\n`);
  return it.pulls.some((pull) => shortcodes.has(pull.shortcode) && pull.error !== null) ? 1 : 0;
}

const patience_ms = 120_000;
const look_again_ms = 200;

// A running server may be asking already: then what it finds is waited for.
async function pullNow(db: Db, pulling: Pulling): Promise<void> {
  const numbers = [...pulling.shortcodes.keys()];
  if (numbers.length === 0) return;
  const fences = async () => {
    const rows = await db
      .selectFrom('pulls')
      .select(['shortcode', 'fence', 'lease_until', 'wanted_from', 'error'])
      .where('shortcode', 'in', numbers)
      .execute();
    return new Map(rows.map((row) => [row.shortcode, row] as const));
  };
  const before = await fences();
  await wantAllPulls(db, numbers);
  const until = performance.now() + patience_ms;
  while (performance.now() < until) {
    await pullPayments(db, pulling);
    const now = await fences();
    const ended = numbers.every((number) => {
      const it = now.get(number);
      if (!it || it.fence <= (before.get(number)?.fence ?? 0n)) return false;
      return it.lease_until === null && (it.wanted_from === null || it.error !== null);
    });
    if (ended) return;
    await sleep(look_again_ms);
  }
  throw new SetupError('M-Pesa is being asked by another process, which does not come to an end.');
}

async function drainNow(db: Db, settings: Settings): Promise<void> {
  const receive = {
    dues,
    money_accounts: moneyAccounts(settings),
    limits: limitsOf(settings),
    digest_above_per_minute: settings.alerts.digest_above_per_minute,
  };
  const until = performance.now() + patience_ms;
  while (performance.now() < until) {
    await drainPayments(db, receive);
    const waits = await db
      .selectFrom('inbox')
      .select('id')
      .where('source', '=', 'pull_transaction')
      .where('state', '=', 'new')
      .limit(1)
      .executeTakeFirst();
    if (!waits) return;
    await sleep(look_again_ms);
  }
}

function asJson(it: Reconciled): unknown {
  const amount = (cents: bigint) => decimalFromCents(cents);
  return {
    ...it,
    unverified: it.unverified.map(({ amount_cents, ...row }) => ({
      ...row,
      amount: amount(amount_cents),
    })),
    prompts: it.prompts.map(({ amount_cents, ...row }) => ({
      ...row,
      amount: amount(amount_cents),
    })),
  };
}

const exact = (cents: bigint) => moneyWords(decimalFromCents(cents), false);
const moment = (at: Date) => `${eatDate(at)} ${eatTime(at)}`;

function inWords(it: Reconciled): string[] {
  return [
    ...it.pulls.map(({ shortcode, complete_to, error }) =>
      error === null
        ? `${shortcode}: asked for up to ${complete_to ? moment(complete_to) : 'nothing yet'}.`
        : `${shortcode}: cannot be asked for (${error}).`,
    ),
    `Paid within two days: ${it.payments}.`,
    ...it.heard.map(
      ({ source, first, again, contradicting }) =>
        `  by ${source}: ${first} first, ${again} again, ${contradicting} with something else`,
    ),
    ...it.proven.map(({ by, payments }) => `  proven by ${by}: ${payments}`),
    `Unproven, of any day: ${it.unverified_in_all}.`,
    ...it.unverified.map(
      ({ receipt, shortcode, amount_cents, heard_at, heard_by, asked }) =>
        `  ${receipt}  ${exact(amount_cents)} to ${shortcode}, since ${moment(heard_at)}, ` +
        `by ${heard_by}${asked ? `, M-Pesa: ${asked}` : ''}`,
    ),
    `Prompts that are open: ${it.prompts.length}.`,
    ...it.prompts.map(
      ({ reference, due_reference, amount_cents, state, created_at }) =>
        `  ${reference}  ${exact(amount_cents)} for ${due_reference}, ${state} since ${moment(created_at)}`,
    ),
  ];
}
