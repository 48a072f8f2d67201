import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  bubble,
  openBrowser,
  openPlayground as open,
  phone,
  screen,
  slow_ms,
  without_chromium,
  write,
} from '../helpers/browser.ts';
import { type Demo, startDemo } from '../helpers/demo.ts';

let demo: Demo;
let browser: Browser;

beforeAll(async () => {
  if (without_chromium) return;
  demo = await startDemo();
  browser = await openBrowser();
}, slow_ms);

afterAll(async () => {
  await browser?.close();
  await demo?.stop();
}, slow_ms);

const openPlayground = (...how: [viewport?: typeof phone, colorScheme?: 'light' | 'dark']) =>
  open(browser, demo, ...how);

/** Asks in the chat to pay an invoice, by name where there are several. */
async function askToPay(page: Page, invoice?: string): Promise<void> {
  const choose = (text: string) =>
    page.locator('[data-testid=chat-mine] [data-reply]').filter({ hasText: text }).click();
  await write(page, 'pay');
  if (invoice) {
    await bubble(page, 'chat-mine', 'Pay which?');
    await choose(invoice);
  }
  await choose('All, KES');
}

test.skipIf(without_chromium)(
  'a newcomer watches a payment reach the ledger and the owners, and asks what is left',
  async () => {
    const { page, complaints, at } = await openPlayground();
    expect(await at('person-select').inputValue()).toBe('254700000004');
    expect(await at('pay-account').inputValue()).toBe('INV-20260203-0001');
    expect(await at('pay-amount').inputValue()).toBe('500');

    await at('pay-submit').click();
    const receipt = await at('mpesa-receipt').innerText();
    await bubble(page, 'chat-owner', receipt, 'INV-20260203-0001', 'KES 500.00', 'KES 4,500.00');
    await bubble(page, 'chat-mine', receipt, 'KES 4,500.00');
    await page.locator('[data-testid=guide-step-2][data-done=true]').waitFor();

    for (const kind of ['callback', 'payment', 'ledger', 'message']) {
      const rows = page.locator(`[data-testid=live-item][data-kind=${kind}]`);
      await rows
        .and(page.locator(`[data-receipt="${receipt}"]`))
        .first()
        .waitFor();
    }
    const told = page.locator(`[data-receipt="${receipt}"][data-kind=message][data-state=sent]`);
    await expect.poll(() => told.count()).toBe(3);

    await at('owner-otieno').click();
    await bubble(page, 'chat-owner', receipt);

    await write(page, 'balance');
    await bubble(page, 'chat-mine', 'KES 6,000');
    await page.locator('[data-testid=guide-step-3][data-done=true]').waitFor();
    await page.screenshot({ path: 'artifacts/playground.png' });

    expect(complaints).toEqual([]);
    await page.close();
  },
  slow_ms,
);

test.skipIf(without_chromium)(
  'a prompt shows itself on the phone that is asked, and cancelled it is told kindly',
  async () => {
    const { page, complaints, at } = await openPlayground(phone, 'dark');
    await at('nav-mine').click();
    await askToPay(page, 'INV-20260203-0001');
    await at('asked-you').click();
    expect(await at('prompt-words').innerText()).toMatch(
      /^Do you want to pay KES 4,500 to DUKA LA WANJIRU Account no. PAY-\w{7}\? Enter M-PESA PIN$/,
    );
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(phone.width);
    await page.screenshot({ path: 'artifacts/playground-prompt-phone.png' });

    // It is Kamau's alone, and whoever is somebody else finds it.
    await at('person-select').selectOption('254700000005');
    await at('mpesa-prompt').waitFor({ state: 'hidden' });
    await at('asked-other').filter({ hasText: 'M-Pesa asks Kamau' }).click();
    expect(await at('person-select').inputValue()).toBe('254700000004');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await at('mpesa-prompt').waitFor({ state: 'hidden' });
    await at('nav-mine').click();
    await bubble(page, 'chat-mine', 'was cancelled on your phone. Nothing was taken.');
    expect(await at('asked-you').isHidden()).toBe(true);

    expect(complaints).toEqual([]);
    await page.close();
  },
  slow_ms,
);

test.skipIf(without_chromium)(
  'a prompt is paid with the PIN: both chats tell of it, and inside it is one story',
  async () => {
    const { page, complaints, at } = await openPlayground();
    await askToPay(page, 'INV-20260210-0002');
    await at('mpesa-prompt').waitFor();
    await bubble(page, 'chat-mine', 'Check your phone', 'KES 1,500 for INV-20260210-0002');
    await page.screenshot({ path: 'artifacts/playground-prompt.png' });
    await at('prompt-pin').focus();
    await page.keyboard.press('Enter');
    const receipt = await at('mpesa-receipt').innerText();
    await bubble(page, 'chat-owner', receipt, 'INV-20260210-0002', 'KES 1,500.00');
    await bubble(page, 'chat-mine', receipt, 'fully paid');
    await at('mpesa-prompt').waitFor({ state: 'hidden' });

    const inside = page.locator(`[data-testid=live-item][data-receipt="${receipt}"]`);
    const row = (kind: string, text: string) =>
      inside.and(page.locator(`[data-kind=${kind}]`)).filter({ hasText: text });
    await row('prompt', 'paid').filter({ hasText: 'KES 1,500 for INV-20260210-0002' }).waitFor();
    await row('callback', 'Prompt paid: KES 1,500').waitFor();
    await row('payment', 'matched').locator('summary').click();
    await row('payment', 'the prompt that asked for it').waitFor();

    expect(complaints).toEqual([]);
    await page.close();
  },
  slow_ms,
);

test.skipIf(without_chromium)(
  "a prompt is there also when M-Pesa's answer is lost on the way to Karani",
  async () => {
    const { page, complaints, at } = await openPlayground();
    await at('trouble').click();
    await at('fault-lost_response').check();
    await askToPay(page);
    await page.locator('[data-kind=prompt][data-state=unknown]').waitFor();
    await at('prompt-wrong-pin').click();
    await bubble(page, 'chat-mine', 'The M-Pesa PIN was not right. Nothing was taken.');
    await at('fault-lost_response').uncheck();

    expect(complaints).toEqual([]);
    await page.close();
  },
  slow_ms,
);

test.skipIf(without_chromium)(
  'the balance is on WhatsApp and USSD, in English and in Swahili',
  async () => {
    const { page, complaints, at } = await openPlayground();
    const dial = async () => {
      await at('tab-ussd').click();
      await at('ussd-dial').click();
    };
    await dial();
    await screen(page, 'To pay: KES 4,500');
    await at('key-1').click();
    await at('ussd-send').click();
    await screen(page, 'INV-20260203-0001 KES 4,500');
    await at('ussd-end').click();

    await at('tab-whatsapp').click();
    await write(page, 'language');
    await page
      .locator('[data-testid=chat-mine] [data-reply="2"]')
      .filter({ hasText: 'Kiswahili' })
      .click();
    await bubble(page, 'chat-mine', 'tutatumia Kiswahili');
    await write(page, 'salio');
    await bubble(page, 'chat-mine', 'Kiasi cha kulipa: KES 4,500');
    await dial();
    await screen(page, 'Kiasi cha kulipa: KES 4,500');

    expect(complaints).toEqual([]);
    await page.close();
  },
  slow_ms,
);

test.skipIf(without_chromium)(
  'everything can be reached on a phone, and nothing is wider than it',
  async () => {
    const { page, complaints, at } = await openPlayground(phone);
    for (const [part, shown] of [
      ['nav-mine', 'chat-mine'],
      ['nav-owner', 'chat-owner'],
      ['nav-live', 'live'],
      ['nav-pay', 'pay-submit'],
    ] as const) {
      await at(part).click();
      await at(shown).waitFor();
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(phone.width);
    }
    await at('nav-owner').click();
    await page.screenshot({ path: 'artifacts/playground-phone.png' });

    expect(complaints).toEqual([]);
    await page.close();
  },
  slow_ms,
);

test.skipIf(without_chromium)(
  'one admin asks for a cashier, and another approves with the code above the phone',
  async () => {
    const { page, complaints, at } = await openPlayground();
    await at('person-select').selectOption({ label: 'Wanjiru, admin' });
    await write(page, 'add cashier 0712345678 Njeri');
    await bubble(page, 'chat-mine', 'Role: cashier', 'Add Njeri, 0712345678?');
    await write(page, '1');
    await bubble(page, 'chat-mine', 'The other admins are asked');

    await at('person-select').selectOption({ label: 'Otieno, admin' });
    await bubble(page, 'chat-mine', 'Wanjiru wants to add Njeri');
    await write(page, '1');
    await bubble(page, 'chat-mine', 'Enter the 6-digit code');
    const shown = await at('codes-mine').innerText();
    expect(shown).toMatch(/^Authenticator \d{3} \d{3}, new in \d+ s$/);
    await write(page, shown.replace(/,.*/, '').replace(/\D/g, ''));
    await bubble(page, 'chat-mine', 'Approved: RQ');
    expect(complaints).toEqual([]);
    await page.close();
  },
  slow_ms,
);
