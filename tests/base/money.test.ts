import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  centsFromDecimal,
  centsFromTyped,
  saidWithAmount,
  decimalFromCents,
  moneyWords,
  shortMoney,
} from '../../src/base/money.ts';

test('an amount survives the way out and back', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -100_000_000_000_000n, max: 100_000_000_000_000n }), (cents) => {
      expect(centsFromDecimal(decimalFromCents(cents))).toBe(cents);
    }),
  );
});

test('an amount is read exactly or not at all', () => {
  expect(centsFromDecimal('1500')).toBe(150_000n);
  expect(centsFromDecimal('0.5')).toBe(50n);
  expect(centsFromDecimal('-2.05')).toBe(-205n);
  for (const wrong of ['', '1.005', '1e3', '1,500', ' 1', '1.', '.5', 'NaN', 'Infinity', '٣']) {
    expect(centsFromDecimal(wrong)).toBeUndefined();
  }
});

test.each([
  ['1500', 150_000n],
  ['1,500', 150_000n],
  ['Ksh 1500/=', 150_000n],
  ['KES1,500.50', 150_050n],
  ['1.5K', 150_000n],
  ['2k', 200_000n],
  ['500 bob', 50_000n],
  ['shilingi 200', 20_000n],
  ['ksh.300', 30_000n],
])('"%s" as people type it', (typed, cents) => {
  expect(centsFromTyped(typed)).toBe(cents);
});

test.each(['', 'pesa', '1,50', '1.234', '-5', '15,00', '5 6x', '1.5.5'])(
  '"%s" is no amount',
  (typed) => {
    expect(centsFromTyped(typed)).toBeUndefined();
  },
);

test('amounts in words', () => {
  expect(moneyWords('1500.00', false)).toBe('KES 1,500.00');
  expect(moneyWords('123456789.05', false)).toBe('KES 123,456,789.05');
  expect(moneyWords('-0.05', false)).toBe('KES -0.05');
  expect(moneyWords('0500', true)).toBe('KES 500');
  expect(moneyWords('-0.00', true)).toBe('KES 0');
  expect(moneyWords('1,500', true)).toBeUndefined();
  expect(shortMoney(150_000n)).toBe('KES 1,500');
  expect(shortMoney(150_050n)).toBe('KES 1,500.50');
});

test.each([
  ['CUST-002 1,000', 'CUST-002', 100_000n],
  ['INV-20260203-0001: Ksh 500/=', 'INV-20260203-0001', 50_000n],
  ['CUST 002 = 1.5k', 'CUST 002', 150_000n],
  ['Mary Njeri 200 shillings', 'Mary Njeri', 20_000n],
])('%s says whom, and ends with how much', (text, said, cents) => {
  expect(saidWithAmount(text)).toEqual({ said, cents });
});

test.each(['CUST-002', '1000', 'CUST-002 1,00', ''])('%j ends with no amount', (text) => {
  expect(saidWithAmount(text)).toBeUndefined();
});
