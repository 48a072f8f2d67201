import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { clock } from '../../src/base/clock.ts';
import { inTransaction } from '../../src/base/db.ts';
import { takeTurns } from '../../src/conversation/whatsapp.ts';
import { sendReminders } from '../../src/invoices/remind.ts';
import { setReminders } from '../../src/people/find.ts';
import { type House, openHouse, postSigned } from '../helpers/house.ts';
import { trading } from '../helpers/invoices.ts';

let house: House;
let shop: ReturnType<typeof trading>;

beforeEach(async () => {
  house = await openHouse();
  shop = trading(house);
  return () => house.close();
});
afterEach(() => vi.restoreAllMocks());

const at = (time: string) =>
  vi.spyOn(clock, 'now').mockReturnValue(new Date(`${time.replace(' ', 'T')}:00+03:00`));

async function remindedAt(time: string): Promise<string[]> {
  at(time);
  const before = await house.db.selectFrom('outbox').select('id').execute();
  await sendReminders(house.db, () => true);
  const rows = await house.db
    .selectFrom('outbox')
    .select(['template', 'values'])
    .$if(before.length > 0, (q) =>
      q.where(
        'id',
        'not in',
        before.map((row) => row.id),
      ),
    )
    .orderBy('id')
    .execute();
  return rows.map(({ template, values }) =>
    [template, String(values['ref']), String(values['left'])].join(' '),
  );
}

/** Mary, and an invoice of hers that is due on 15 March. */
async function invoiced() {
  at('2026-03-01 10:00');
  const mary = await shop.register('Mary', '254712345678');
  const { number } = await shop.issue(mary.id, 700);
  return { ...mary, invoice: number };
}

test('an invoice is reminded of before, on and after its day, each once', async () => {
  const { invoice } = await invoiced();
  const heard: string[] = [];
  for (let day = 1; day <= 31; day += 1) {
    for (const time of ['09:00', '15:00']) {
      const date = `2026-03-${String(day).padStart(2, '0')}`;
      const said = (await remindedAt(`${date} ${time}`)).filter((it) => it.includes(invoice));
      heard.push(...said.map((it) => `${date} ${time} ${it.split(' ')[0]}`));
    }
  }
  expect(heard).toEqual([
    '2026-03-12 09:00 remind_before',
    '2026-03-15 09:00 remind_today',
    '2026-03-18 09:00 remind_after',
    '2026-03-25 09:00 remind_again',
  ]);
});

test('nobody is reminded at night', async () => {
  await invoiced();
  for (const time of ['00:00', '07:59', '19:00', '23:30']) {
    expect(await remindedAt(`2026-03-15 ${time}`)).toEqual([]);
  }
  expect(await remindedAt('2026-03-15 18:59')).toEqual(['remind_today INV-20260301-0001 700.00']);
});

test('two workers at once remind once', async () => {
  await invoiced();
  at('2026-03-15 09:00');
  const sent = await Promise.all([1, 2, 3].map(() => sendReminders(house.db, () => true)));
  expect(sent.reduce((sum, it) => sum + it, 0)).toBe(1);
  const rows = await house.db
    .selectFrom('outbox')
    .select(['choices', 'trade'])
    .where('template', '=', 'remind_today')
    .execute();
  expect(rows).toEqual([
    {
      trade: 'invoice',
      choices: { body: '', open: '', at: 'menu', options: [{ id: 'pay', label: 'Pay' }] },
    },
  ]);
});

test('what is paid or void is not reminded of, and what is left is named', async () => {
  const { id, invoice } = await invoiced();
  const { number: wrong } = await shop.issue(id, 900, { due_on: '2026-03-15' });
  const { number: paid } = await shop.issue(id, 100, { due_on: '2026-03-15' });
  await shop.cancel(wrong);
  await shop.pay(paid, 100);
  await shop.pay(invoice, 300);
  expect(await remindedAt('2026-03-15 09:00')).toEqual([`remind_today ${invoice} 400.00`]);
});

test('who has said STOP is not reminded, nor of all of it once they say START', async () => {
  const { invoice } = await invoiced();
  const { person_id } = await house.db
    .selectFrom('addresses')
    .select('person_id')
    .where('kind', '=', 'msisdn')
    .where('value', '=', '254712345678')
    .executeTakeFirstOrThrow();
  const say = (how: 'on' | 'off') =>
    inTransaction(house.db, (tx) => setReminders(tx, person_id, how));
  await say('off');
  expect(await remindedAt('2026-03-12 09:00')).toEqual([]);
  await say('on');
  expect(await remindedAt('2026-03-12 10:00')).toEqual([]);
  expect(await remindedAt('2026-03-15 10:00')).toEqual([`remind_today ${invoice} 700.00`]);
});

test('a customer whom nobody can reach holds up no other', async () => {
  at('2026-03-01 10:00');
  const nobody = await shop.register('Nobody');
  await shop.issue(nobody.id, 100, { due_on: '2026-03-15' });
  const { invoice } = await invoiced();
  expect(await remindedAt('2026-03-15 09:00')).toEqual([`remind_today ${invoice} 700.00`]);
});

test('who was invoiced a day before it is due is not reminded of it at once', async () => {
  const { id } = await invoiced();
  at('2026-03-14 09:00');
  const { number } = await shop.issue(id, 100, { due_on: '2026-03-15' });
  const { number: today } = await shop.issue(id, 100, { due_on: '2026-03-14' });
  expect((await remindedAt('2026-03-14 10:00')).filter((it) => it.includes(number))).toEqual([]);
  expect((await remindedAt('2026-03-14 11:00')).filter((it) => it.includes(today))).toEqual([]);
  expect(await remindedAt('2026-03-15 10:00')).toContain(`remind_today ${number} 100.00`);
});

test('a reminder is tapped to pay', async () => {
  const { invoice } = await invoiced();
  await remindedAt('2026-03-15 09:00');
  const body = JSON.stringify(tap('254712345678', 'menu:pay'));
  expect((await postSigned(house.url, body)).status).toBe(200);
  await takeTurns(house.db, house.conversations);
  const answer = await house.db
    .selectFrom('outbox')
    .select('words')
    .orderBy('id', 'desc')
    .executeTakeFirst();
  expect(answer?.words).toMatch(new RegExp(`^Pay ${invoice}\\?\n1 All, KES 700`));
});

function tap(from: string, id: string): object {
  const reply = { type: 'button_reply', button_reply: { id, title: 'Pay' } };
  const message = { id: 'wamid.tap', from, timestamp: '1771000000', type: 'interactive' };
  const value = {
    messaging_product: 'whatsapp',
    metadata: { display_phone_number: '254700000000', phone_number_id: '1' },
    contacts: [{ wa_id: from, profile: { name: 'Mary' } }],
    messages: [{ ...message, interactive: reply }],
  };
  return {
    object: 'whatsapp_business_account',
    entry: [{ id: '1', changes: [{ field: 'messages', value }] }],
  };
}
