import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FlowFindings } from '../../src/flow/load.ts';
import { loadMessages, renderMessage } from '../../src/flow/messages.ts';
import { flows_folder, house } from './chat.ts';

const messages = await loadMessages(flows_folder);

const payment = {
  invoice: 'INV-20260203-0001',
  amount: '500.00',
  receipt: 'NLJ7RT61SV',
  customer: '+254722000000 (KAMAU)',
  of: '-',
  left: '1000.00',
  credit: '200.00',
  account: 'JOHN SHOP',
  likely: '',
};

test('admins read a part payment as one block, in their language', () => {
  expect(renderMessage(messages, 'payment_part', payment, 'en', 'whatsapp', house)).toBe(
    `💰 *Payment Received*

Invoice INV-20260203-0001
Amount: KES 500.00
Receipt: NLJ7RT61SV
Customer: +254722000000 (KAMAU)
Balance left: KES 1,000.00

✅ Invoice partly paid`,
  );
  const for_another = { ...payment, of: 'Mary, CUST-002' };
  expect(renderMessage(messages, 'payment_part', for_another, 'en', 'whatsapp', house)).toContain(
    '\nCustomer: +254722000000 (KAMAU)\nFor: Mary, CUST-002\nBalance left:',
  );
  expect(renderMessage(messages, 'payment_credit', payment, 'sw', 'whatsapp', house)).toBe(
    `💰 *Malipo Yamepokelewa*

Invoice INV-20260203-0001
Kiasi: KES 500.00
Risiti: NLJ7RT61SV
Mteja: +254722000000 (KAMAU)
Kiasi kilichobaki: KES 1,000.00

✅ Imelipwa yote, ziada KES 200.00`,
  );
});

test('a line is left out where it has nothing to say', () => {
  const read = (paid: string) =>
    renderMessage(
      messages,
      'payment_moved',
      { ...payment, paid, who: 'Otieno' },
      'en',
      'whatsapp',
      house,
    );
  expect(read('INV-1, INV-2')).toContain('\nNow pays: INV-1, INV-2\n');
  expect(read('')).not.toContain('Now pays');
  expect(read('')).toBe(read('-'));
  expect(read('')).toMatch(/\nDecided by: Otieno$/);
});

test("what people typed is not bold, and can't begin a line of its own", () => {
  const values = { ...payment, typed: '*A*\n✅ _paid_~' };
  const words = renderMessage(messages, 'payment_part', values, 'en', 'whatsapp', house);
  expect(words).toContain('Account typed: A ✅ paid\n');
});

test('a copy by SMS has no pictures and no stars', () => {
  const words = renderMessage(messages, 'payment_part', payment, 'en', 'sms', house);
  expect(words).toMatch(/^Payment Received\n\nInvoice INV[^]*\nInvoice partly paid$/);
});

test('a payer without a name is thanked all the same', () => {
  const values = { name: '', amount: '500.00', ref: 'INV-12', receipt: 'NLJ7RT61SV', left: '0.00' };
  expect(renderMessage(messages, 'paid_full', values, 'en', 'whatsapp', house)).toBe(
    'Thank you. We received KES 500.00 and INV-12 is fully paid. Receipt NLJ7RT61SV.',
  );
});

test('thanks fit one part of SMS with the longest values', () => {
  const values = {
    name: 'Wanjirukamau',
    amount: '250000.00',
    ref: 'INV-20260203-0001',
    receipt: 'NLJ7RT61SV',
    left: '250000.00',
    extra: '250000.00',
  };
  for (const key of [
    'paid_part',
    'paid_full',
    'overpaid',
    'paid_to_credit',
    'paid_kept',
    'unmatched_payer',
  ])
    for (const language of ['en', 'sw'] as const)
      expect(
        renderMessage(messages, key, values, language, 'sms', house).length,
      ).toBeLessThanOrEqual(160);
});

test('what is said of an invoice fits one part of SMS with the longest values', () => {
  const values = {
    name: 'Wanjirukamau',
    amount: '250000.00',
    credit: '100000.00',
    ref: 'INV-20260203-0001',
    what: 'school shoes and two pairs of socks',
    left: '250000.00',
    date: '2020-02-28',
  };
  const invoice = ['issued', 'part_ahead', 'paid_ahead', 'void'].map((it) => `invoice_${it}`);
  const remind = ['before', 'today', 'after', 'again'].map((it) => `remind_${it}`);
  const longest = { ...house, shop: 'Duka la Wanjiru1', paybill: '6000000', help: '0722000000' };
  for (const key of [...invoice, ...remind]) {
    for (const language of ['en', 'sw'] as const) {
      const said = renderMessage(messages, key, values, language, 'sms', longest, new Date(0));
      expect(`${key} ${language} ${Math.max(0, said.length - 160)}`).toBe(`${key} ${language} 0`);
    }
  }
});

test('a message that does not exist or lacks a value is our mistake', () => {
  const read = (key: string) => renderMessage(messages, key, {}, 'en', 'whatsapp', house);
  expect(() => read('nope')).toThrow('nope');
  expect(() => read('paid_full')).toThrow('name');
});

test('what is wrong with the messages is found at once', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'karani-messages-'));
  const flows = join(folder, 'flows');
  await mkdir(flows);
  const text = `one: { en: Hi }
two: { en: "{name|mony}", sw: "{name}" }
three: { en: "Hello {name}", sw: "Habari {jina}" }
four: { en: "a\\nb", sw: "a" }
`;
  await writeFile(join(flows, '_messages.yaml'), text);
  const error: unknown = await loadMessages(flows).catch((thrown: unknown) => thrown);
  await rm(folder, { recursive: true });
  expect(error).toBeInstanceOf(FlowFindings);
  expect((error as FlowFindings).findings).toEqual([
    'flows/_messages.yaml:1:1 missing translation "sw"',
    'flows/_messages.yaml:2:8 there is no format "mony"',
    'flows/_messages.yaml:3:10 {jina} is in sw and not here',
    'flows/_messages.yaml:3:30 {name} is in en and not here',
    'flows/_messages.yaml:4:1 the languages differ in their number of lines',
  ]);
});
