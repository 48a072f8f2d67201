import { afterAll, beforeAll, expect, test } from 'vitest';
import { otieno, wanjiru } from '../helpers/admins.ts';
import { type Demo, startDemo } from '../helpers/demo.ts';
import { type Phones, phonesOf } from '../helpers/phones.ts';
import { postJson } from '../helpers/process.ts';

// Every channel end to end: the demo's simulators speak to the demo over HTTP.

let demo: Demo;
let phones: Phones;

beforeAll(async () => {
  demo = await startDemo();
  phones = phonesOf(demo);
}, 60_000);
afterAll(() => demo.stop());

const kamau = '254700000004';
const mwangi = '254700000005';

test('a menu on WhatsApp is tapped, and an old tap changes nothing', async () => {
  const list = await phones.says(kamau, { text: 'balance' });
  expect(list.choices?.map(({ title, description }) => description ?? title)).toEqual([
    'INV-20260203-0001 KES 5,000',
    'INV-20260210-0002 KES 1,500',
  ]);
  const second = list.choices?.[1]?.id;
  const shown = await phones.says(kamau, { tap: second, answers: list.id });
  expect(shown.text).toMatch(/^INV-20260210-0002: KES 1,500 left/);

  const menu = await phones.says(kamau, { text: 'menu' });
  const old = await phones.says(kamau, { tap: second, answers: list.id });
  expect(old.text).toMatch(/^That was an earlier question\. We are here now:\nHello Kamau/);
  const how = menu.choices?.find((choice) => choice.title === 'Pay');
  expect((await phones.says(kamau, { tap: how?.id, answers: menu.id })).text).toMatch(
    /^Pay which\?\n/,
  );
});

test('a number below a quoted question answers that one', async () => {
  const first = await phones.says(kamau, { text: 'language' });
  await phones.says(kamau, { text: 'balance' });
  const quoted = await phones.says(kamau, { text: '2', answers: first.id });
  expect(quoted.text).toMatch(/^That was an earlier question/);
  expect((await phones.says(kamau, { text: '2' })).text).toMatch(/^INV-20260210-0002/);
});

test('the same conversation says the same on WhatsApp, by SMS and on USSD', async () => {
  const question =
    'To pay: KES 6,500. Paid ahead: KES 0.\nWhich invoice?\n' +
    '1 INV-20260203-0001 KES 5,000\n2 INV-20260210-0002 KES 1,500';
  const end = /^INV-20260203-0001: KES 5,000 left of KES 5,000, due 10 Feb/;
  expect((await phones.says(kamau, { text: 'salio' })).text).toBe(question);
  expect((await phones.says(kamau, { text: '1' })).text).toMatch(end);
  expect((await phones.says(kamau, { text: 'salio' }, 'sms')).text).toBe(question);
  expect((await phones.says(kamau, { text: '1' }, 'sms')).text).toMatch(end);
  expect(await phones.dials({ phone: kamau, with: '1' })).toEqual({
    text: `${question}\n0 Back`,
    end: false,
  });
  expect(await phones.dials({ phone: kamau, input: '1' })).toMatchObject({
    text: expect.stringMatching(end),
    end: true,
  });
});

test('somebody asks for a person, is answered by one, and is given back to the menu', async () => {
  const before = await phones.count(wanjiru);
  const others = await phones.count(otieno);
  expect((await phones.says(mwangi, { text: 'mhudumu' })).text).toMatch(
    /^A person from Duka la Wanjiru/,
  );
  const wanted = await phones.nth(wanjiru, before);
  expect(wanted.text).toMatch(
    /\*Mwangi asks for a person\*\nNumber: 0700000005\nAnswer this message/,
  );
  expect((await phones.nth(otieno, others)).text).toContain('Mwangi asks for a person');

  // What is written now goes to the admins, and Karani says nothing to it.
  const heard = await phones.count(mwangi);
  await postJson(`${demo.url}/sim/whatsapp`, { from: mwangi, text: 'Is the shop open?' });
  const said = await phones.nth(wanjiru, before + 1);
  expect(said.text).toBe('*Mwangi*\nNumber: 0700000005\nIs the shop open?');
  expect((await phones.says(wanjiru, { text: 'Until six.', answers: said.id })).text).toBe(
    'Sent to Mwangi.',
  );
  expect((await phones.nth(mwangi, heard)).text).toBe('Wanjiru: Until six.');
  expect((await phones.says(wanjiru, { text: 'Done', answers: wanted.id })).text).toBe(
    'The menu is on again for Mwangi.',
  );
  expect((await phones.nth(mwangi, heard + 1)).text).toMatch(/^Thank you\. The menu is on again/);
  expect((await phones.says(mwangi, { text: 'menu' })).text).toMatch(/^Welcome to Duka la Wanjiru/);
});

test('a statement is read on WhatsApp, and sent from USSD', async () => {
  const statement = await phones.says(kamau, { text: 'statement' });
  expect(statement.text).toBe(
    'Your invoices (+) and payments (-):\n10/02/2026 +1,500.00 INV-20260210-0002\n' +
      '03/02/2026 +5,000.00 INV-20260203-0001\nTo pay now: KES 6,500.00',
  );
  const sent = await phones.count(kamau);
  await phones.dials({ phone: kamau });
  await phones.dials({ phone: kamau, input: '2' });
  const few = await phones.dials({ phone: kamau, input: '1' });
  expect(few.text).toContain('1 10 Feb KES 1,500\n2 3 Feb KES 5,000');
  await phones.dials({ phone: kamau, with: '2' });
  expect(await phones.dials({ phone: kamau, input: '2' })).toMatchObject({ end: true });
  expect((await phones.nth(kamau, sent)).text).toContain('10/02/2026 +1,500.00 INV-20260210-0002');
});

test('a PIN that nobody asked for is warned of on every channel', async () => {
  const warning = /^Please never write your M-Pesa PIN here, and delete that message/;
  expect((await phones.says(mwangi, { text: '739164' })).text).toMatch(warning);
  expect((await phones.says(mwangi, { text: '739164' }, 'sms')).text).toMatch(warning);
  await phones.dials({ phone: mwangi });
  expect((await phones.dials({ phone: mwangi, input: '739164' })).text).toMatch(
    /^Please never enter your M-Pesa PIN here/,
  );
});
