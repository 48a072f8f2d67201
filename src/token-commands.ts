import type { Command } from './commands.ts';
import { type Db, inTransaction } from './base/db.ts';
import { Refusal, SetupError } from './base/errors.ts';
import { msisdnFrom } from './base/phone.ts';
import { shownLine } from './base/text.ts';
import type { ExitCode } from './exit.ts';
import { isScope, type Scope, scope_names } from './web/api/scopes.ts';
import { createToken, listTokens, revokeToken } from './web/api/tokens.ts';
import { withDatabase } from './with-database.ts';

type Values = Record<string, unknown>;

const all_scopes = scope_names.join(', ');
const json = { json: { type: 'boolean' } } as const;

/** How tokens of the API are made, seen and ended. */
export const tokenCommands: readonly Command[] = [
  {
    name: 'token create',
    summary:
      `Makes a token of the API, shown this once. --scope, as often as needed: ${all_scopes}. ` +
      '--for PHONE: the admin who answers for it.',
    options: {
      name: { type: 'string' },
      scope: { type: 'string', multiple: true },
      for: { type: 'string' },
      ...json,
    },
    run: (values) => create(values),
  },
  {
    name: 'token list',
    summary: 'The tokens that there are and were, when each was used last, and what it may.',
    options: json,
    run: (values) => withDatabase((db) => list(db, values['json'] === true)),
  },
  {
    name: 'token revoke',
    summary: 'Ends a token at once, by its name.',
    positionals: ['NAME'],
    run: (_, [name = '']) => withDatabase((db) => revoke(db, name)),
  },
];

async function create(values: Values): Promise<ExitCode | void> {
  const name = textOf(values['name']);
  if (name === undefined || name !== shownLine(name, 60) || name === '') {
    return wrongUsage(
      '--name is needed: what the token is for, on one line of 1 to 60 characters.',
    );
  }
  const scopes = scopesFrom(values['scope']);
  if (typeof scopes === 'string') return wrongUsage(scopes);
  const given = textOf(values['for']);
  if (given !== undefined && msisdnFrom(given) === undefined) {
    return wrongUsage('--for is a phone number such as 0712345678.');
  }
  return withDatabase(async (db, settings) => {
    const msisdn = msisdnFrom(given ?? settings.admin_numbers[0] ?? '') ?? '';
    const token = await make(db, { name, scopes, msisdn });
    if (values['json'] === true) print(JSON.stringify({ name, scopes, token }));
    else print(token);
    if (process.stdout.isTTY) print('It is shown this once, and kept nowhere.');
  });
}

async function make(db: Db, it: Parameters<typeof createToken>[1]): Promise<string> {
  try {
    return await inTransaction(db, (tx) => createToken(tx, it));
  } catch (error) {
    const words = error instanceof Refusal && whys[error.code];
    if (words) throw new SetupError(words);
    throw error;
  }
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : undefined);

const whys: Readonly<Record<string, string>> = {
  name_taken: 'There is a token of that name. Revoke it first, or choose another name.',
  not_admin: 'A token works for an admin, and that number is no admin’s. Name one with --for.',
};

/** The scopes, or what is wrong with them. */
function scopesFrom(given: unknown): Scope[] | string {
  const names = (Array.isArray(given) ? given : [])
    .flatMap((text) => String(text).split(','))
    .map((text) => text.trim());
  const wrong = names.find((name) => !isScope(name));
  const all = `There are: ${all_scopes}.`;
  if (wrong !== undefined) return `There is no scope "${wrong}". ${all}`;
  return names.length > 0 ? names.filter(isScope) : `--scope is needed, once or more. ${all}`;
}

async function list(db: Db, as_json: boolean): Promise<void> {
  const tokens = await listTokens(db);
  if (as_json) {
    const shown = tokens.map(({ name, scopes, for: person, created_at, used_at, revoked_at }) => ({
      name,
      scopes,
      for: person,
      created_at,
      used_at,
      revoked_at,
    }));
    print(JSON.stringify(shown));
    return;
  }
  for (const it of tokens) {
    const used = it.used_at ? `used ${it.used_at.toISOString()}` : 'never used';
    const standing = it.revoked_at ? `revoked ${it.revoked_at.toISOString()}` : used;
    print(`${it.name}  ${it.scopes.join(',')}  for ${it.for ?? '-'}  ${standing}`);
  }
  if (tokens.length === 0) print('None.');
}

async function revoke(db: Db, name: string): Promise<ExitCode> {
  if (await inTransaction(db, (tx) => revokeToken(tx, name))) {
    print('It opens nothing any more.');
    return 0;
  }
  process.stderr.write(`There is no token "${name}" that is not revoked.\n`);
  return 1;
}

function wrongUsage(words: string): ExitCode {
  process.stderr.write(`${words}\n`);
  return 2;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
