import { createHash } from 'node:crypto';
import { eatDate } from '../base/clock.ts';

const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const numbers_a_day = 36n ** 7n;
// Shares no factor with 36^7, so every number has a receipt of its own, far from its neighbour's.
const scatter = 48_271_046_233n;

/** A receipt such as "TKL4A1B2C3": year, month, day, then the number in no visible order. */
export function receiptFor(number: number, at: Date): string {
  const [year = 0, month = 1, day = 1] = eatDate(at).split('-').map(Number);
  const date = letter((year - 2006) % 26) + letter(month - 1) + (digits[day] ?? '0');
  let rest = (BigInt(number) * scatter) % numbers_a_day;
  let code = '';
  for (let place = 0; place < 7; place += 1) {
    code = (digits[Number(rest % 36n)] ?? '0') + code;
    rest /= 36n;
  }
  return date + code;
}

/** WhatsApp's id of a message, such as "wamid.HBgM…". */
export function wamidFor(number: number, phone: string): string {
  return `wamid.HBgM${Buffer.from(`${phone}:${number}`).toString('base64').replaceAll('=', '')}`;
}

/** Africa's Talking's id of an SMS, such as "ATXid_0b5e…". */
export function smsIdFor(number: number): string {
  return `ATXid_${createHash('sha256').update(`sms:${number}`).digest('hex').slice(0, 32)}`;
}

function letter(index: number): string {
  return String.fromCodePoint(65 + index);
}
