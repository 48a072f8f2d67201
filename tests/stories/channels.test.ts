import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Demo, startDemo } from '../helpers/demo.ts';
import { eventually, getJson, postJson } from '../helpers/process.ts';

// Every channel end to end: the demo's simulators speak to the demo over HTTP.

const patience_ms = 20_000;

let demo: Demo;

beforeAll(async () => {
  demo = await startDemo();
}, 60_000);
afterAll(() => demo.stop());

const wanjiru = '254700000001';
const otieno = '254700000002';
const kamau = '254700000004';
const mwangi = '254700000005';

interface Bubble {
  id: string;
  direction: 'in' | 'out';
  text: string;
  choices?: { id: string; title: string; description?: string }[];
}

const chat = (phone: string, by: 'whatsapp' | 'sms' = 'whatsapp') =>
  getJson<Bubble[]>(`${demo.url}/sim/${by}?phone=${phone}`);

/** Writes, taps or quotes on a phone, and waits for what is answered there. */
async function says(phone: string, it: object, by: 'whatsapp' | 'sms' = 'whatsapp') {
  const before = (await chat(phone, by)).filter((bubble) => bubble.direction === 'out').length;
  await postJson(`${demo.url}/sim/${by}`, { from: phone, ...it });
  return nth(phone, before, by);
}

/** What the business says next on a phone. */
async function nth(phone: string, index: number, by: 'whatsapp' | 'sms' = 'whatsapp') {
  const out = await eventually(
    async () => (await chat(phone, by)).filter((bubble) => bubble.direction === 'out'),
    (all) => all.length > index,
    patience_ms,
  );
  return out[index]!;
}

const dials = (it: object) => postJson<{ text: string; end: boolean }>(`${demo.url}/sim/ussd`, it);

test('a menu on WhatsApp is tapped, and an old tap changes nothing', async () => {
  const list = await says(kamau, { text: 'balance' });
  expect(list.choices?.map(({ title, description }) => description ?? title)).toEqual([
    'INV-20260203-0001 KES 5,000',
    'INV-20260210-0002 KES 1,500',
  ]);
  const second = list.choices?.[1]?.id;
  const shown = await says(kamau, { tap: second, answers: list.id });
  expect(shown.text).toMatch(/^INV-20260210-0002: KES 1,500 left/);

  const menu = await says(kamau, { text: 'menu' });
  const old = await says(kamau, { tap: second, answers: list.id });
  expect(old.text).toMatch(/^That was an earlier question\. We are here now:\nHello Kamau/);
  const how = menu.choices?.find((choice) => choice.title === 'Pay');
  expect((await says(kamau, { tap: how?.id, answers: menu.id })).text).toMatch(/^Pay which\?\n/);
});

test('a number below a quoted question answers that one', async () => {
  const first = await says(kamau, { text: 'language' });
  await says(kamau, { text: 'balance' });
  const quoted = await says(kamau, { text: '2', answers: first.id });
  expect(quoted.text).toMatch(/^That was an earlier question/);
  expect((await says(kamau, { text: '2' })).text).toMatch(/^INV-20260210-0002/);
});

test('the same conversation says the same on WhatsApp, by SMS and on USSD', async () => {
  const question =
    'To pay: KES 6,500. Paid ahead: KES 0.\nWhich invoice?\n' +
    '1 INV-20260203-0001 KES 5,000\n2 INV-20260210-0002 KES 1,500';
  const end = /^INV-20260203-0001: KES 5,000 left of KES 5,000, due 10 Feb/;
  expect((await says(kamau, { text: 'salio' })).text).toBe(question);
  expect((await says(kamau, { text: '1' })).text).toMatch(end);
  expect((await says(kamau, { text: 'salio' }, 'sms')).text).toBe(question);
  expect((await says(kamau, { text: '1' }, 'sms')).text).toMatch(end);
  expect(await dials({ phone: kamau, with: '1' })).toEqual({
    text: `${question}\n0 Back`,
    end: false,
  });
  expect(await dials({ phone: kamau, input: '1' })).toMatchObject({
    text: expect.stringMatching(end),
    end: true,
  });
});

test('somebody asks for a person, is answered by one, and is given back to the menu', async () => {
  const before = (await chat(wanjiru)).filter((it) => it.direction === 'out').length;
  const others = (await chat(otieno)).filter((it) => it.direction === 'out').length;
  expect((await says(mwangi, { text: 'mhudumu' })).text).toMatch(/^A person from Duka la Wanjiru/);
  const wanted = await nth(wanjiru, before);
  expect(wanted.text).toMatch(
    /\*Mwangi asks for a person\*\nNumber: 0700000005\nAnswer this message/,
  );
  expect((await nth(otieno, others)).text).toContain('Mwangi asks for a person');

  // What is written now goes to the admins, and Karani says nothing to it.
  const heard = (await chat(mwangi)).filter((it) => it.direction === 'out').length;
  await postJson(`${demo.url}/sim/whatsapp`, { from: mwangi, text: 'Is the shop open?' });
  const said = await nth(wanjiru, before + 1);
  expect(said.text).toBe('*Mwangi*\nNumber: 0700000005\nIs the shop open?');
  expect((await says(wanjiru, { text: 'Until six.', answers: said.id })).text).toBe(
    'Sent to Mwangi.',
  );
  expect((await nth(mwangi, heard)).text).toBe('Wanjiru: Until six.');
  expect((await says(wanjiru, { text: 'Done', answers: wanted.id })).text).toBe(
    'The menu is on again for Mwangi.',
  );
  expect((await nth(mwangi, heard + 1)).text).toMatch(/^Thank you\. The menu is on again/);
  expect((await says(mwangi, { text: 'menu' })).text).toMatch(/^Welcome to Duka la Wanjiru/);
});

test('a statement is read on WhatsApp, and sent from USSD', async () => {
  const statement = await says(kamau, { text: 'statement' });
  expect(statement.text).toBe(
    'Your invoices (+) and payments (-):\n10/02/2026 +1,500.00 INV-20260210-0002\n' +
      '03/02/2026 +5,000.00 INV-20260203-0001\nTo pay now: KES 6,500.00',
  );
  const sent = (await chat(kamau)).filter((it) => it.direction === 'out').length;
  await dials({ phone: kamau });
  await dials({ phone: kamau, input: '2' });
  const few = await dials({ phone: kamau, input: '1' });
  expect(few.text).toContain('1 10 Feb KES 1,500\n2 3 Feb KES 5,000');
  await dials({ phone: kamau, with: '2' });
  expect(await dials({ phone: kamau, input: '2' })).toMatchObject({ end: true });
  expect((await nth(kamau, sent)).text).toContain('10/02/2026 +1,500.00 INV-20260210-0002');
});

test('a PIN that nobody asked for is warned of on every channel', async () => {
  const warning = /^Please never write your M-Pesa PIN here, and delete that message/;
  expect((await says(mwangi, { text: '739164' })).text).toMatch(warning);
  expect((await says(mwangi, { text: '739164' }, 'sms')).text).toMatch(warning);
  await dials({ phone: mwangi });
  expect((await dials({ phone: mwangi, input: '739164' })).text).toMatch(
    /^Please never enter your M-Pesa PIN here/,
  );
});
