import { createInterface } from 'node:readline/promises';
import { renderUnicodeCompact } from 'uqr';
import type { Command } from './commands.ts';
import { type Db, inTransaction, type Tx } from './base/db.ts';
import { Refusal, SetupError } from './base/errors.ts';
import { localPhone, msisdnFrom } from './base/phone.ts';
import { type StaffRole, staff_roles } from './base/schema.ts';
import { keyedHash } from './base/secrets.ts';
import type { ExitCode } from './exit.ts';
import { notify } from './outbox/notify.ts';
import { knownAtNumber, namedPerson } from './people/at-number.ts';
import { listStaff } from './people/list-staff.ts';
import { confirmCodes, offerCodes } from './people/one-time-codes.ts';
import { nameIn } from './people/read-request.ts';
import { askMerge, type Asked, askRole } from './people/requests.ts';
import { belongings } from './registry.ts';
import type { Settings } from './settings.ts';
import { withDatabase } from './with-database.ts';

type Values = Record<string, unknown>;
const by = { by: { type: 'string' } } as const;

/** Who works here, from a terminal: what needs two admins is asked here, and approved in chat. */
export const peopleCommands: readonly Command[] = [
  {
    name: 'people list',
    summary: 'Who works here, who has one-time codes, and what waits for an admin.',
    options: { json: { type: 'boolean' } },
    run: (values) => withDatabase((db) => list(db, values['json'] === true)),
  },
  {
    name: 'people code',
    summary: 'Makes one-time codes for an admin: a QR for their app. --new: others than they have.',
    positionals: ['PHONE'],
    options: { new: { type: 'boolean' } },
    run: (values, [phone = '']) =>
      withDatabase((db, settings) => makeCodes(db, settings, phone, values['new'] === true)),
  },
  {
    name: 'people add',
    summary: 'Asks the other admins to add an admin, officer or cashier. --by PHONE: who asks.',
    positionals: ['ROLE', 'PHONE'],
    options: { ...by, name: { type: 'string' } },
    run: (values, [role = '', phone = '']) =>
      asking(values, (tx, asker) => {
        const about = { role: roleFrom(role), msisdn: numberFrom('PHONE', phone) };
        return askRole(tx, { kind: 'grant', by: asker, ...about, name: nameFrom(values['name']) });
      }),
  },
  {
    name: 'people remove',
    summary: 'Asks the other admins to take a role away. --by PHONE: who asks.',
    positionals: ['ROLE', 'PHONE'],
    options: by,
    run: (values, [role = '', phone = '']) =>
      asking(values, (tx, asker) => {
        const about = { role: roleFrom(role), msisdn: numberFrom('PHONE', phone) };
        return askRole(tx, { kind: 'revoke', by: asker, ...about });
      }),
  },
  {
    name: 'people merge',
    summary: 'Asks the other admins to make two persons one. --by PHONE: who asks.',
    positionals: ['KEEP', 'OTHER'],
    options: by,
    run: (values, [keep = '', other = '']) =>
      asking(values, async (tx, asker) =>
        askMerge(tx, {
          by: asker,
          keep: await namedPerson(tx, belongings, keep),
          other: await namedPerson(tx, belongings, other),
        }),
      ),
  },
];

async function asking(
  values: Values,
  ask: (tx: Tx, by: bigint) => Promise<Asked>,
): Promise<ExitCode | void> {
  return withDatabase((db) =>
    saying(async () => {
      const msisdn = numberFrom('--by', typeof values['by'] === 'string' ? values['by'] : '');
      const { ref, asked } = await inTransaction(db, async (tx) => {
        const asker = await knownAtNumber(tx, msisdn);
        if (asker === undefined) throw new Refusal('not_allowed');
        const it = await ask(tx, asker);
        // Whoever sits at the terminal has proved nothing about who they are.
        await notify(tx, [
          {
            key: `from_terminal:${it.ref}`,
            person_id: asker,
            template: 'asked_from_terminal',
            values: { ref: it.ref },
          },
        ]);
        return it;
      });
      print(`${ref}: waits for another admin; asked in chat: ${asked}.`);
    }),
  );
}

function roleFrom(text: string): StaffRole {
  const role = staff_roles.find((name) => name === text);
  if (role) return role;
  throw new SetupError(`There is no role "${text}". There are: ${staff_roles.join(', ')}.`);
}

function nameFrom(given: unknown): string | undefined {
  if (typeof given !== 'string') return undefined;
  const name = nameIn(given);
  if (name === undefined) throw new SetupError('--name is what they are called, in letters.');
  return name;
}

async function makeCodes(
  db: Db,
  { secret, business }: Settings,
  phone: string,
  fresh: boolean,
): Promise<ExitCode | void> {
  const msisdn = numberFrom('PHONE', phone);
  const keyed = (purpose: string, text: string) => keyedHash(secret, purpose, text);
  return saying(async () => {
    const offered = await inTransaction(db, async (tx) => {
      const person_id = await knownAtNumber(tx, msisdn);
      if (person_id === undefined) throw new Refusal('unknown');
      const label = localPhone(msisdn);
      return offerCodes(tx, keyed, { person_id, label, shop: business.name, fresh });
    });
    print(`\n${renderUnicodeCompact(offered.address)}\n${offered.address}\n`);
    print('Scan it with an Authenticator app. It is shown this once, and kept nowhere.');
    const code = (await readLine('The code that the app shows: ')).replace(/\s/g, '');
    if (await inTransaction(db, (tx) => confirmCodes(tx, keyed, offered, code))) {
      print(`Codes of ${localPhone(msisdn)} are good from now on.`);
      return 0;
    }
    process.stderr.write('That code is not right. Nothing was changed; begin again.\n');
    return 1;
  });
}

async function readLine(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    process.stdout.write(question);
    for await (const line of lines) return line;
    return '';
  } finally {
    lines.close();
  }
}

async function list(db: Db, as_json: boolean): Promise<void> {
  const { staff, requests } = await listStaff(db);
  if (as_json) return print(JSON.stringify({ staff, requests }));
  for (const it of staff) {
    const also = [
      ...(it.configured ? ['by configuration'] : []),
      ...(it.codes ? ['has codes'] : []),
    ];
    print([localPhone(it.phone), it.who, it.roles.join(', '), ...also].join('  '));
  }
  for (const it of requests) print(`${it.ref}  ${it.kind}, asked by ${it.asked_by}: waits`);
}

/** What to do, for what the business says no to. */
const whys: Readonly<Record<string, string>> = {
  not_allowed: '--by PHONE is needed: the number of an admin, who asks.',
  nobody:
    'No other admin can approve this: add a second number under admin_numbers, restart, ' +
    'then karani people code with that number.',
  not_admin:
    'They are no admin, and only admins approve with codes: karani people add admin with that ' +
    'number, and codes once another admin has approved it.',
  has_codes: 'They have codes. --new makes others, and ends those once the first is confirmed.',
  has_role: 'They have that role already.',
  no_role: 'They do not have that role.',
  by_configuration:
    'They are an admin by the configuration, under admin_numbers, and are removed only there.',
  last_admin: 'There must be an admin: add another one first.',
  other_open: 'Another request about this waits for an admin: karani people list.',
  unknown: 'We know nobody by that number.',
  works_here: 'One of them works here. Take the role away first: karani people remove.',
  same: 'They are one person already.',
};

async function saying(work: () => Promise<ExitCode | void>): Promise<ExitCode | void> {
  try {
    return await work();
  } catch (error) {
    const words = error instanceof Refusal ? whys[error.code] : undefined;
    if (words === undefined) throw error;
    process.stderr.write(`${words}\n`);
    return 1;
  }
}

function numberFrom(name: string, text: string): string {
  const msisdn = msisdnFrom(text);
  if (msisdn === undefined) {
    throw new SetupError(`${name} is a phone number such as 0712345678.`);
  }
  return msisdn;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
