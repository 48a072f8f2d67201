import { randomBytes } from 'node:crypto';

// Words that Daraja forbids anywhere in a callback address, whatever their case.
const forbidden_in_addresses = /mpesa|m-pesa|safaricom|exe|cmd|sql|query/i;

/** Whether Daraja would take an address with this in it. */
export function allowedInAddress(text: string): boolean {
  return !forbidden_in_addresses.test(text);
}

/** An unguessable part of an address: 160 random bits, without a word that Daraja forbids. */
export function newAddressSecret(): string {
  for (;;) {
    const secret = randomBytes(20).toString('base64url').replace(/[-_]/g, 'x');
    if (allowedInAddress(secret)) return secret;
  }
}

/** A key for encryption and keyed hashes: 256 random bits as hex. */
export function newKey(): string {
  return randomBytes(32).toString('hex');
}
