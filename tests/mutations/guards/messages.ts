import type { Guard } from '../guard.ts';

/** A message is queued once, held by one sender, and given up in the end. */
export const messages: Guard[] = [
  {
    guard: 'a message is queued once',
    file: 'migrations/0003_inbox_outbox.sql',
    remove: 'key text not null unique check',
    put: 'key text not null check',
    also: [
      {
        file: 'src/outbox/notify.ts',
        remove: 'on conflict (key) do nothing',
        put: '',
      },
    ],
    test: 'tests/outbox/take.test.ts',
    name: 'the same message is queued once',
  },
  {
    guard: 'a leased message is not leased again',
    file: 'src/outbox/take.ts',
    remove: ' and o.lease_until < now()',
    put: '',
    test: 'tests/outbox/take.test.ts',
    name: 'a person has one message in flight, and the next when it has ended',
  },
  {
    guard: "a killed sender's message is leased by another",
    file: 'src/outbox/take.ts',
    remove: "or (o.state = 'sending' and",
    put: 'or (false and',
    test: 'tests/outbox/take.test.ts',
    name: 'a person has one message in flight, and the next when it has ended',
  },
  {
    guard: 'a message committed late waits for the one in flight',
    file: 'src/outbox/take.ts',
    remove: 'and other.lease_until >= now()',
    put: 'and false',
    test: 'tests/outbox/take.test.ts',
    name: 'a message committed late does not join the one in flight',
  },
  {
    guard: 'two senders never hold the same message',
    file: 'src/outbox/take.ts',
    remove: 'for update of o skip locked\n    ), leased as',
    put: '), leased as',
    test: 'tests/outbox/take.test.ts',
    name: 'two senders at once never hold the same message',
  },
  {
    guard: 'who lost the lease records nothing',
    file: 'src/outbox/take.ts',
    remove: ' and o.attempts = r.attempts',
    put: '',
    test: 'tests/outbox/take.test.ts',
    name: 'whoever lost the lease records nothing',
  },
  {
    guard: 'what may have been sent is repeated three times at most',
    file: 'src/outbox/take.ts',
    remove: 'const most_doubts = 4;',
    put: 'const most_doubts = 40;',
    test: 'tests/outbox/take.test.ts',
    name: 'what was not sent is tried for a day, what may have been sent four times, a refusal once',
  },
  {
    guard: 'what was refused is not sent again',
    file: 'src/outbox/take.ts',
    remove: "when r.outcome = 'never'",
    put: 'when false',
    test: 'tests/outbox/take.test.ts',
    name: 'what was not sent is tried for a day, what may have been sent four times, a refusal once',
  },
  {
    guard: 'what was not sent is given up after a day',
    file: 'src/outbox/take.ts',
    remove: "const given_up_after = '1 day';",
    put: "const given_up_after = '9 days';",
    test: 'tests/outbox/take.test.ts',
    name: 'what was not sent is tried for a day, what may have been sent four times, a refusal once',
  },
];
