import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { countSteps } from '../../src/conversation/step-counts.ts';
import { takeTurns } from '../../src/conversation/whatsapp.ts';
import { notify } from '../../src/outbox/notify.ts';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toDarajaTime } from '../../src/base/clock.ts';
import { inTransaction, type Tx } from '../../src/base/db.ts';
import { loadFlows } from '../../src/flow/load.ts';
import { lockPersonAt } from '../../src/people/find.ts';
import { actions } from '../../src/registry.ts';
import { flows_folder } from '../../src/serve.ts';
import { wanjiru } from '../helpers/admins.ts';
import { waitingForLocks } from '../helpers/database.ts';
import { type House, openHouse, postSigned, webhook } from '../helpers/house.ts';
import { confirmation } from '../helpers/confirmation.ts';
import { eventually } from '../helpers/process.ts';

const kamau = '254700000004';

let house: House;

beforeAll(async () => {
  house = await openHouse();
  await house.hook('c2b/confirmation', confirmation({ TransTime: toDarajaTime(new Date()) }));
  await house.drain();
});
afterAll(() => house.close());

let dials = 0;

/** Dials and answers; what the phone shows in the end. */
async function dial(phone: string, ...answers: string[]): Promise<string> {
  dials += 1;
  const session = `ATUid_${dials}`;
  let shown = await house.keys(phone, session, '');
  for (let n = 1; n <= answers.length; n += 1) {
    shown = await house.keys(phone, session, answers.slice(0, n).join('*'));
  }
  return shown;
}

test('a customer reads the balance on WhatsApp in the words of either language', async () => {
  expect((await house.writes(kamau, 'balance'))[0]).toContain(
    'To pay: KES 6,000. Paid ahead: KES 0.',
  );
  expect((await house.writes(kamau, 'menu'))[0]).toContain('Hello Kamau. To pay: KES 6,000');
  await house.writes(kamau, 'lugha');
  expect((await house.writes(kamau, '2'))[0]).toContain('Kiswahili');
  expect((await house.writes(kamau, 'salio'))[0]).toContain('Kiasi cha kulipa: KES 6,000.');
  await house.writes(kamau, 'lugha');
  expect((await house.writes(kamau, 'english'))[0]).toContain('English');
});

test('the same on USSD, where the language is remembered', async () => {
  expect(await dial(kamau)).toMatch(/^CON Hello Kamau\. To pay: KES 6,000\n/);
  expect(await dial(kamau, '1')).toMatch(/^CON To pay: KES 6,000\. Paid ahead: KES 0\./);
  expect(await dial(kamau, '1', '1')).toMatch(
    /^END INV-20260203-0001: KES 4,500 left of KES 5,000/,
  );
  expect(await dial(kamau, '5', '2')).toMatch(/^END Sawa/);
  expect(await dial(kamau)).toMatch(/^CON Habari Kamau\. Kiasi cha kulipa: KES 6,000\n/);
  expect(await dial(kamau, '5', '1')).toMatch(/^END All right/);
});

test('an admin asks for today, and a customer cannot', async () => {
  expect((await house.writes(wanjiru, 'today'))[0]).toContain('KES 500');
  expect((await house.writes(kamau, 'today'))[0]).not.toContain('KES 500.00');
  expect((await house.writes(kamau, 'menu'))[0]).not.toMatch(/today/i);
});

test('a number nobody knows is welcomed, and remembered with its language', async () => {
  const stranger = '254722000999';
  expect(await dial(stranger)).toMatch(/^CON Welcome to Duka\. We do not know this number yet\./);
  expect((await house.writes(stranger, 'hello'))[0]).toContain('Welcome! This is Duka.');
  expect(await dial(stranger, '3', '2')).toMatch(/^END Sawa/);
  expect(await dial(stranger)).toMatch(/^CON Karibu Duka\./);
});

test('the same WhatsApp message again is answered once', async () => {
  expect(await house.writes(kamau, 'balance', 'wamid.same')).toHaveLength(1);
  expect(await house.writes(kamau, 'balance', 'wamid.same')).toHaveLength(0);
  // The same message in another webhook, as when Meta repeats it beside others.
  const body = JSON.stringify({ ...webhook(kamau, 'balance', 'wamid.same'), again: true });
  expect((await postSigned(house.url, body)).status).toBe(200);
  expect(await house.writes(kamau, 'menu')).toHaveLength(1);
});

test('the same USSD request again gets the same answer', async () => {
  const first = await house.keys(kamau, 'ATUid_again', '');
  expect(await house.keys(kamau, 'ATUid_again', '')).toBe(first);
  const second = await house.keys(kamau, 'ATUid_again', '1');
  expect(await house.keys(kamau, 'ATUid_again', '1')).toBe(second);
  const third = await house.keys(kamau, 'ATUid_again', '1*1');
  expect(third).toMatch(/^END/);
  expect(await house.keys(kamau, 'ATUid_again', '1*1')).toBe(third);
});

test('two answers at once from one person are two turns, one after the other', async () => {
  const [session, other] = ['ATUid_a', 'ATUid_b'];
  await Promise.all([house.keys(kamau, session, ''), house.keys(kamau, other, '')]);
  const [a, b] = await Promise.all([
    house.keys(kamau, session, '1'),
    house.keys(kamau, session, '1'),
  ]);
  expect(a).toBe(b);
});

test('a webhook that Meta did not sign is refused and kept nowhere', async () => {
  const before = await house.db.selectFrom('inbox').select('id').execute();
  const body = JSON.stringify(webhook(kamau, 'balance', 'wamid.forged'));
  expect((await postSigned(house.url, body, 'another-secret-0123456789')).status).toBe(403);
  expect(await house.db.selectFrom('inbox').select('id').execute()).toHaveLength(before.length);
});

test("Meta's handshake is answered with its challenge, and nobody else's", async () => {
  const ask = (token: string) =>
    fetch(
      `${house.url}/hooks/test-hook-secret-0123456789/whatsapp?hub.mode=subscribe&hub.challenge=1158&hub.verify_token=${token}`,
    );
  const right = await ask('test-hook-secret-0123456789');
  expect([right.status, await right.text()]).toEqual([200, '1158']);
  expect((await ask('wrong')).status).toBe(403);
});

test.each([
  ['no fields', ''],
  ['a number from elsewhere', 'sessionId=1&serviceCode=1&phoneNumber=%2B1202555&text='],
  [
    'an endless text',
    `sessionId=1&serviceCode=1&phoneNumber=%2B254700000004&text=${'1*'.repeat(2000)}`,
  ],
])('USSD with %s ends with a sentence, never an error', async (_, body) => {
  const response = await fetch(`${house.url}/hooks/test-hook-secret-0123456789/ussd`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body,
  });
  expect(response.status).toBe(200);
  expect(await response.text()).toMatch(/^END Sorry/);
});

test('what was keyed is in the inbox as single answers, never as the whole text', async () => {
  await dial(kamau, '1', '1');
  const rows = await house.db
    .selectFrom('inbox')
    .select('body')
    .where('source', '=', 'ussd')
    .orderBy('id', 'desc')
    .limit(3)
    .execute();
  expect(rows.map((row) => JSON.parse(row.body).answer)).toEqual(['1', '1', '']);
  expect(rows.map((row) => JSON.parse(row.body)).every((body) => !('text' in body))).toBe(true);
});

test('"kiswahili" and "english" switch at once', async () => {
  expect((await house.writes(kamau, 'kiswahili'))[0]).toMatch(/^Sawa/);
  expect((await house.writes(kamau, 'English'))[0]).toMatch(/^All right/);
});

test('a greeting in the middle of a choice leads to the menu', async () => {
  expect((await house.writes(kamau, 'balance'))[0]).toContain('Which invoice?');
  expect((await house.writes(kamau, 'Habari'))[0]).toMatch(/^Hello Kamau/);
});

test('a message that Meta repeats in another webhook moves nobody on', async () => {
  await house.writes(kamau, 'language');
  await house.writes(kamau, '2', 'wamid.twice');
  const where = () => house.db.selectFrom('sessions').select(['person_id', 'body']).execute();
  const before = await where();
  await postSigned(
    house.url,
    JSON.stringify({ ...webhook(kamau, '2', 'wamid.twice'), again: true }),
  );
  await takeTurns(house.db, house.conversations);
  expect(await where()).toEqual(before);
});

test('a stranger who dials twice at once is one person', async () => {
  const shown = await Promise.all(
    Array.from({ length: 8 }, (_, n) => house.keys('254722000999', `ATUid_new_${n}`, '')),
  );
  expect(shown.filter((text) => !text.startsWith('CON'))).toEqual([]);
});

test('an earlier USSD request that comes late moves nobody', async () => {
  await house.keys(kamau, 'ATUid_late', '');
  const shown = await house.keys(kamau, 'ATUid_late', '1');
  expect(await house.keys(kamau, 'ATUid_late', '')).toBe(shown);
  expect(await house.keys(kamau, 'ATUid_late', '1*1')).toMatch(/^END INV-20260203-0001/);
});

test("Meta's signature is over the very bytes that came", async () => {
  const spaced = JSON.stringify(webhook(kamau, 'menu', 'wamid.spaced'), null, 2);
  expect((await postSigned(house.url, spaced)).status).toBe(200);
});

test('a WhatsApp message that could not be kept is not answered as if it were', async () => {
  const other = await openHouse();
  try {
    await sql`alter table inbox add constraint full_up check (source <> 'whatsapp')`.execute(
      other.db,
    );
    const body = JSON.stringify(webhook(kamau, 'menu', 'wamid.lost'));
    expect((await postSigned(other.url, body)).status).toBe(500);
  } finally {
    await other.close();
  }
});

test("one person's turns wait for each other on every channel", async () => {
  const body = JSON.stringify(webhook(kamau, 'menu', 'wamid.waits'));
  await postSigned(house.url, body);
  const turns: Promise<unknown>[] = [];
  await inTransaction(house.db, async (tx) => {
    await lockPersonAt(tx, 'msisdn', kamau);
    turns.push(house.keys(kamau, 'ATUid_waits', ''), takeTurns(house.db, house.conversations));
    await eventually(
      () => waitingForLocks(house.db),
      (n) => n === turns.length,
      5_000,
    );
  });
  await Promise.all(turns);
});

test("a gateway's session shows one number nothing of another's", async () => {
  expect(await house.keys(kamau, 'ATUid_shared', '')).toContain('Kamau');
  expect(await house.keys(wanjiru, 'ATUid_shared', '')).not.toContain('Kamau');
});

/** A house in which reading what one owes does this first. */
const houseWhere = (happens: (tx: Tx) => Promise<unknown>) =>
  openHouse(
    {},
    {
      flows_folder,
      actions: {
        ...actions,
        'invoices.standing': {
          ...actions['invoices.standing']!,
          run: async (tx, call) => {
            await happens(tx);
            return actions['invoices.standing']!.run(tx, call);
          },
        },
      },
    },
  );

test('an action that fails in the database undoes itself alone, and the person is told', async () => {
  const other = await houseWhere(async (tx) => {
    await sql`update people set name = 'Nobody'`.execute(tx);
    await sql`select 1 / 0`.execute(tx);
  });
  try {
    expect((await other.writes(kamau, 'balance'))[0]).toContain('we have a problem on our side');
    expect((await other.writes(kamau, 'menu'))[0]).toContain('Hello Kamau');
  } finally {
    await other.close();
  }
});

test('a turn that the database undid is taken again, and the person notices nothing', async () => {
  let undone = false;
  const other = await houseWhere(async (tx) => {
    if (undone) return;
    undone = true;
    await sql`do $$ begin raise exception 'undone' using errcode = '40001'; end $$`.execute(tx);
  });
  try {
    expect(await other.writes(kamau, 'balance')).toEqual([
      expect.stringContaining('To pay: KES 6,500.'),
    ]);
  } finally {
    await other.close();
  }
});

test('a message that came twice before it was answered is one turn', async () => {
  await house.writes(kamau, 'menu');
  const body = webhook(kamau, '1', 'wamid.early');
  await postSigned(house.url, JSON.stringify(body));
  await postSigned(house.url, JSON.stringify({ ...body, again: true }));
  expect(await takeTurns(house.db, house.conversations)).toBe(2);
  const { body: session } = await house.db
    .selectFrom('sessions')
    .innerJoin('addresses', 'addresses.person_id', 'sessions.person_id')
    .select('body')
    .where('channel', '=', 'whatsapp')
    .where('kind', '=', 'whatsapp')
    .where('value', '=', kamau)
    .executeTakeFirstOrThrow();
  expect(session).toMatchObject({ flow: 'balance', at: 'invoice' });
});

test('who is in a conversation while its file changes goes on with what they began on', async () => {
  await house.writes(kamau, 'english');
  await house.writes(kamau, 'balance');
  const folder = await mkdtemp(join(tmpdir(), 'karani-flows-'));
  const before = house.conversations.flows;
  try {
    await cp(flows_folder, folder, { recursive: true });
    const file = join(folder, 'balance.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(
      file,
      text
        .replace('left of {invoice.total|money}', 'to pay')
        .replace('kati ya {invoice.total|money}', ''),
    );
    house.conversations.flows = await loadFlows(folder, actions);
    expect((await house.writes(kamau, '1'))[0]).toContain(' left of KES ');
    await house.writes(kamau, 'balance');
    expect((await house.writes(kamau, '1'))[0]).toContain(' to pay, due ');
  } finally {
    house.conversations.flows = before;
    await rm(folder, { recursive: true });
  }
});

test('who says STOP on one channel gets no reminders on any, and all else as before', async () => {
  const { id } = await inTransaction(house.db, (tx) => lockPersonAt(tx, 'msisdn', kamau));
  const queued = async (...messages: [key: string, optional: boolean][]) => {
    const keys = messages.map(([key]) => `test:${key}`);
    await inTransaction(house.db, (tx) =>
      notify(
        tx,
        messages.map(([key, optional]) => ({
          key: `test:${key}`,
          person_id: id,
          words: key,
          optional,
        })),
      ),
    );
    const rows = await house.db
      .selectFrom('outbox')
      .select('words')
      .where('key', 'in', keys)
      .orderBy('id')
      .execute();
    return rows.map((row) => row.words);
  };
  expect(await dial(kamau, 'stop')).toMatch(/^END No more reminders or news from Duka\./);
  expect(await queued(['due tomorrow', true], ['your code', false])).toEqual(['your code']);
  expect((await house.writes(kamau, 'START'))[0]).toMatch(/^Reminders from Duka are on again\./);
  expect(await queued(['due today', true])).toEqual(['due today']);
});

test('what happens at each step is counted, by channel and language', async () => {
  await countSteps(house.db);
  const before = await house.db.selectFrom('step_counts').selectAll().execute();
  await house.writes(kamau, 'balance');
  await house.writes(kamau, 'nonsense');
  await house.writes(kamau, '1');
  await Promise.all([countSteps(house.db), countSteps(house.db)]);
  const after = await house.db.selectFrom('step_counts').selectAll().execute();
  const times = (rows: typeof after, what: string) =>
    rows
      .filter((it) => it.flow === 'balance' && it.step === 'invoice' && it.what === what)
      .reduce((sum, it) => sum + (it.channel === 'whatsapp' ? it.times : 0n), 0n);
  for (const what of ['entered', 'wrong', 'answered'])
    expect(times(after, what) - times(before, what), what).toBe(1n);
});

test('an admin reads what a customer owes, by number or phone; a customer reads only their own', async () => {
  const standing = expect.stringMatching(
    /^Kamau, CUST-001\nTo pay: KES [\d,.]+\nPaid ahead: KES 0\nOpen invoices: 2$/,
  );
  expect(await house.writes(wanjiru, 'balance cust-001')).toEqual([standing]);
  expect(await house.writes(wanjiru, 'salio 0700 000 004')).toEqual([standing]);
  expect(await house.writes(wanjiru, 'balance CUST-002')).toEqual([
    'We found nobody by that. Write a name, a phone, CUST-001 or an invoice number.',
  ]);
  await house.writes(wanjiru, 'who');
  // Nobody is asked for ever.
  await house.writes(wanjiru, 'else');
  expect((await house.writes(wanjiru, 'today')).join()).not.toMatch(/customer/);
  expect((await house.writes(kamau, 'balance CUST-001')).join()).toMatch(/Which invoice\?/);
});
