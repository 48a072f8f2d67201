import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readOrder } from '../../src/invoices/read-order.ts';

const read = (text: string) => {
  const order = readOrder(text);
  return order && [order.who, order.amount_cents, order.what];
};

test.each([
  ['0712345678 1500 school shoes', '0712345678', 150_000n, 'school shoes'],
  ['0712 345 678 1500 school shoes', '0712 345 678', 150_000n, 'school shoes'],
  ['+254 712 345678 1,500 shoes', '+254 712 345678', 150_000n, 'shoes'],
  ['0712345678 KES 1,500 for school shoes', '0712345678', 150_000n, 'school shoes'],
  ['0712345678 1500 bob 2 pairs of shoes', '0712345678', 150_000n, '2 pairs of shoes'],
  ['CUST-001 1500', 'CUST-001', 150_000n, undefined],
  ['cust 1 1500 viatu', 'cust 1', 150_000n, 'viatu'],
  ['Mary 1500 school shoes', 'Mary', 150_000n, 'school shoes'],
  ['Mary Wanjiku 1.5k', 'Mary Wanjiku', 150_000n, undefined],
  ['Mary ksh 1500 shoes', 'Mary', 150_000n, 'shoes'],
  ['Mary', 'Mary', undefined, undefined],
  ['0712345678', '0712345678', undefined, undefined],
  ['0712345678 school shoes', '0712345678', undefined, 'school shoes'],
  ['Mary 0 shoes', 'Mary', undefined, '0 shoes'],
])('%s', (text, who, amount_cents, what) => {
  expect(read(text)).toEqual([who, amount_cents, what]);
});

test('who is not named is not guessed', () => {
  expect(read('1500 school shoes')).toBeUndefined();
  expect(read('  ')).toBeUndefined();
});

test('whatever somebody writes is read or is not, and no amount is below nothing', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const order = readOrder(text);
      expect(order?.amount_cents ?? 1n).toBeGreaterThan(0n);
    }),
  );
});
