import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  bubble,
  openBrowser,
  openPlayground,
  slow_ms,
  without_chromium,
  write,
} from '../helpers/browser.ts';
import { type Demo, startDemo } from '../helpers/demo.ts';
import { karani } from '../helpers/process.ts';

// Money in as somebody plays it in the playground: one page, one business, one story after the
// other. Each ends with a picture of it.

const kamau = '254700000004';
const mwangi = '254700000005';

let demo: Demo;
let browser: Browser;
let opened: Awaited<ReturnType<typeof openPlayground>>;

beforeAll(async () => {
  if (without_chromium) return;
  [demo, browser] = await Promise.all([startDemo(), openBrowser()]);
  opened = await openPlayground(browser, demo);
}, slow_ms);

afterAll(async () => {
  await browser?.close();
  await demo?.stop();
}, slow_ms);

const at = (id: string) => opened.page.getByTestId(id);
const mine = (...words: string[]) => bubble(opened.page, 'chat-mine', ...words);
const owners = (...words: string[]) => bubble(opened.page, 'chat-owner', ...words);
const writeTo = (chat: 'chat-mine' | 'chat-owner', text: string) => write(opened.page, text, chat);

const become = (phone: string) => at('person-select').selectOption(phone);

/** Pays with the M-Pesa menu of whoever one is; the receipt that its SMS tells. */
async function pay(amount: string, account: string): Promise<string> {
  await at('pay-amount').fill(amount);
  await at('pay-account').fill(account);
  const before = (await at('mpesa-receipt').count()) ? await at('mpesa-receipt').innerText() : '';
  await at('pay-submit').click();
  await expect
    .poll(async () => ((await at('mpesa-receipt').count()) ? at('mpesa-receipt').innerText() : ''))
    .not.toBe(before);
  return at('mpesa-receipt').innerText();
}

/** Taps what stands below the last words in a chat. */
const tap = (chat: string, label: string) =>
  opened.page.locator(`[data-testid=${chat}] [data-reply]`).filter({ hasText: label }).click();

/** The owner writes an invoice and sends it off; its number. */
async function invoice(order: string, name?: string): Promise<string> {
  await writeTo('chat-owner', `invoice ${order}`);
  if (name !== undefined) {
    await owners('is new. What is their name?');
    await writeTo('chat-owner', name);
  }
  const issued = at('chat-owner').locator('[data-direction=out]').filter({ hasText: 'is issued' });
  const before = await issued.count();
  await tap('chat-owner', 'Send it');
  await issued.nth(before).waitFor();
  return /INV-\d{8}-\d{4}/.exec(await issued.nth(before).innerText())![0];
}

/** What the story has come to, to be looked at. */
async function picture(name: string): Promise<void> {
  await opened.page.screenshot({ path: `artifacts/story-${name}.png` });
  expect(opened.complaints).toEqual([]);
}

test.skipIf(without_chromium)(
  'an invoice is paid in three parts by two people, and what is over pays the next',
  async () => {
    await pay('2000', 'INV-20260203-0001');
    await mine('We received KES 2,000.00', 'Left to pay: KES 3,000.00');
    await become(mwangi);
    await pay('1500', 'inv 20260203 1');
    expect(await mine('KES 1,500.00')).not.toMatch(/Left to pay/);
    await become(kamau);
    await pay('3500', 'INV-20260203-0001');
    await mine('INV-20260203-0001, INV-20260210-0002', 'The extra KES 500.00 is kept for you');
    await invoice('CUST-001 800 school shoes');
    await writeTo('chat-mine', 'balance');
    await mine('To pay: KES 300. Paid ahead: KES 0.');
    await picture('three-parts');
  },
  slow_ms,
);

test.skipIf(without_chromium)(
  'a prompt is cancelled, and what it asked for is paid late',
  async () => {
    await writeTo('chat-mine', 'pay');
    await tap('chat-mine', 'All, KES 300');
    await at('mpesa-prompt').waitFor();
    const asked = await at('prompt-words').innerText();
    const account = /PAY-\w{7}/.exec(asked)![0];
    await at('prompt-cancel').click();
    await mine('was cancelled on your phone. Nothing was taken.');
    const receipt = await pay('300', account);
    await mine('Good news: your KES 300.00', 'has arrived');
    expect(await owners(receipt)).toMatch(/Invoice fully paid/);
    await picture('cancelled-paid-late');
  },
  slow_ms,
);

test.skipIf(without_chromium)(
  'an unmatched payment is assigned in the chat while another question is open',
  async () => {
    await become(mwangi);
    await pay('900', 'JOHN SHOP');
    await owners('Payment not matched', 'KES 900.00');
    await pay('450', 'SHULE');
    await owners('Payment not matched', 'KES 450.00');
    // Below the newest question stand its choices.
    await tap('chat-owner', 'Other');
    await owners('What does it pay?');
    await writeTo('chat-owner', 'CUST-001');
    await owners('KES 450 for Kamau, CUST-001?');
    await tap('chat-owner', 'Keep as credit');
    await owners('KES 450.00 is kept as credit');
    await become(kamau);
    await mine('KES 450.00');
    await picture('unmatched-assigned');
  },
  slow_ms,
);

test.skipIf(without_chromium)(
  'a wrong invoice is charged, and the payment moves to the right one',
  async () => {
    const right = await invoice('CUST-001 2000 exercise books');
    const wrong = await invoice('0700000005 1550 desk', 'Mwangi');
    expect(wrong).not.toBe(right);
    const receipt = await pay('1550', wrong);
    await owners(receipt, wrong);
    await writeTo('chat-owner', `move ${receipt}`);
    await owners(`Now pays: ${wrong}`);
    await writeTo('chat-owner', right);
    await owners('Why?');
    await writeTo('chat-owner', 'he typed the wrong number');
    await owners('Move KES 1,550', right);
    await tap('chat-owner', 'Yes');
    await owners(`Done. ${receipt} now pays ${right}`);
    await mine('KES 1,550.00', right);
    await become(mwangi);
    await mine(`was counted for ${wrong} by mistake. It is open again`);
    await picture('moved');
  },
  slow_ms,
);

test.skipIf(without_chromium)(
  'M-Pesa takes a payment back, and its statement says so',
  async () => {
    await become(kamau);
    const receipt = await pay('10', 'CUST-001');
    await mine(receipt);
    await at('trouble').click();
    await at('take-back').click();
    await opened.page.locator('#lost-words').filter({ hasText: receipt }).waitFor();
    const saving = opened.page.waitForEvent('download');
    await at('statement').click();
    const file = join(demo.data_dir, 'statement.csv');
    await (await saving).saveAs(file);
    const env = { KARANI_CONFIG: undefined, KARANI_DATA: demo.data_dir };
    const imported = await karani(['statement', 'import', file], env);
    expect(imported).toMatchObject({ code: 0, stderr: '' });
    await mine('M-Pesa returned KES 10.00 to you');
    await owners('M-Pesa took a payment back', receipt);
    await picture('taken-back');
    // The whole evening long nobody was told to doubt a payment that was right.
    const doubts = at('chat-owner').locator('[data-direction=out]');
    expect(await doubts.filter({ hasText: 'does not know' }).count()).toBe(0);
  },
  slow_ms,
);
