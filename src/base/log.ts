import { type DestinationStream, pino } from 'pino';

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
 * Makes a log that writes one JSON object a line, to standard output unless told otherwise. No line
 * has a whole phone number (one that begins with 254, 0 or a plus), the secret of a callback
 * address or the password of a database URL, wherever in it they are: the line is cut as it is
 * written, since what a database or a provider says may quote anything.
 */
export function makeLog(level: string, to?: DestinationStream) {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: secret_fields.flatMap((f) => [f, `*.${f}`]), censor: '[cut]' },
    hooks: { streamWrite: cutLine },
  };
  return to ? pino(options, to) : pino(options);
}

/**
 * The one log. Fields carry identifiers in snake_case: ids of rows and persons, never a number or a
 * body. Secrets never get here, and those that would are cut.
 */
export const log = makeLog(process.env['LOG_LEVEL'] ?? 'info');

/** Logs how often something happens, once a second at most. */
export function tally(what: string): () => void {
  let times = 0;
  return () => {
    times += 1;
    if (times > 1) return;
    const tell = () => {
      log.warn({ times }, what);
      times = 0;
    };
    setTimeout(tell, 1_000).unref();
  };
}

// A text as JSON writes it, or a bare number.
const json_parts = /"(?:[^"\\]|\\.)*"|\d+/g;

const callback_address = /((?:\/|%2f)hooks(?:\/|%2f))[^/\s"\\%?#&]+/gi;
const url_password = /(:\/\/[^:@/\s"\\]*:)[^@/\s"\\]+@/g;

// Numbers as people and providers write them: 254…, 0…, and any that begins with a plus or 00,
// with spaces, dots, dashes or none. JSON writes a line break as \n, so that letter may stand
// before one. What begins otherwise cannot be told from an amount or an id.
const phones = new RegExp(
  [
    String.raw`\+[1-9](?:[ ().-]{0,2}\d){8,14}(?!\d)`,
    String.raw`(?<!\d)(?:00)?254[ .-]?[17](?:[ .-]?\d){8}(?!\d)`,
    String.raw`(?<=[^A-Za-z0-9]|\\[bfnrt])00[ -]?[1-9](?:[ ().-]{0,2}\d){8,14}(?![A-Za-z0-9])`,
    String.raw`(?<=[^A-Za-z0-9]|\\[bfnrt])0[ -]?[17](?:[ ().-]{0,2}\d){8}(?![A-Za-z0-9])`,
  ].join('|'),
  'g',
);
const bare_phone = /^254[17]\d{8}$/;

function cutLine(line: string): string {
  return line.replace(json_parts, (part) => {
    if (!part.startsWith('"')) return bare_phone.test(part) ? `"${masked(part)}"` : part;
    return part
      .replace(callback_address, '$1[cut]')
      .replace(url_password, '$1[cut]@')
      .replace(phones, masked);
  });
}

/** "2547xxxxx126": enough to recognise a number that one knows. */
function masked(phone: string): string {
  const digits = phone.replace(/\D/g, '');
  const plus = phone.startsWith('+') ? '+' : '';
  return `${plus}${digits.slice(0, 4)}${'x'.repeat(digits.length - 7)}${digits.slice(-3)}`;
}
