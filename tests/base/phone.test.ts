import { expect, test } from 'vitest';
import { localPhone, maskedPhone, msisdnFrom, msisdnHash } from '../../src/base/phone.ts';

test.each([
  '0722000000',
  '722000000',
  '+254722000000',
  '254 722 000 000',
  '0722-000-000',
  '(0722) 000000',
])('%s is 254722000000', (typed) => {
  expect(msisdnFrom(typed)).toBe('254722000000');
});

test.each(['0110123456', '+254110123456'])('%s is a number of the 01 range', (typed) => {
  expect(msisdnFrom(typed)).toBe('254110123456');
});

test.each([
  '',
  '12345',
  '2547 ***** 126',
  '25470****149',
  'a'.repeat(64),
  '+255722000000',
  '0202000000',
  '07220000000',
  '0722 000 00O',
])('"%s" is no Kenyan mobile number', (typed) => {
  expect(msisdnFrom(typed)).toBeUndefined();
});

test('numbers as people see them', () => {
  expect(localPhone('254722000004')).toBe('0722000004');
  expect(maskedPhone('254722000004')).toBe('0722xxx004');
  expect(msisdnHash('254711000002')).toMatch(/^[0-9a-f]{64}$/);
});
