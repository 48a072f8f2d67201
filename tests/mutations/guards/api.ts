import type { Guard } from '../guard.ts';

const door = 'tests/web/api/door.test.ts';
const once = 'tests/web/api/once.test.ts';
const lists = 'tests/web/api/lists.test.ts';

/** What other software may see and do, and that it is done once. */
export const api: Guard[] = [
  {
    guard: 'a token opens what its scopes say',
    file: 'src/web/api/door.ts',
    remove: 'token.scopes.includes(scope)',
    put: 'true',
    test: door,
    name: 'every address opens to a token with its scope, and to no other',
  },
  {
    guard: 'a revoked token opens nothing',
    file: 'src/web/api/tokens.ts',
    remove: 'and t.revoked_at is null',
    put: '',
    test: door,
    name: 'a token that is revoked opens nothing from that moment on',
  },
  {
    guard: 'a token ends with the role of its person',
    file: 'src/web/api/tokens.ts',
    remove: "and r.role = 'admin'\n    where t.hash",
    put: 'where t.hash',
    test: door,
    name: 'a token is good while its person is an admin',
  },
  {
    guard: 'who guesses tokens is stopped',
    file: 'src/web/api/door.ts',
    remove: 'strangers.take(source);',
    put: '',
    test: door,
    name: 'who tries what is no token is soon not heard any more, not even with a good one',
  },
  {
    guard: 'a token asks so often at most',
    file: 'src/web/api/door.ts',
    remove: 'notTooOften(await tokenWaits(db, token));',
    put: '',
    test: door,
    name: 'a token that asks too often waits, at whichever process, and another does not',
  },
  {
    guard: 'an address asks so often at most',
    file: 'src/web/api/door.ts',
    remove: 'notTooOften(addresses.take(source));',
    put: '',
    test: door,
    name: 'an address that asks too often waits, whatever tokens it has',
  },
  {
    guard: 'a key is answered as the first time',
    file: 'src/web/api/once.ts',
    remove: 'if (earlier) return { kept: earlier, again: true };',
    put: '',
    test: once,
    name: 'the same key and body get the first answer byte for byte, whatever has happened since',
  },
  {
    guard: 'another body under a key is refused',
    file: 'src/web/api/once.ts',
    remove: 'if (errors.length > 0)',
    put: 'if (false)',
    test: once,
    name: 'another body under the same key is refused, and the field that differs is named',
  },
  {
    guard: 'of two at once one runs',
    file: 'src/web/api/once.ts',
    remove: 'if (!rows[0]?.free)',
    put: 'if (false)',
    test: once,
    name: 'while the first is under way the second does not run',
  },
  {
    guard: 'a refusal undoes the work and is recorded',
    file: 'src/web/api/once.ts',
    remove: 'if (!(no instanceof Problem)) throw error;',
    put: 'throw error;',
    test: once,
    name: 'a refusal is an answer too: it undoes the work, and a new key tries anew',
  },
  {
    guard: 'a page begins after the row that ended the last',
    file: 'src/web/api/payments.ts',
    remove: "interval '1 microsecond', ${place[1]}::bigint)",
    put: "interval '1 microsecond', 0)",
    test: lists,
    name: 'a list goes on where it was, whatever comes meanwhile',
  },
  {
    guard: 'what means something to LIKE is a letter',
    file: 'src/web/api/fields.ts',
    remove: ".replace(/[\\\\%_]/g, '\\\\$&')",
    put: '',
    test: lists,
    name: 'payments are found by phone, amount, time, status, due and text',
  },
];
