import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PulledPayment } from '../../src/daraja/pull-payloads.ts';
import { StatusResult } from '../../src/daraja/status-payloads.ts';
import { bodyOf } from '../../src/payments/pulled.ts';
import { oddJson, oddText, runs } from './arbitraries.ts';

// M-Pesa's answers to our questions, and what they might be: read, or refused, and never thrown.

const storable = (text: string) =>
  text.isWellFormed() && !/[\p{Cc}\u202A-\u202E]/u.test(text) && text.length <= 100;

const odd = fc.oneof(
  oddText,
  fc.constantFrom<unknown>(null, true, -1, 1e21, [], {}, '0.00', '5.001'),
);
const or = (...known: unknown[]) =>
  fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...known) }, { weight: 1, arbitrary: odd });

const items = fc.record(
  {
    transactionId: or('yzlyrEsRG1', 'TKL4A1B2C3'),
    trxDate: or('2020-08-05T10:13:00Z', '2020-08-05 10:13:00', '2020-08-05T10:13:00.123+0300'),
    msisdn: or(722_000_000, '254722000000', '2547 ***** 126', null),
    sender: or('UAT2', 'KAMAU', '', null),
    transactiontype: or('c2b-pay-bill-debit', 'c2b-buy-goods-debit', null),
    billreference: or('37207636392', 37_207_636_392, 'INV 1', ''),
    amount: or('168.00', 168, '1.5'),
  },
  { requiredKeys: ['transactionId', 'trxDate', 'amount'] },
);

test('any item of a pull is a payment whose every part can be stored, or is refused', () => {
  let understood = 0;
  fc.assert(
    fc.property(fc.oneof(items, oddJson), (item) => {
      const read = PulledPayment.safeParse(item);
      // What is kept is text, and the same for the same item.
      expect(bodyOf('600000', item)).toBe(bodyOf('600000', item));
      if (!read.success) return;
      understood += 1;
      const it = read.data;
      expect(it.receipt).toMatch(/^[A-Z0-9]{6,20}$/);
      expect(it.amount_cents > 0n && it.amount_cents < 10n ** 15n).toBe(true);
      expect(it.paid_at.getUTCFullYear()).toBeLessThan(2100);
      for (const text of [it.msisdn_given, it.account_typed, it.payer_name ?? ''])
        expect(storable(text)).toBe(true);
    }),
    runs(500),
  );
  expect(understood).toBeGreaterThan(100);
});

const parameter = fc.record(
  {
    Key: or('Amount', 'ReceiptNo', 'Receipt No', 'TransactionStatus', 'DebitPartyName'),
    Value: or('500.00', 500, 'TKL4A1B2C3', 'Completed', '254722000000 - JANE', '600000 - Shop'),
  },
  { requiredKeys: ['Key'] },
);
const parameters = fc.oneof(
  fc.constantFrom<unknown>(undefined, null, 'none'),
  fc.record({ ResultParameter: fc.oneof(fc.array(parameter), parameter, fc.constant(null)) }),
);

test('any result is read for what it says, or is refused', () => {
  let understood = 0;
  const results = fc.record({
    Result: fc.record({ ResultCode: or(0, '0', 2032, 'R000002'), ResultParameters: parameters }),
  });
  fc.assert(
    fc.property(fc.oneof(results, oddJson), (body) => {
      const read = StatusResult.safeParse(body);
      if (!read.success) return;
      understood += 1;
      expect(read.data.code).toMatch(/^\w{1,20}$/);
      expect(read.data.receipt ?? 'TKL4A1B2C3').toMatch(/^[A-Z0-9]{6,20}$/);
      expect(storable(read.data.payer?.name ?? '')).toBe(true);
    }),
    runs(500),
  );
  expect(understood).toBeGreaterThan(100);
});

test('older spellings, a single parameter and a key that is there twice are understood', () => {
  const result = (ResultParameter: unknown) =>
    StatusResult.parse({ Result: { ResultCode: 0, ResultParameters: { ResultParameter } } });
  expect(
    result([
      { Key: 'Receipt No', Value: 'tkl4a1b2c3' },
      { Key: 'TransactionStatus', Value: 'Completed ' },
      { Key: 'Debit Party Name', Value: '600000 - Shop' },
      { Key: 'Debit Party Name', Value: '254722000000 - JANE WANJIKU' },
      { Key: 'Amount', Value: 500 },
      { Key: 'TransactionReason' },
    ]),
  ).toEqual({
    code: '0',
    receipt: 'TKL4A1B2C3',
    amount_cents: 50_000n,
    state: 'completed',
    payer: { msisdn_given: '254722000000', name: 'JANE WANJIKU' },
  });
  expect(result({ Key: 'BOCompletedTime', Value: 20_261_120_143_000 })).toMatchObject({
    code: '0',
    state: '',
  });
});
