import { pino } from 'pino';

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
 * The one log. Fields carry identifiers in snake_case: ids of rows and persons, never a number or a
 * body. Secrets never get here, and those that would are cut.
 */
export const log = pino({
  level: process.env['LOG_LEVEL'] ?? 'info',
  base: null,
  timestamp: pino.stdTimeFunctions.isoTime,
  redact: { paths: secret_fields.flatMap((f) => [f, `*.${f}`]), censor: '[cut]' },
});
