import { constants, setPriority } from 'node:os';
import { isAbsolute, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import type { Hosts } from './base/config.ts';
import { type Database, type Db, inTransaction, openDatabase, while_serving } from './base/db.ts';
import { startPostgres } from './base/embedded-postgres.ts';
import { messageOf, SetupError } from './base/errors.ts';
import { migrateJobs } from './base/jobs.ts';
import { log } from './base/log.ts';
import { migrate } from './base/migrate.ts';
import { localPhone } from './base/phone.ts';
import { keyedHash } from './base/secrets.ts';
import { sendSms } from './channels/sms/send.ts';
import { sendMessage } from './channels/whatsapp-cloud/send.ts';
import type { House } from './conversation/house.ts';
import { seedDemo } from './demo.ts';
import { keepContents } from './conversation/contents.ts';
import { loadFlows } from './flow/load.ts';
import { loadMessages } from './flow/messages.ts';
import { sharedTokens } from './daraja-tokens.ts';
import type { StkShortcode } from './daraja/stk.ts';
import { openChart } from './ledger/accounts.ts';
import { accountsAtMpesa, moneyAccount } from './ledger/chart.ts';
import { keepConfiguredAdmins } from './people/configured.ts';
import { paperOf } from './reports/papers.ts';
import { registerShortcodes } from './register-shortcodes.ts';
import { actions, dues, trades } from './registry.ts';
import { type LinkedParts, startLinked } from './linked.ts';
import { keepLinkedProcess, sayAlive } from './linked-process.ts';
import { listen } from './listen.ts';
import { keeper } from './inbox/keep.ts';
import { pullEvery, pullShortcodes, registerPulls, statusInitiators } from './recovery.ts';
import { buildServer } from './server.ts';
import { limitsOf, readSettings, type Settings } from './settings.ts';
import { openSimulator } from './simulator/simulator.ts';
import { playgroundRoutes } from './web/playground/routes.ts';
import { keptOff } from './trades.ts';
import { startWorker } from './worker.ts';

/** `whatsapp` holds the number that is linked as a device. */
export type ServerRole = 'web' | 'worker' | 'whatsapp';
export const server_roles: readonly ServerRole[] = ['web', 'worker', 'whatsapp'];

export const flows_folder = fileURLToPath(new URL('../flows', import.meta.url));

/** What was started, in order; it is waited for in the opposite order. */
type Stops = { name: string; stop: () => Promise<void> }[];

/** One run of the server: what has to be stopped, and the signal that it is to stop. */
interface Run {
  env: NodeJS.ProcessEnv;
  stops: Stops;
  stopping: AbortSignal;
}

/**
 * Starts the roles and runs until it is told to stop (Ctrl-C, SIGTERM); then stops all in order.
 */
export async function serve(env: NodeJS.ProcessEnv, roles: readonly ServerRole[]): Promise<void> {
  const stops: Stops = [];
  const stopping = new AbortController();
  const told_to_stop = stopSignal();
  try {
    await start(readSettings(env), roles, { env, stops, stopping: stopping.signal });
    await told_to_stop;
    say('\nStopping…');
  } finally {
    stopping.abort();
    await stopAll(stops);
  }
}

async function start(settings: Settings, roles: readonly ServerRole[], run: Run): Promise<void> {
  const { stops } = run;
  const demo = settings.environment === 'demo';
  const linked_alone = roles.every((role) => role === 'whatsapp');
  if (linked_alone && !settings.whatsapp_linked) {
    throw new SetupError('The role whatsapp has nothing to do: set whatsapp_linked.');
  }
  const database_url = await reachDatabase(settings, stops);
  await prepareDatabase(settings, database_url);
  const database = openDatabase(database_url, 32, while_serving);
  const { db, pool } = database;
  stops.push({ name: 'database connections', stop: () => pool.end() });
  const money_accounts = moneyAccounts(settings);
  await inTransaction(db, async (tx) => {
    await openChart(tx, [...money_accounts.values()].flatMap(accountsAtMpesa));
    if (demo) await seedDemo(tx);
    await keepConfiguredAdmins(tx, settings.admin_numbers);
  });

  const flows = await loadFlows(flows_folder, actions);
  await keepContents(db, flows);
  const house: House = {
    flows,
    actions,
    values: houseValues(settings),
    sms: settings.sms !== undefined,
    asks_from: settings.shortcodes.find((s) => s.passkey !== undefined)?.number,
    numbers: {
      cloud: !!settings.whatsapp,
      linked: !!settings.whatsapp_linked,
      kept_off: keptOff(settings.channels, trades),
    },
    keyed: (purpose, text) => keyedHash(settings.secret, purpose, text),
  };
  if (linked_alone) return holdLinked(settings, { database, database_url, house }, stops);
  if (roles.includes('whatsapp') && settings.whatsapp_linked) {
    const linked = keepLinkedProcess({ ...run.env, DATABASE_URL: database_url });
    stops.push({ name: 'linked number', stop: () => linked.stop() });
  }
  let hosts = settings.hosts;
  if (roles.includes('web')) {
    const own_url = await startWeb(settings, database, house, run);
    hosts ??= { daraja: own_url, whatsapp: own_url, at: own_url };
    const public_url = settings.public_url ?? own_url;
    const reach = { hosts, public_url };
    if (demo) await registerDemo(settings, db, reach, stops);
    if (roles.includes('worker')) {
      await startTasks(settings, { database, database_url, house }, reach, stops);
    }
    announce(settings, own_url);
    return;
  }
  if (!hosts) throw new SetupError('The demo runs in one process: start it without --roles.');
  // Where both want the processor, who waits for an answer comes before work that can wait.
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  // Who splits the roles says where they are reached; on one machine it is where the web listens.
  const public_url = settings.public_url ?? `http://${settings.host}:${settings.port}`;
  await startTasks(settings, { database, database_url, house }, { hosts, public_url }, stops);
  say('The worker is running.');
}

async function holdLinked(
  settings: Settings,
  parts: Pick<LinkedParts, 'database' | 'database_url' | 'house'>,
  stops: Stops,
): Promise<void> {
  const number = settings.whatsapp_linked?.number ?? '';
  const messages = await loadMessages(flows_folder);
  const linked = startLinked({ settings, number, messages, ...parts });
  stops.push({ name: 'linked number', stop: () => linked.stop() });
  sayAlive();
  say('The process of the linked number is running.');
}

async function reachDatabase(settings: Settings, stops: Stops): Promise<string> {
  if (settings.database_url) return settings.database_url;
  const postgres = await startPostgres(settings.data_dir, { say });
  stops.push({ name: 'database', stop: () => postgres.stop() });
  return postgres.url;
}

// Migrations take what they take, so they have connections of their own.
async function prepareDatabase(settings: Settings, url: string): Promise<void> {
  const { db, pool } = openDatabase(url, 2);
  try {
    await checkDatabase(db, url);
    say('Preparing the books…');
    await migrate(pool, settings.environment);
    await migrateJobs(url);
  } finally {
    await pool.end();
  }
}

const oldest_postgres = 15;

async function checkDatabase(db: Db, url: string): Promise<void> {
  let version: number;
  try {
    const { rows } = await sql<{ version: number }>`
      select current_setting('server_version_num')::int / 10000 as version
    `.execute(db);
    version = rows[0]?.version ?? 0;
  } catch (error) {
    const where = URL.canParse(url) ? new URL(url).host || 'DATABASE_URL' : 'DATABASE_URL';
    throw new SetupError(
      `The database at ${where} does not answer (${messageOf(error)}). ` +
        'Start it, or correct DATABASE_URL; without DATABASE_URL Karani brings its own.',
    );
  }
  if (version < oldest_postgres) {
    throw new SetupError(
      `This is PostgreSQL ${version}, and Karani needs ${oldest_postgres} or newer.`,
    );
  }
}

/** Where each of our shortcodes keeps its money, as ledger account codes. */
export function moneyAccounts(settings: Settings): Map<string, string> {
  const accounts = new Map(
    settings.shortcodes.map((s) => [s.number, moneyAccount(s.number, s.kind)] as const),
  );
  // A till's payments may be reported under its head office's number.
  for (const { number, store } of settings.shortcodes) {
    const account = accounts.get(number);
    if (store && account && !accounts.has(store)) accounts.set(store, account);
  }
  return accounts;
}

function houseValues(settings: Settings): Record<string, string> {
  const paybill = settings.shortcodes.find((s) => s.kind === 'paybill') ?? settings.shortcodes[0];
  return {
    shop: settings.business.name,
    help: localPhone(settings.business.help_number),
    paybill: paybill?.number ?? '',
    ussd: settings.ussd.code,
  };
}

async function startWeb(
  settings: Settings,
  database: Database,
  house: House,
  { stops, stopping }: Run,
): Promise<string> {
  const app = buildServer({ settings, database, house, stopping });
  let own_url = '';
  if (settings.environment === 'demo') {
    const playground = playgroundRoutes({ db: database.db, keyed: house.keyed });
    app.route('/', playground.routes);
    if (!settings.hosts) {
      const simulator = await openSimulator({
        data_dir: join(settings.data_dir, 'simulator'),
        app_url: () => own_url,
        hook_secret: settings.whatsapp?.verify_token ?? '',
      });
      app.route('/', simulator.routes);
      stops.push({ name: 'simulator', stop: () => simulator.close() });
    }
    stopping.addEventListener('abort', () => playground.close());
  }
  const listening = await listen(app, settings.host, settings.port);
  own_url = listening.url;
  // At once, while the tasks finish what they do: nobody new is let in, and who is in is answered.
  stopping.addEventListener('abort', () => void listening.stop());
  stops.push({ name: 'web', stop: () => listening.stop() });
  return own_url;
}

/** Where the services are, and where they reach us. */
interface Reach {
  hosts: Hosts;
  public_url: string;
}

async function startTasks(
  settings: Settings,
  { database, database_url, house }: Pick<LinkedParts, 'database' | 'database_url' | 'house'>,
  { hosts, public_url }: Reach,
  stops: Stops,
): Promise<void> {
  const { db, pool } = database;
  const demo = settings.environment === 'demo';
  const tokens = sharedTokens(db, settings.secret);
  const hooks_url = `${public_url}/hooks/${settings.hooks.daraja[0]}`;
  const number = settings.whatsapp && { ...settings.whatsapp, base_url: hosts.whatsapp };
  const account = settings.sms && { ...settings.sms, base_url: hosts.at };
  const tasks = await startWorker({
    db,
    database_url,
    house,
    receive: {
      dues,
      money_accounts: moneyAccounts(settings),
      limits: limitsOf(settings),
      digest_above_per_minute: settings.alerts.digest_above_per_minute,
    },
    prompting: {
      tokens,
      shortcodes: stkShortcodes(settings, hosts),
      callback_url: `${hooks_url}/stk`,
    },
    pulling: {
      tokens,
      shortcodes: pullShortcodes(settings, hosts.daraja),
      keep: keeper(pool, 'drain_payments'),
      every_s: pullEvery(settings),
    },
    asking: {
      tokens,
      initiators: statusInitiators(settings, hosts.daraja),
      answer_url: `${hooks_url}/status`,
    },
    messages: await loadMessages(flows_folder),
    draw: (paper, language) => paperOf(db, paper, { language, house: house.values }),
    whatsapp:
      number &&
      ((to, message, give_up) =>
        // In the demo everybody may be written to.
        sendMessage(number, {
          to,
          message: demo ? { ...message, cold: false } : message,
          give_up,
        })),
    sms: account && ((to, { text }, give_up) => sendSms(account, { to, text, give_up })),
  });
  stops.push({ name: 'tasks', stop: () => tasks.stop() });
}

/** Those of our shortcodes that may ask phones for payments, by number. */
function stkShortcodes(settings: Settings, hosts: Hosts): Map<string, StkShortcode> {
  return new Map(
    settings.shortcodes.flatMap(({ passkey, ...shortcode }) =>
      passkey === undefined
        ? []
        : [[shortcode.number, { ...shortcode, passkey, base_url: hosts.daraja }] as const],
    ),
  );
}

const register_again_ms = 2_000;

// The demo tells M-Pesa at every start where to send its payments, and again until a simulator that
// is elsewhere, and perhaps not up yet, has taken it. Outside the demo it is a command, done once.
async function registerDemo(
  settings: Settings,
  db: Db,
  { hosts: { daraja }, public_url }: Reach,
  stops: Stops,
): Promise<void> {
  const tokens = sharedTokens(db, settings.secret);
  const register = async () => {
    const to = { tokens, daraja_url: daraja, public_url };
    const results = await registerShortcodes(settings, to);
    await registerPulls(settings, to);
    const refused = results.find((it) => it.refused !== undefined);
    if (!refused) clearInterval(again);
    return refused;
  };
  let again: NodeJS.Timeout | undefined;
  const refused = await register();
  if (!refused) return;
  log.warn(
    { ...refused, daraja },
    'M-Pesa has not taken our addresses; asking again until it does',
  );
  again = setInterval(() => void register(), register_again_ms);
  stops.push({ name: 'registration', stop: async () => clearInterval(again) });
}

function announce(settings: Settings, url: string): void {
  const inside = relative(process.cwd(), settings.data_dir);
  const data = isAbsolute(inside) || inside.startsWith('..') ? settings.data_dir : `./${inside}`;
  const lines =
    settings.environment === 'demo'
      ? [
          `Open   ${url}/playground`,
          '',
          `Pay, chat and dial there: paybill ${settings.shortcodes[0]?.number}, USSD ${settings.ussd.code}.`,
          `Kept   ${settings.database_url ? 'in your database' : data}, for the next start.`,
        ]
      : [`Listening   ${url}`, `Daraja calls   ${settings.public_url ?? url}/hooks/…`];
  say(
    ['', 'Karani is running.', '', ...lines, '', 'Stop it with Ctrl-C.', '']
      .map((l) => `  ${l}`)
      .join('\n'),
  );
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

// The first signal stops in order, a second at once.
function stopSignal(): Promise<void> {
  return new Promise((done) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        done();
        process.once(signal, () => process.exit(130));
      });
    }
  });
}

const longest_stop_ms = 10_000;

async function stopAll(stops: Stops): Promise<void> {
  const too_long = setTimeout(() => process.exit(1), longest_stop_ms);
  for (const { name, stop } of stops.toReversed()) {
    await stop().catch((error: unknown) => {
      log.error({ part: name, error: messageOf(error) }, 'stopping failed');
    });
  }
  clearTimeout(too_long);
}
