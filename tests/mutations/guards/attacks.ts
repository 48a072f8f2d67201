import type { Guard } from '../guard.ts';

const chat = 'tests/attacks/chat.test.ts';
const api = 'tests/attacks/api.test.ts';
const callbacks = 'tests/attacks/callbacks.test.ts';

/** What keeps those off who mean to see or move what is not theirs. */
export const attacks: Guard[] = [
  {
    guard: 'a flow opens to those who have its role',
    file: 'src/flow/begin.ts',
    remove: '  if (!hasRole(place)) {',
    put: '  if (false) {',
    test: chat,
    name: 'a customer writes what admins and others write, and gets nothing of it',
  },
  {
    guard: 'a role that was taken away ends what it had opened',
    file: 'src/flow/step.ts',
    remove: 'if (!isStillOpen(standing)) return noMore(standing, heard, session_id);',
    put: '',
    test: chat,
    name: 'a role that is taken away ends what it had opened, wherever that stands',
  },
  {
    guard: 'a dial does not show again what a role had opened',
    file: 'src/flow/step.ts',
    remove: "if (!isStillOpen(standing)) return noMore(standing, '', session_id);",
    put: '',
    test: 'tests/flow/taps.test.ts',
    name: 'a role that is gone ends what it had opened, by a tap, a word and a dial',
  },
  {
    guard: 'an answer is for one’s own question',
    file: 'src/conversation/questions.ts',
    remove: 'where q.person_id = ${actor.id} and q.asked_at is not null and (',
    put: 'where q.asked_at is not null and (',
    test: chat,
    name: 'what is refused is logged and counted, without a name or a number',
  },
  {
    guard: 'what is refused leaves a line in the log',
    file: 'src/conversation/turn.ts',
    remove: 'if (not_allowed) logRefused({ ...heard, ...not_allowed });',
    put: '',
    test: chat,
    name: 'what is refused is logged and counted, without a name or a number',
  },
  {
    guard: 'who writes too often is not answered each time',
    file: 'src/conversation/refusals.ts',
    remove: 'if (refusals === 0 || isStop(it.input)) return undefined;',
    put: 'if (refusals >= 0) return undefined;',
    test: chat,
    name: 'who writes faster than anybody can is told so once, and others are not kept waiting',
  },
  {
    guard: 'STOP is heard however often somebody writes',
    file: 'src/conversation/refusals.ts',
    remove: 'if (refusals === 0 || isStop(it.input)) return undefined;',
    put: 'if (refusals === 0) return undefined;',
    test: chat,
    name: 'who writes faster than anybody can is told so once, and others are not kept waiting',
  },
  {
    guard: 'others do not press a phone for money',
    file: 'src/payments/ask.ts',
    remove: 'if (it.asked_by !== it.person_id && (await hadEnough(tx, it))) {',
    put: 'if (false) {',
    test: api,
    name: 'a phone that never asked is not asked again and again, and never for what is not owed',
  },
  {
    guard: 'a key is of the token that used it',
    file: 'src/web/api/once.ts',
    remove: 'from api_requests where token_id = ${token.id} and key = ${key}',
    put: 'from api_requests where key = ${key}',
    test: api,
    name: 'under the key of another token nothing is heard, and nothing repeated',
  },
  {
    guard: 'a callback at an address with a wrong token is none',
    file: 'src/payments/stk-callbacks.ts',
    remove: 'by_token ? p.token === row.subject : p.checkout_id === it.checkout_id,',
    put: 'p.token === row.subject || p.checkout_id === it.checkout_id,',
    test: callbacks,
    name: 'a prompt that was not paid is paid by no callback that is made up',
  },
  {
    guard: 'a callback that can never be worked through holds none behind it',
    file: 'src/inbox/take.ts',
    remove: 'why instanceof Hopeless ? 1 : most_attempts',
    put: 'most_attempts',
    test: callbacks,
    name: 'a prompt that was not paid is paid by no callback that is made up',
  },
  {
    guard: 'M-Pesa’s yes proves the amount that was asked for, and no other',
    file: 'src/payments/look-up-prompts.ts',
    remove: 'and p.amount_cents = t.amount_cents',
    put: '',
    test: callbacks,
    name: 'a prompt that was not paid is paid by no callback that is made up',
  },
];
