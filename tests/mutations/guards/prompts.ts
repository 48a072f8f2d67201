import type { Guard } from '../guard.ts';

/** A phone is asked once, M-Pesa's word is checked, and people decide once. */
export const prompts: Guard[] = [
  {
    guard: 'a prompt whose sender died is not sent again',
    file: 'src/payments/send-prompts.ts',
    remove: "set state = 'unknown', lease_until = null, look_at = now()",
    put: "set state = 'waiting', lease_until = null, look_at = now()",
    also: [
      {
        file: 'src/payments/send-prompts.ts',
        remove: '+ ${silent_for}::interval\n    where',
        put: "- interval '1 second' * length(${silent_for})\n    where",
      },
    ],
    test: 'tests/payments/prompts.test.ts',
    name: 'whoever dies while sending has perhaps sent: it is not sent again',
  },
  {
    guard: 'a prompt whose answer was lost is not sent again',
    file: 'src/payments/send-prompts.ts',
    remove: "state = ${again ? 'waiting' : 'unknown'}",
    put: "state = ${again || attempts > 0 ? 'waiting' : 'unknown'}",
    test: 'tests/payments/prompts.test.ts',
    name: 'an answer that was lost is not asked for again, and the callback finds its prompt',
  },
  {
    guard: 'a due is asked for once at a time',
    file: 'migrations/0015_prompts.sql',
    remove: 'create unique index prompts_one_open',
    put: 'create index prompts_one_open',
    also: [
      {
        file: 'src/payments/ask.ts',
        remove: 'if (there) return there;',
        put: 'void there;',
      },
    ],
    test: 'tests/payments/prompts.test.ts',
    name: 'who asks again is shown what is on the phone; of two at once there is one',
  },
  {
    guard: 'the same amount waits two minutes',
    file: 'src/payments/ask.ts',
    remove: "if (await paidJustNow(tx, it)) throw new Refusal('same_again');",
    put: 'void paidJustNow;',
    test: 'tests/payments/prompts.test.ts',
    name: 'the same amount from the same phone waits two minutes',
  },
  {
    guard: 'a result at the address of another prompt ends neither',
    file: 'src/payments/stk-callbacks.ts',
    remove: 'prompt.checkout_id !== null && prompt.checkout_id !== it.checkout_id',
    put: 'prompt.id < 0n',
    test: 'tests/payments/prompts.test.ts',
    name: 'a result at the address of another prompt ends neither',
  },
  {
    guard: 'a callback alone verifies nothing',
    file: 'src/payments/look-up-prompts.ts',
    remove: "const proven = typeof looked === 'object' && looked.code === '0';",
    put: "const proven = typeof looked === 'object';",
    test: 'tests/payments/prompts.test.ts',
    name: 'a payment that M-Pesa denies is not confirmed, and the admins are told',
  },
  {
    guard: 'a payment follows its prompt to another due',
    file: 'src/payments/receive.ts',
    remove: 'await followPrompts(tx, dues, repeats);',
    put: 'void followPrompts;',
    test: 'tests/payments/prompts-of-tills.test.ts',
    name: 'a payment that was matched by its payer moves to the due of its prompt',
  },
  {
    guard: 'what M-Pesa took back pays nothing',
    file: 'src/payments/assign.ts',
    remove: "if (payment.reversed || payment.left_cents === 0n) throw new Refusal('over');",
    put: '',
    test: 'tests/payments/unmatched.test.ts',
    name: 'an unmatched payment that M-Pesa takes back waits no more',
  },
  {
    guard: 'of credit that went back only what was used counts',
    file: 'src/payments/reverse.ts',
    remove: 'const used = await trade.used(tx, rows);',
    put: 'const used = rows.map((row) => row.amount_cents);',
    test: 'tests/payments/unmatched.test.ts',
    name: 'of credit that M-Pesa takes back only what was used stays, and no more of it is used',
  },
  {
    guard: 'what breaks a limit waits for a person',
    file: 'src/payments/receive.ts',
    remove: 'await flagOverLimit(tx, payments, limits)',
    put: '(await flagOverLimit(tx, payments, limits), payments)',
    test: 'tests/payments/limits.test.ts',
    name: 'what is above the limit of a payment is refused, and kept aside when it comes',
  },
];
