import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  messagesOf,
  statusesOf,
  WhatsAppWebhook,
} from '../../src/channels/whatsapp-cloud/payloads.ts';
import { C2bConfirmation, payerFrom } from '../../src/daraja/payloads.ts';

const good = {
  TransactionType: 'Pay Bill',
  TransID: 'UKL4A1B2C3',
  TransTime: '20261121103045',
  TransAmount: '500.00',
  BusinessShortCode: '600000',
  BillRefNumber: ' INV-1 ',
  InvoiceNumber: null,
  MSISDN: '2547 ***** 126',
  FirstName: 'JANE',
  MiddleName: '',
};

test('a confirmation is read into our own names', () => {
  expect(C2bConfirmation.parse(good)).toEqual({
    receipt: 'UKL4A1B2C3',
    shortcode: '600000',
    amount_cents: 50_000n,
    paid_at: new Date('2026-11-21T10:30:45+03:00'),
    account_typed: 'INV-1',
    msisdn_given: '2547 ***** 126',
    payer_name: 'JANE',
    transaction_type: 'Pay Bill',
  });
});

test('numbers, null and missing fields are read as what they stand for', () => {
  const { FirstName: _first, MiddleName: _middle, MSISDN: _msisdn, ...rest } = good;
  const drifted = {
    ...rest,
    TransTime: 20261121103045,
    TransAmount: 5.5,
    BusinessShortCode: 600000,
  };
  expect(
    C2bConfirmation.parse({ ...drifted, BillRefNumber: 353353, FirstName: null }),
  ).toMatchObject({
    shortcode: '600000',
    amount_cents: 550n,
    account_typed: '353353',
    msisdn_given: '',
    payer_name: null,
  });
  expect(C2bConfirmation.parse({ ...good, BillRefNumber: null }).account_typed).toBe('');
  expect(C2bConfirmation.parse({ ...good, TransID: ' ukl4a1b2c3 ' }).receipt).toBe('UKL4A1B2C3');
});

test('what cannot be a payment is not read as one', () => {
  const wrong = [
    { TransAmount: '0.00' },
    { TransAmount: '-5' },
    { TransAmount: '1.005' },
    { TransAmount: 0.001 },
    { TransAmount: 1e21 },
    { TransAmount: 'NaN' },
    { TransAmount: '' },
    { TransAmount: null },
    { TransTime: '20260231103045' },
    { TransTime: '2026-11-21' },
    { TransTime: '00000101000000' },
    { TransID: 'X'.repeat(200) },
    { TransID: '' },
    { TransID: "A'; drop" },
    { BusinessShortCode: 'abc' },
    { BillRefNumber: { a: 1 } },
  ];
  for (const field of wrong)
    expect([field, C2bConfirmation.safeParse({ ...good, ...field }).success]).toEqual([
      field,
      false,
    ]);
});

test('names keep their letters and pictures and lose what would spoil a line', () => {
  const read = C2bConfirmation.parse({
    ...good,
    FirstName: 'Wanj\u0000iru\u202E\n',
    MiddleName: 'مريم 👩‍🌾',
    LastName: 'x'.repeat(300),
    BillRefNumber: `a\u0000\u0007${'😀'.repeat(80)}`,
  });
  expect(read.payer_name).toMatch(/^Wanjiru مريم 👩‍🌾 x+$/);
  expect(read.payer_name?.length).toBeLessThanOrEqual(100);
  expect(read.account_typed.length).toBeLessThanOrEqual(100);
  expect(read.account_typed.isWellFormed()).toBe(true);
  expect(read.account_typed.startsWith('a😀')).toBe(true);
});

test('the payer is known by a clear number, by a hash, or not for certain', () => {
  const hash = 'ab'.repeat(32);
  expect(payerFrom('254700000004')).toEqual({ msisdn: '254700000004' });
  expect(payerFrom('0700 000 004')).toEqual({ msisdn: '254700000004' });
  expect(payerFrom(hash.toUpperCase())).toEqual({ hash });
  expect(payerFrom('2547 ***** 126')).toEqual({ masked: '2547 ***** 126' });
  expect(payerFrom('25470****149')).toEqual({ masked: '25470****149' });
  const masked = `${'a'.repeat(34)} ***** ${'b'.repeat(25)}`;
  expect(payerFrom(masked)).toEqual({ masked });
  expect(payerFrom('')).toEqual({});
  expect(payerFrom('x'.repeat(500)).masked).toHaveLength(100);
});

test('no JSON whatever makes the reading of a confirmation throw', () => {
  const field = fc.oneof(fc.jsonValue(), fc.constantFrom(...Object.values(good)));
  const shape = fc.record(Object.fromEntries(Object.keys(good).map((key) => [key, field])), {
    requiredKeys: [],
  });
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), shape), (value) => {
      const read = C2bConfirmation.safeParse(value);
      if (read.success) {
        expect(read.data.amount_cents > 0n).toBe(true);
        expect(read.data.receipt).toMatch(/^[A-Z0-9]{6,20}$/);
        payerFrom(read.data.msisdn_given);
      }
    }),
  );
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void payerFrom(text)));
});

test('one odd message does not hold the rest of a webhook', () => {
  const value = {
    metadata: { phone_number_id: 42 },
    contacts: [null, { wa_id: '254700000004', profile: { name: 'Kamau\u0000' } }],
    messages: [
      { id: 'wamid.1' },
      7,
      {
        id: 'wamid.2',
        from: '254700000004',
        timestamp: '1700000000',
        type: 'sticker',
        sticker: {},
      },
      { id: 'wamid.3', from: 'KE.abc', type: 'text', text: { body: ' hi\u0000\u202E ' } },
      { id: 'wamid.4', from: '254700000004', errors: [], type: 7 },
    ],
    statuses: [{ id: 'wamid.0', status: 'failed', errors: [{ code: 131026 }] }, 'x'],
  };
  const webhook = WhatsAppWebhook.parse({
    object: 'whatsapp_business_account',
    entry: [
      {
        id: '1',
        changes: [
          { value, field: 'messages' },
          { value: 'odd', field: 'other' },
        ],
      },
    ],
  });
  const bare = { object: '', entry: [{ changes: [{ value: { messages: value.messages } }] }] };
  expect(messagesOf(WhatsAppWebhook.parse(bare))).toHaveLength(3);
  expect(messagesOf(webhook)).toMatchObject([
    { id: 'wamid.2', kind: 'sticker', text: null, name: 'Kamau', at: new Date(1_700_000_000_000) },
    { id: 'wamid.3', from: 'KE.abc', text: 'hi', name: null, phone_number_id: '42' },
    { id: 'wamid.4', kind: 'unknown', text: null },
  ]);
  expect(statusesOf(webhook)).toMatchObject([
    { id: 'wamid.0', status: 'failed', error_code: 131026 },
  ]);
});

test('no JSON whatever makes the reading of a webhook throw', () => {
  const value = fc.record({
    metadata: fc.jsonValue(),
    contacts: fc.jsonValue(),
    messages: fc.array(
      fc.record({ id: fc.string(), from: fc.string(), timestamp: fc.jsonValue() }),
    ),
    statuses: fc.jsonValue(),
  });
  const shape = fc.record({
    object: fc.string(),
    entry: fc.array(fc.record({ changes: fc.array(fc.record({ value })) })),
  });
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), shape), (given) => {
      const read = WhatsAppWebhook.safeParse(given);
      if (!read.success) return;
      messagesOf(read.data);
      statusesOf(read.data);
    }),
  );
});
