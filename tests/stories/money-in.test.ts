import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { otieno, wanjiru } from '../helpers/admins.ts';
import { type Demo, startDemo } from '../helpers/demo.ts';
import { onUssd, onWhatsapp, type Phones, phonesOf, type Talk } from '../helpers/phones.ts';
import { eventually, karani, postJson } from '../helpers/process.ts';

// Money in, as its people live it: the demo, its simulators and its books, over HTTP alone. Each
// story is told on WhatsApp and on USSD; what Karani says of itself is in the chat either way.

const patience_ms = 20_000;

let demo: Demo;
let phones: Phones;

beforeAll(async () => {
  demo = await startDemo();
  phones = phonesOf(demo);
}, 60_000);
afterAll(() => demo.stop());

/** Who is in a story, and how they talk. */
interface Scene {
  talk: Talk;
  customer: { phone: string; number: string };
  /** Who pays for others, and once is owed by mistake. */
  friend: string;
  /** The customer's two open invoices, of KES 5,000 and 1,500. */
  first: string;
  second: string;
}

const scenes: Record<string, () => Promise<Scene>> = {
  WhatsApp: async () => ({
    talk: onWhatsapp(phones),
    customer: { phone: '254700000004', number: 'CUST-001' },
    friend: '254700000005',
    first: 'INV-20260203-0001',
    second: 'INV-20260210-0002',
  }),
  USSD: async () => {
    const talk = onUssd(phones);
    const first = await invoices(talk, '0711000002 5000 school fees', 'Njoroge');
    const second = await invoices(talk, '0711000002 1500 books');
    const shown = await talk.begins(
      wanjiru,
      { word: 'customers 0711000002' },
      /^Njoroge, CUST-\d+/,
    );
    const number = /CUST-\d+/.exec(shown)![0];
    return {
      talk,
      customer: { phone: '254711000002', number },
      friend: '254700000006',
      first,
      second,
    };
  },
};

/** Wanjiru writes an invoice, naming who is new; its number. */
async function invoices(talk: Talk, order: string, name?: string): Promise<string> {
  await talk.begins(wanjiru, { word: 'invoice', line: 'New invoice' }, /^For whom/);
  if (name === undefined) await talk.says(wanjiru, order, /due \d/);
  else {
    await talk.says(wanjiru, order, /is new\. What is their name\?/);
    await talk.says(wanjiru, name, /due \d/);
  }
  return /INV-\d{8}-\d{4}/.exec(await talk.says(wanjiru, '1', /INV-\d{8}-\d{4}/))![0];
}

const menu = { word: 'unmatched', line: 'Unmatched payments' };

describe.each(Object.keys(scenes))('on %s', (name) => {
  let it: Scene;
  let talk: Talk;
  beforeAll(async () => {
    it = await scenes[name]!();
    ({ talk } = it);
  }, 60_000);

  const hears = (phone: string, words: RegExp, since?: number) => phones.hears(phone, words, since);
  const count = (phone: string) => phones.count(phone);

  test('an invoice is paid in three parts by two people, and what is over pays the next', async () => {
    const { customer, friend, first, second } = it;
    const since = await count(customer.phone);
    await phones.pays(customer.phone, 2_000, first);
    await hears(customer.phone, /We received KES 2,000\.00 .*Left to pay: KES 3,000\.00/s, since);

    const before = await count(friend);
    await phones.pays(friend, 1_500, first.toLowerCase().replace(/-0*/g, ' '));
    // Who pays for another is thanked, and reads nothing of what they owe.
    expect(await hears(friend, /KES 1,500\.00/, before)).not.toMatch(/Left to pay/);

    await phones.pays(customer.phone, 3_500, first);
    const overpaid = await hears(customer.phone, /The extra KES 500\.00 is kept for you/, since);
    expect(overpaid).toContain(`${first}, ${second}`);

    await invoices(talk, `${customer.number} 800 school shoes`);
    await talk.begins(
      customer.phone,
      { word: 'balance', line: 'Check balance' },
      /To pay: KES 300\. Paid ahead: KES 0\./,
    );
  });

  test('a prompt is cancelled, and what it asked for is paid late', async () => {
    const { phone } = it.customer;
    await talk.begins(phone, { word: 'lipa', line: 'Pay' }, /^Pay INV-/);
    await talk.says(phone, '1', /^Check your phone and enter your M-Pesa PIN to pay KES 300/);
    const [prompt] = await eventually(
      () => phones.prompts(phone),
      (all) => all.length > 0,
      patience_ms,
    );
    const since = await count(phone);
    await postJson(`${demo.url}/sim/mpesa/prompts/${prompt!.id}`, { answer: 'cancel' });
    await hears(
      phone,
      /^The M-Pesa request was cancelled on your phone\. Nothing was taken\./,
      since,
    );
    // By hand, with the account that the prompt showed.
    await phones.pays(phone, 300, prompt!.account);
    await hears(phone, /^Good news: your KES 300\.00 for INV-\d{8}-\d{4} has arrived/, since);
    // The prompt was not paid, and that is no reason to doubt the money.
    const doubts = (await phones.chat(wanjiru)).filter(({ text }) => /does not know/.test(text));
    expect(doubts).toEqual([]);
  });

  test('an unmatched payment is assigned while another question is open', async () => {
    const { customer, friend } = it;
    const since = await count(wanjiru);
    const thanked = await count(friend);
    for (const [amount, account] of [
      [900, 'JOHN SHOP'],
      [450, 'SHULE'],
    ] as const) {
      await phones.pays(friend, amount, account);
      await hears(friend, new RegExp(`KES ${amount}\\.00`), thanked);
    }
    const before = await count(customer.phone);
    if (talk.channel === 'whatsapp') {
      const asked = async (amount: number) => {
        const words = new RegExp(`Payment not matched\\* UM\\d+\nKES ${amount}\\.00`);
        return /UM\d+/.exec(await hears(wanjiru, words, since))![0];
      };
      await asked(900);
      const second = await asked(450);
      // A bare number could be for either.
      await talk.says(wanjiru, '1', /./);
      await talk.says(wanjiru, `${second} other`, /^What does it pay\?/);
      await talk.says(wanjiru, `${second} ${customer.number}`, /^KES 450 for \w+, CUST-/);
      await talk.says(wanjiru, `${second} 2`, /^KES 450\.00 is kept as credit/);
      // The other admin comes too late for that one.
      await talk.says(otieno, `${second} 1`, new RegExp(`^${second} is settled`));
    } else {
      // She is in the middle of something else, dials again, and picks it from the list.
      await talk.begins(wanjiru, { word: 'invoice', line: 'New invoice' }, /^For whom/);
      await talk.begins(wanjiru, menu, /KES 450 /);
      await talk.picks(wanjiru, 'KES 450 ', /^UM\d+: KES 450 .*account SHULE/);
      await talk.picks(wanjiru, 'Other', /^What does it pay\?/);
      await talk.says(wanjiru, customer.number, /^KES 450 for \w+, CUST-/);
      await talk.picks(wanjiru, 'Keep as credit', /^KES 450\.00 is kept as credit/);
    }
    await hears(customer.phone, /KES 450\.00/, before);
    // The first still waits.
    await talk.begins(wanjiru, menu, /KES 900/);
  });

  test('a wrong invoice is charged, and the payment moves to the right one', async () => {
    const { customer, friend } = it;
    const local = friend.replace(/^254/, '0');
    const right = await invoices(talk, `${customer.number} 2000 exercise books`);
    const wrong = await invoices(talk, `${local} 1550 desk`, 'Atieno');
    const since = await count(customer.phone);
    const told = await count(friend);
    const receipt = await phones.pays(customer.phone, 1_550, wrong);
    await hears(customer.phone, new RegExp(receipt), since);
    await talk.begins(wanjiru, { word: `move ${receipt}` }, new RegExp(`Now pays: ${wrong}`));
    await talk.says(wanjiru, right, /^Why\?/);
    await talk.says(wanjiru, 'he typed the wrong number', /^Move KES 1,550/);
    await talk.says(wanjiru, '1', /^Done\./);
    await hears(customer.phone, new RegExp(`KES 1,550\\.00.*${right}`, 's'), since);
    await hears(
      friend,
      new RegExp(`was counted for ${wrong} by mistake\\. It is open again`),
      told,
    );
  });

  test('M-Pesa takes a payment back, and the statement says so', async () => {
    const { phone, number } = it.customer;
    const since = await count(phone);
    const receipt = await phones.pays(phone, 1, number);
    await hears(phone, new RegExp(receipt), since);
    await postJson(`${demo.url}/sim/mpesa/reverse`, { receipt });
    const statement = await fetch(`${demo.url}/sim/mpesa/statement?shortcode=600000`);
    const file = join(demo.data_dir, 'statement.csv');
    writeFileSync(file, await statement.text());
    const imported = await karani(['statement', 'import', file, '--json'], env());
    expect(imported).toMatchObject({ code: 0, stderr: '' });
    await hears(phone, /^M-Pesa returned KES 1\.00 to you/, since);
    await hears(wanjiru, new RegExp(`M-Pesa took a payment back[^]*${receipt}`));
    // Who asks is shown it too.
    await talk.begins(wanjiru, { word: 'payments', line: 'Last payments' }, /KES 1 /);
    await talk.picks(wanjiru, 'KES 1 ', new RegExp(`^${receipt}[^]*M-Pesa has taken it back`));
  });
});

const env = () => ({ KARANI_CONFIG: undefined, KARANI_DATA: demo.data_dir });

test('after all of it the books are right', async () => {
  expect(await karani(['ledger', 'verify'], env())).toMatchObject({ code: 0 });
});
