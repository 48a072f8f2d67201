import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Demo, startDemo } from '../helpers/demo.ts';
import { eventually, getJson, karani, postJson } from '../helpers/process.ts';

// Money in, as its people live it: the demo, its simulators and its books, over HTTP alone.

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
}

const heardBy = async (phone: string) =>
  (await getJson<Bubble[]>(`${demo.url}/sim/whatsapp?phone=${phone}`))
    .filter((bubble) => bubble.direction === 'out')
    .map((bubble) => bubble.text);

/** Waits until somebody is told something like this that they had not been told before. */
async function hears(phone: string, words: RegExp, since: number): Promise<string> {
  const all = await eventually(
    () => heardBy(phone),
    (texts) => texts.slice(since).some((text) => words.test(text)),
    patience_ms,
  );
  return all.slice(since).find((text) => words.test(text))!;
}

const countOf = async (phone: string) => (await heardBy(phone)).length;

/** Writes on a phone and waits for an answer like this. */
async function says(phone: string, text: string, answer: RegExp): Promise<string> {
  const since = await countOf(phone);
  await postJson(`${demo.url}/sim/whatsapp`, { from: phone, text });
  return hears(phone, answer, since);
}

async function pays(phone: string, amount: number, account: string): Promise<string> {
  const order = { phone, amount, account };
  return (await postJson<{ receipt: string }>(`${demo.url}/sim/mpesa/pay`, order)).receipt;
}

const prompts = (phone: string) =>
  getJson<{ id: string; account: string }[]>(`${demo.url}/sim/mpesa/prompts?phone=${phone}`);

test('an invoice is paid in three parts by two people, and what is over pays the next', async () => {
  const since = await countOf(kamau);
  await pays(kamau, 2_000, 'INV-20260203-0001');
  await hears(kamau, /We received KES 2,000\.00 .* Left to pay: KES 3,000\.00/, since);

  const before = await countOf(mwangi);
  await pays(mwangi, 1_500, 'inv 20260203 1');
  // Who pays for another is thanked, and reads nothing of what they owe.
  expect(await hears(mwangi, /KES 1,500\.00/, before)).not.toMatch(/Left to pay/);

  await pays(kamau, 3_500, 'INV-20260203-0001');
  const overpaid = await hears(kamau, /The extra KES 500\.00 is kept for you/, since);
  expect(overpaid).toMatch(/INV-20260203-0001, INV-20260210-0002/);

  await says(wanjiru, 'invoice CUST-001 800 school shoes', /KES 800/);
  await says(wanjiru, '1', /INV-\d{8}-0001/);
  await says(kamau, 'balance', /To pay: KES 300\. Paid ahead: KES 0\./);
});

test('a prompt is cancelled, and what it asked for is paid late', async () => {
  await says(kamau, 'lipa', /^Pay INV-/);
  await says(kamau, '1', /^Check your phone and enter your M-Pesa PIN to pay KES 300/);
  const [prompt] = await eventually(
    () => prompts(kamau),
    (all) => all.length > 0,
    patience_ms,
  );
  const since = await countOf(kamau);
  await postJson(`${demo.url}/sim/mpesa/prompts/${prompt!.id}`, { answer: 'cancel' });
  await hears(
    kamau,
    /^The M-Pesa request was cancelled on your phone\. Nothing was taken\./,
    since,
  );
  // By hand, with the account that the prompt showed.
  await pays(kamau, 300, prompt!.account);
  await hears(kamau, /^Good news: your KES 300\.00 for INV-\d{8}-0001 has arrived/, since);
});

test('an unmatched payment is assigned in chat while another question is open', async () => {
  const since = await countOf(wanjiru);
  await pays(mwangi, 900, 'JOHN SHOP');
  await hears(wanjiru, /Payment not matched\* UM\d+\nKES 900\.00/, since);
  await pays(mwangi, 450, 'SHULE');
  const asked = await hears(wanjiru, /Payment not matched\* UM\d+\nKES 450\.00/, since);
  const second = /UM\d+/.exec(asked)![0];
  // A bare number could be for either.
  await says(wanjiru, '1', /./);
  expect(await heardBy(mwangi)).not.toContainEqual(expect.stringMatching(/fully paid/));

  await says(wanjiru, `${second} other`, /^Which one\?/);
  await says(wanjiru, `${second} CUST-001`, /^KES 450 for CUST-001\?/);
  const before = await countOf(kamau);
  await says(wanjiru, `${second} 2`, /^KES 450\.00 is kept as credit/);
  await hears(kamau, /KES 450\.00/, before);
  await says(otieno, `${second} 1`, new RegExp(`^${second} `));
});

test('a wrong invoice is charged, and the payment moves to the right one', async () => {
  await says(wanjiru, 'invoice CUST-001 2000 exercise books', /KES 2,000/);
  const made = await says(wanjiru, '1', /INV-\d{8}-0002/);
  const right = /INV-\d{8}-\d{4}/.exec(made)![0];
  await says(wanjiru, 'invoice 0700000005 1550 desk', /Mwangi|name|KES 1,550/);
  const words = await says(wanjiru, '1', /KES 1,550|INV-\d{8}-0003/);
  const wrong = /INV-\d{8}-0003/.exec(words)?.[0] ?? '';
  if (!wrong) await says(wanjiru, '1', /INV-\d{8}-0003/);
  const receipt = await pays(kamau, 1_550, right.replace('0002', '0003'));
  const since = await countOf(kamau);
  await hears(wanjiru, new RegExp(receipt), 0);
  await says(wanjiru, `move ${receipt}`, /Now pays: INV-\d{8}-0003/);
  await says(wanjiru, right, /^Why\?/);
  await says(wanjiru, 'he typed the wrong number', /^Move KES 1,550/);
  await says(wanjiru, '1', /^Done\./);
  await hears(kamau, new RegExp(`KES 1,550\\.00.*${right}`), since);
  await hears(mwangi, /was counted for INV-\d{8}-0003 by mistake\. It is open again/, 0);
});

test('M-Pesa takes a payment back, and the statement says so', async () => {
  const since = await countOf(kamau);
  const receipt = await pays(kamau, 1, 'CUST-001');
  await hears(kamau, new RegExp(receipt), since);
  await postJson(`${demo.url}/sim/mpesa/reverse`, { receipt });
  const statement = await fetch(`${demo.url}/sim/mpesa/statement?shortcode=600000`);
  const file = join(demo.data_dir, 'statement.csv');
  writeFileSync(file, await statement.text());
  const env = { KARANI_CONFIG: undefined, KARANI_DATA: demo.data_dir };
  const imported = await karani(['statement', 'import', file, '--json'], env);
  expect(imported).toMatchObject({ code: 0, stderr: '' });
  await hears(kamau, /^M-Pesa returned KES 1\.00 to you/, since);
  await hears(wanjiru, new RegExp(`M-Pesa took a payment back[^]*${receipt}`), 0);
  const verified = await karani(['ledger', 'verify'], env);
  expect(verified).toMatchObject({ code: 0 });
});
