import { createHash } from 'node:crypto';
import { parsePhoneNumberFromString } from 'libphonenumber-js/min';

// A Kenyan mobile number in M-Pesa's form.
const msisdn = /^254[17]\d{8}$/;

/**
 * A Kenyan mobile number however it was typed (0722…, +254 722…, 722…) as 254XXXXXXXXX.
 * Undefined when it is not one; masked and hashed numbers are not.
 */
export function msisdnFrom(text: string): string | undefined {
  if (!/^[+(\d][\d\s().-]{7,20}$/.test(text.trim())) return undefined;
  // Dialled from abroad it begins with 00, which libphonenumber takes for 000 as in Kenya.
  const digits = text.replace(/\D/g, '').replace(/^00(?=254)/, '');
  if (msisdn.test(digits)) return digits;
  const number = parsePhoneNumberFromString(digits, 'KE')?.number.slice(1);
  return number !== undefined && msisdn.test(number) ? number : undefined;
}

/** "0722000000", as people in Kenya write it. */
export function localPhone(number: string): string {
  return msisdn.test(number) ? `0${number.slice(3)}` : number;
}

/** "0722xxx004": without the star, which is bold on WhatsApp and a key on USSD. */
export function maskedPhone(number: string): string {
  const local = localPhone(number);
  return local.length < 8 ? 'xxx' : `${local.slice(0, 4)}xxx${local.slice(-3)}`;
}

/** The number as C2B v1 sends it: SHA-256 of 254XXXXXXXXX in lower-case hex. */
export function msisdnHash(number: string): string {
  return createHash('sha256').update(number).digest('hex');
}
