import type { Guard } from '../guard.ts';

const staff = 'tests/people/staff.test.ts';
const merge = 'tests/people/merge.test.ts';
const number = 'tests/people/number.test.ts';

const never_own =
  'who asked never approves, on whatever channel, nor whom it is about; on USSD another does';
const added =
  'a cashier is added by two admins: one asks, another approves with a code, all are told';
const at_once = 'of two who decide at once one wins, and the other hears that it is decided';
const configured =
  'admins of the configuration are removed only there, and the last admin not at all';
const for_admins = 'codes are made for admins alone';
const is_one = 'two who are one have all that either had, and the books do not move';
const no_role_by_merge =
  'nobody comes to a role by a merge: whoever works here is not merged, in chat or by command';
const old_ids = 'what is told to an old id reaches who goes on, and nobody is merged twice';
const alike = 'an unknown number, one that works here, and a known one are answered alike';
const guessing =
  'guessing ends with the fifth wrong code, and a number in use is not changed but merged';

/** Four eyes over people: who may decide, codes that are good once, and numbers that move. */
export const people: Guard[] = [
  {
    guard: 'people: who asked does not approve',
    file: 'src/people/decide.ts',
    remove: "  if (request.asked_by === by) throw new Refusal('own_request');\n",
    put: '',
    test: staff,
    name: never_own,
  },
  {
    guard: 'people: whom it is about does not approve',
    file: 'src/people/decide.ts',
    remove: 'if (request.person_id === by || request.other_id === by)',
    put: 'if (false)',
    test: staff,
    name: never_own,
  },
  {
    guard: 'people: the database refuses that one person asks and decides',
    file: 'migrations/0023_people.sql',
    remove:
      '  check (decided_by <> asked_by and decided_by <> person_id and decided_by <> other_id),\n',
    put: '',
    test: staff,
    name: never_own,
  },
  {
    guard: 'people: who decides is an admin at that moment',
    file: 'src/people/decide.ts',
    remove: "  if (!admins.includes(by)) throw new Refusal('not_allowed');\n",
    put: '',
    test: staff,
    name: 'a role that is taken is gone from the next message on, in the middle of a conversation too',
  },
  {
    guard: 'people: a request is decided once',
    file: 'src/people/requests.ts',
    remove: "where id = ${id} and state = 'waiting' and expires_at > now() for update",
    put: 'where id = ${id} for update',
    test: staff,
    name: at_once,
  },
  {
    guard: 'people: a one-time code is good once',
    file: 'src/people/one-time-codes.ts',
    remove: 'where person_id = ${person_id} and last_step < ${step}',
    put: 'where person_id = ${person_id}',
    test: staff,
    name: added,
  },
  {
    guard: 'people: wrong codes lock',
    file: 'src/people/one-time-codes.ts',
    remove: 'if (row.locked_minutes !== null && row.locked_minutes > 0) {',
    put: 'if (row.generation < 0) {',
    test: staff,
    name: 'five wrong codes lock them for a while, whatever the channel, and the admins are told',
  },
  {
    guard: 'people: a code that answers a question is in no row',
    file: 'src/conversation/turn.ts',
    remove: 'awaits_secret = ${session !== undefined && awaitsSecret(flows, session)},',
    put: 'awaits_secret = false,',
    test: staff,
    name: added,
  },
  {
    guard: 'people: a code is not taken by SMS',
    file: 'src/conversation/sms.ts',
    remove: 'if (meant.secret) {',
    put: 'if (meant.over) {',
    test: staff,
    name: added,
  },
  {
    guard: 'people: codes are made for admins alone',
    file: 'src/people/one-time-codes.ts',
    remove: "  if (!roles.includes('admin')) throw new Refusal('not_admin');\n",
    put: '',
    test: staff,
    name: for_admins,
  },
  {
    guard: 'people: an admin by the configuration is removed only there',
    file: 'src/people/requests.ts',
    remove:
      "  if (it.kind === 'revoke' && by_configuration) throw new Refusal('by_configuration');\n",
    put: '',
    test: staff,
    name: configured,
  },
  {
    guard: 'people: the last admin stays',
    file: 'src/people/requests.ts',
    remove: "it.kind === 'revoke' && it.role === 'admin' && holders === 1",
    put: 'holders < 0',
    test: staff,
    name: configured,
  },
  {
    guard: 'people: a merge gives nobody a role',
    file: 'src/people/requests.ts',
    remove: "  if (rows.length > 0) throw new Refusal('works_here');\n",
    put: '',
    test: merge,
    name: no_role_by_merge,
  },
  {
    guard: 'people: a merge gives nobody a role that came after it was asked for',
    file: 'src/people/decide.ts',
    remove: "if (kind === 'merge') return mayBecomeOne(tx, [person_id, it.other_id ?? person_id]);",
    put: "if (kind === 'merge') return;",
    test: merge,
    name: no_role_by_merge,
  },
  {
    guard: 'people: customers go with who is merged',
    file: 'src/customers/belongings.ts',
    remove: 'where person_id = ${other}`.execute(tx);',
    put: 'where person_id = ${other} and false`.execute(tx);',
    test: merge,
    name: is_one,
  },
  {
    guard: 'people: prompts go with who is merged',
    file: 'src/payments/belongings.ts',
    remove: 'where p.person_id = ${other} and (',
    put: 'where p.person_id = ${other} and false and (',
    test: merge,
    name: is_one,
  },
  {
    guard: 'people: nobody is merged twice',
    file: 'src/people/become-one.ts',
    remove: 'rows.length < 2 || rows.some((row) => row.merged_into !== null)',
    put: 'rows.length < 2',
    test: merge,
    name: old_ids,
  },
  {
    guard: 'people: the oldest ids lead to who goes on',
    file: 'src/people/become-one.ts',
    remove: 'where merged_into = ${other}',
    put: 'where merged_into = ${other} and false',
    test: merge,
    name: old_ids,
  },
  {
    guard: 'people: what is told to an old id reaches who goes on',
    file: 'src/outbox/notify.ts',
    remove: 'coalesce((select merged_into from people p where p.id = m.person_id), m.person_id)',
    put: 'm.person_id',
    test: merge,
    name: old_ids,
  },
  {
    guard: 'people: of who works here no code moves the number',
    file: 'src/people/number-proof.ts',
    remove: ' || (await isStaff(tx, old.person_id))',
    put: '',
    test: number,
    name: alike,
  },
  {
    guard: 'people: a code for an old number is guessed five times at most',
    file: 'src/people/number-proof.ts',
    remove: 'ended_at = case when tries + 1 >= ${most_tries} then now() end',
    put: 'ended_at = null',
    test: number,
    name: guessing,
  },
  {
    guard: 'people: a number with an account of its own is no new number',
    file: 'src/people/change-number.ts',
    remove: "    throw new Refusal('own_account');\n",
    put: '',
    test: number,
    name: guessing,
  },
];
