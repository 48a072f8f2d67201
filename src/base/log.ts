import { pino } from 'pino';
import { isMsisdn, maskedPhone } from './phone.ts';

const secret_fields = [
  'secret',
  'token',
  'authorization',
  'password',
  'passkey',
  'pin',
  'code_typed',
];

/**
 * The one log. Fields carry identifiers in snake_case; phone numbers are masked by `phone()`,
 * secrets never get here, and those that would are cut.
 */
export const log = pino({
  level: process.env['LOG_LEVEL'] ?? 'info',
  base: null,
  timestamp: pino.stdTimeFunctions.isoTime,
  redact: { paths: secret_fields.flatMap((f) => [f, `*.${f}`]), censor: '[cut]' },
});

/** A phone number or WhatsApp id as it may stand in a log. */
export function phone(address: string): string {
  return isMsisdn(address) ? maskedPhone(address) : `${address.slice(0, 4)}xxx`;
}
