import type { ParseArgsConfig } from 'node:util';
import { sql } from 'kysely';
import { readConfig } from './base/config.ts';
import { type Db, inTransaction } from './base/db.ts';
import { SetupError } from './base/errors.ts';
import { wake } from './base/jobs.ts';
import type { ExitCode } from './exit.ts';
import { chatWithDemo } from './flow-chat.ts';
import {
  checkFlows,
  graphFlow,
  printActions,
  printTemplates,
  testAllFlows,
} from './flow-commands.ts';
import { importCommands } from './import-commands.ts';
import { type Finding, verify } from './ledger/verify.ts';
import { truthCheck } from './mpesa-truth.ts';
import { sharedTokens } from './daraja-tokens.ts';
import { peopleCommands } from './people-commands.ts';
import { recoveryCommands } from './recovery-commands.ts';
import { registerShortcodes } from './register-shortcodes.ts';
import { checks, running_checks, trades } from './registry.ts';
import { serve, server_roles, type ServerRole } from './serve.ts';
import { linkedStatus, linkFromTerminal } from './linked-commands.ts';
import { listen } from './listen.ts';
import { keptOff } from './trades.ts';
import type { Settings } from './settings.ts';
import { importFile } from './statement-commands.ts';
import { openSimulator } from './simulator/simulator.ts';
import { tokenCommands } from './token-commands.ts';
import { withDatabase } from './with-database.ts';

type Values = Record<string, unknown>;

export interface Command {
  /** One or two words, as they are typed. */
  name: string;
  summary: string;
  options?: NonNullable<ParseArgsConfig['options']>;
  /** What must follow, by name. */
  positionals?: string[];
  run: (values: Values, positionals: string[]) => Promise<ExitCode | void>;
}

const json = { json: { type: 'boolean' } } as const;

/** Every command of `karani`. */
export const commands: readonly Command[] = [
  {
    name: 'serve',
    summary: 'Runs the server. --roles web,worker,whatsapp splits it over processes.',
    options: { roles: { type: 'string' } },
    run: (values) => serve(process.env, rolesFrom(values['roles'])),
  },
  {
    name: 'simulator',
    summary: 'Runs M-Pesa, Africa’s Talking and WhatsApp for a server that is elsewhere.',
    options: { port: { type: 'string' }, app: { type: 'string' }, data: { type: 'string' } },
    run: runSimulator,
  },
  {
    name: 'migrate',
    summary: 'Brings the database to this version.',
    run: () => withDatabase(async () => print('The database is at this version.'), true),
  },
  {
    name: 'config check',
    summary: 'Checks the configuration file and says what is wrong, line by line.',
    run: async () => {
      const config = readConfig(process.env);
      if (config) keptOff(config.channels, trades);
      print(
        config
          ? 'The configuration is right.'
          : 'There is no configuration file: npm start would run the demo.',
      );
    },
  },
  {
    name: 'whatsapp status',
    summary: 'How the number stands that is linked as a device; exits 1 when it is not connected.',
    options: json,
    run: (values) =>
      withDatabase((db, settings) => linkedStatus(db, settings, values['json'] === true)),
  },
  {
    name: 'whatsapp link',
    summary: 'Links that number: by a QR code, here and on a page; --code: by a code to type.',
    options: { code: { type: 'boolean' } },
    run: (values) =>
      withDatabase((db, settings) => linkFromTerminal(db, settings, values['code'] === true)),
  },
  {
    name: 'daraja register-urls',
    summary: 'Tells M-Pesa where to send the payments of every configured shortcode.',
    run: () => withDatabase(registerUrls),
  },
  {
    name: 'ledger verify',
    summary: 'Proves that the books are right; exits 1 and names what is not.',
    options: json,
    run: (values) => withDatabase((db) => verifyLedger(db, values['json'] === true)),
  },
  {
    name: 'check',
    summary:
      'Checks a running installation: the books, nothing stuck, nobody untold. --mpesa URL: and a simulator’s truth.',
    options: { ...json, mpesa: { type: 'string' } },
    run: (values) => withDatabase((db) => checkAll(db, values)),
  },
  ...importCommands,
  {
    name: 'statement import',
    summary:
      'M-Pesa’s statement of an account, CSV or Excel: finds and confirms payments, books charges.',
    positionals: ['FILE'],
    options: { ...json, shortcode: { type: 'string' } },
    run: (values, [path = '']) => withDatabase((db, it) => importFile(db, it, path, values)),
  },
  {
    name: 'inbox list',
    summary:
      'What came, the newest first; --failed: what was given up; --rejected: what could not be read.',
    options: {
      ...json,
      failed: { type: 'boolean' },
      rejected: { type: 'boolean' },
      limit: { type: 'string' },
    },
    run: (values) => withDatabase((db) => listInbox(db, values)),
  },
  {
    name: 'inbox show',
    summary: 'One callback or message, exactly as it came.',
    positionals: ['ID'],
    options: json,
    run: (values, [id]) => withDatabase((db) => showInbox(db, idFrom(id), values['json'] === true)),
  },
  {
    name: 'inbox replay',
    summary: 'Works through one again; what it already caused is not caused twice.',
    positionals: ['ID'],
    run: (_, [id]) => withDatabase((db) => replayInbox(db, idFrom(id))),
  },
  {
    name: 'flows check',
    summary: 'Checks every conversation: file, line and what is wrong.',
    run: checkFlows,
  },
  {
    name: 'flows actions',
    summary: 'What conversations can do: what each action takes, gives and refuses.',
    run: printActions,
  },
  {
    name: 'flows test',
    summary:
      'Plays the transcripts beside the flows. --update writes down what is heard; --json lists all.',
    options: { update: { type: 'boolean' }, json: { type: 'boolean' } },
    run: (values) => testAllFlows(values['update'] === true, values['json'] === true),
  },
  {
    name: 'flows graph',
    summary: 'A conversation as a Mermaid diagram.',
    positionals: ['NAME'],
    run: (_, [name]) => graphFlow(name ?? ''),
  },
  {
    name: 'flows chat',
    summary: 'Talks to the running demo. --as Kamau, --on whatsapp, ussd or sms, --app URL.',
    options: { as: { type: 'string' }, on: { type: 'string' }, app: { type: 'string' } },
    run: ({ as = 'Kamau', on = 'whatsapp', app = ownUrl(process.env) }) =>
      chatWithDemo(String(app).replace(/\/+$/, ''), { as: String(as), on: String(on) }),
  },
  {
    name: 'flows templates',
    summary: 'The texts that Meta has to approve, as JSON.',
    run: printTemplates,
  },
  ...recoveryCommands,
  ...tokenCommands,
  ...peopleCommands,
];

function ownUrl({ HOST = '127.0.0.1', PORT = '3000' }: NodeJS.ProcessEnv): string {
  return `http://${HOST}:${PORT}`;
}

function rolesFrom(text: unknown): readonly ServerRole[] {
  if (typeof text !== 'string') return server_roles;
  return text.split(',').map((name) => {
    const role = server_roles.find((r) => r === name.trim());
    if (!role)
      throw new SetupError(`There is no role "${name}". There are ${server_roles.join(', ')}.`);
    return role;
  });
}

async function runSimulator(values: Values): Promise<void> {
  const app_url = typeof values['app'] === 'string' ? values['app'] : 'http://127.0.0.1:3000';
  const port = Number(values['port'] ?? 4000);
  const hook_secret = process.env['KARANI_HOOK_SECRET'];
  if (!hook_secret) {
    throw new SetupError('KARANI_HOOK_SECRET is needed, the same that the server has.');
  }
  const data_dir = typeof values['data'] === 'string' ? values['data'] : './data/simulator';
  const simulator = await openSimulator({ data_dir, app_url, hook_secret });
  const listening = await listen(simulator.routes, process.env['HOST'] ?? '127.0.0.1', port);
  print(`The simulator is running: ${listening.url}, for the server at ${app_url}.`);
  await new Promise<void>((done) => {
    process.once('SIGINT', done);
    process.once('SIGTERM', done);
  });
  await listening.stop();
  await simulator.close();
}

async function registerUrls(db: Db, settings: Settings): Promise<ExitCode> {
  const { hosts, public_url } = settings;
  if (!hosts || !public_url) {
    throw new SetupError('PUBLIC_URL is needed: the address at which M-Pesa reaches this server.');
  }
  const tokens = sharedTokens(db, settings.secret);
  const to = { tokens, daraja_url: hosts.daraja, public_url };
  const results = await registerShortcodes(settings, to);
  for (const { shortcode, refused } of results) {
    if (refused) process.stderr.write(`${shortcode}: M-Pesa did not take it (${refused}).\n`);
    else print(`${shortcode}: M-Pesa sends its payments here.`);
  }
  return results.some((it) => it.refused) ? 1 : 0;
}

async function verifyLedger(db: Db, as_json: boolean): Promise<ExitCode> {
  const findings = await verify(db, checks);
  return show(findings, checks.length, 'The books are right', as_json);
}

async function checkAll(db: Db, values: Values): Promise<ExitCode> {
  const { mpesa } = values;
  const all = [
    ...checks,
    ...running_checks,
    ...(typeof mpesa === 'string' ? [await truthCheck(mpesa.replace(/\/+$/, ''))] : []),
  ];
  return show(await verify(db, all), all.length, 'All is well', values['json'] === true);
}

function show(findings: Finding[], checks_run: number, well: string, as_json: boolean): ExitCode {
  if (as_json) print(JSON.stringify({ checks: checks_run, findings }));
  else if (findings.length === 0) print(`${well}: ${checks_run} checks, nothing found.`);
  else for (const { check, found } of findings) print(`${found}: not so that ${check}`);
  return findings.length === 0 ? 0 : 1;
}

async function listRejected(db: Db, limit: number, as_json: boolean): Promise<void> {
  const rows = await db
    .selectFrom('inbox_rejected')
    .select(['id', 'received_at', 'source', 'reason', 'from_ip', 'length_bytes', 'head'])
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
  const shown = rows.map((row) => ({
    ...row,
    id: String(row.id),
    length_bytes: String(row.length_bytes),
    received_at: row.received_at.toISOString(),
    head: row.head.toString('utf8'),
  }));
  if (as_json) print(JSON.stringify(shown));
  for (const row of as_json ? [] : shown) {
    print(
      `${row.id}  ${row.received_at}  ${row.reason}  ${row.from_ip ?? '-'}  ${row.length_bytes} bytes`,
    );
    print(`    ${JSON.stringify(row.head.slice(0, 200))}`);
  }
  if (!as_json && rows.length === 0) print('Nothing.');
}

async function listInbox(db: Db, values: Values): Promise<void> {
  const limit = Number(values['limit'] ?? 20);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1_000) {
    throw new SetupError('--limit is a whole number from 1 to 1000.');
  }
  if (values['rejected'] === true) return listRejected(db, limit, values['json'] === true);
  const rows = await db
    .selectFrom('inbox')
    .select(['id', 'received_at', 'source', 'state', 'attempts', 'from_ip', 'error'])
    .$if(values['failed'] === true, (q) => q.where('state', '=', 'failed'))
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
  if (values['json'] === true) {
    print(JSON.stringify(rows.map((row) => ({ ...row, id: String(row.id) }))));
    return;
  }
  for (const row of rows) {
    print(
      [
        row.id,
        row.received_at.toISOString(),
        row.source,
        row.state,
        row.from_ip ?? '-',
        row.error ?? '',
      ]
        .join('  ')
        .trimEnd(),
    );
  }
  if (rows.length === 0) print('Nothing.');
}

async function showInbox(db: Db, id: bigint, as_json: boolean): Promise<ExitCode> {
  const row = await db.selectFrom('inbox').selectAll().where('id', '=', id).executeTakeFirst();
  if (!row) {
    process.stderr.write(`There is no ${id} in the inbox.\n`);
    return 1;
  }
  const { body, body_hash, ...about } = row;
  const shown = {
    ...about,
    id: String(row.id),
    body_hash: body_hash.toString('hex'),
    received_at: row.received_at.toISOString(),
    due_at: row.due_at.toISOString(),
    done_at: row.done_at?.toISOString() ?? null,
  };
  if (as_json) print(JSON.stringify({ ...shown, body }));
  else
    print(
      `${Object.entries(shown)
        .map(([k, v]) => `${k}: ${String(v ?? '-')}`)
        .join('\n')}\n\n${body}`,
    );
  return 0;
}

/** Who works through what came from there. */
function taskFor(source: string) {
  if (/^(?:c2b|stk|pull|status)_/.test(source)) return 'drain_payments';
  if (source === 'statement_line') return 'book_statements';
  return ['whatsapp', 'whatsapp_linked', 'sms'].includes(source) ? 'take_turns' : 'take_reports';
}

async function replayInbox(db: Db, id: bigint): Promise<ExitCode> {
  const found = await inTransaction(db, async (tx) => {
    const row = await tx
      .updateTable('inbox')
      .set({ state: 'new', attempts: 0, error: null, due_at: sql`now()` })
      .where('id', '=', id)
      // USSD was answered in its request, and what was kept of it is no request any more.
      .where('source', '!=', 'ussd')
      .returning('source')
      .executeTakeFirst();
    if (row) await wake(tx, taskFor(row.source));
    return row !== undefined;
  });
  if (!found) {
    process.stderr.write(`There is no ${id} in the inbox that can be replayed.\n`);
    return 1;
  }
  print('It waits again; a running server takes it up at once.');
  return 0;
}

function idFrom(text: string | undefined): bigint {
  if (!text || !/^\d{1,18}$/.test(text))
    throw new SetupError(`ID is ${text}, and must be a number.`);
  return BigInt(text);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
