import { beforeEach, expect, test } from 'vitest';
import { isStk, openPromptHouse } from '../helpers/prompts.ts';
import { confirmation } from '../helpers/confirmation.ts';
import { paymentsOf } from '../helpers/house.ts';
import { trading } from '../helpers/invoices.ts';

// A payment that is asked for on a phone, from the chat to the books.

const kamau = '254700000004';

let house: Awaited<ReturnType<typeof openPromptHouse>>;

beforeEach(async () => {
  house = await openPromptHouse();
  return () => house.close();
});

/** Kamau asks for all of his first invoice, and it is on his phone. */
async function ask(): Promise<void> {
  expect((await house.writes(kamau, 'pay'))[0]).toMatch(/^Pay which\?/);
  expect((await house.writes(kamau, '1'))[0]).toMatch(/^Pay INV-20260203-0001\?/);
  const [words] = await house.writes(kamau, '1');
  expect(words).toBe(
    'Check your phone and enter your M-Pesa PIN to pay KES 5,000 for INV-20260203-0001. We will confirm here.',
  );
  await house.send();
}

test.each(['prompt first', 'confirmation first'] as const)(
  'a prompt that is paid is heard of twice, %s, and pays its due once',
  async (order) => {
    await ask();
    const [shown] = await house.onPhone(kamau);
    expect(shown).toMatchObject({ account: (await house.prompt()).reference });
    const callbacks = await house.answer(kamau, 'pin');
    callbacks.sort((a) => (isStk(a) === (order === 'prompt first') ? -1 : 1));
    await house.deliver(...callbacks, ...callbacks);

    expect(await paymentsOf(house.db)).toEqual(['5000.00 prompt INV-20260203-0001=5000.00']);
    expect(await house.prompt()).toMatchObject({ state: 'paid', result_code: null });
    const told = await house.told();
    expect(told.map((row) => row.template)).toEqual(['payment_full', 'payment_full', 'paid_full']);
    const hearings = await house.db.selectFrom('hearings').select(['source', 'verdict']).execute();
    expect(hearings.map((h) => h.verdict).sort()).toEqual(['first', 'repeat']);
    // A callback alone proves nothing: M-Pesa is asked.
    expect(await house.db.selectFrom('payments').select('verified_by').execute()).toEqual([
      { verified_by: null },
    ]);
    await house.look();
    expect(await house.db.selectFrom('payments').select('verified_by').execute()).toEqual([
      { verified_by: 'stk_query' },
    ]);
    expect(await house.findings()).toEqual([]);
  },
);

test('the confirmation alone is enough: it repeats the reference of its prompt', async () => {
  await ask();
  const callbacks = await house.answer(kamau, 'pin');
  await house.deliver(...callbacks.filter((it) => !isStk(it)));
  expect(await paymentsOf(house.db)).toEqual(['5000.00 prompt INV-20260203-0001=5000.00']);
  expect((await house.prompt()).state).toBe('paid');
});

test('an answer that was lost is not asked for again, and the callback finds its prompt', async () => {
  await house.world.post('/sim/faults', { lost_response: 1 });
  await ask();
  expect(await house.prompt()).toMatchObject({ state: 'unknown', checkout_id: null, attempts: 1 });
  await house.send();
  expect(await house.onPhone(kamau)).toHaveLength(1);
  await house.deliver(...(await house.answer(kamau, 'pin')).filter(isStk));
  expect(await house.prompt()).toMatchObject({ state: 'paid', checkout_id: expect.any(String) });
  expect(await paymentsOf(house.db)).toEqual(['5000.00 prompt INV-20260203-0001=5000.00']);
});

test('what nobody ever hears of again ends with words that leave it open', async () => {
  await house.world.post('/sim/faults', { lost_response: 1 });
  await ask();
  await house.later();
  await house.look();
  expect(await house.prompt()).toMatchObject({ state: 'failed', result_code: 'silent' });
  expect((await house.told()).map((row) => row.template)).toEqual(['prompt_no_answer']);
});

test('whoever dies while sending has perhaps sent: it is not sent again', async () => {
  await house.writes(kamau, 'pay');
  await house.writes(kamau, '1');
  await house.writes(kamau, '1');
  const { id } = await house.prompt();
  // As a process leaves it that is killed before the answer.
  await house.db
    .updateTable('prompts')
    .set({ state: 'sending', attempts: 1, look_at: null, lease_until: new Date(0) })
    .where('id', '=', id)
    .execute();
  await house.send();
  expect((await house.prompt()).state).toBe('unknown');
  expect(await house.onPhone(kamau)).toEqual([]);
});

test('what provably never arrived is sent again, and given up after a while', async () => {
  await house.world.post('/sim/faults', { refuse: 1 });
  await ask();
  expect(await house.prompt()).toMatchObject({ state: 'waiting', attempts: 1 });
  await house.world.post('/sim/faults', { refuse: 0 });
  await house.send();
  expect(await house.onPhone(kamau)).toEqual([]);
  await house.later();
  await house.send();
  expect(await house.prompt()).toMatchObject({ state: 'sent', attempts: 2 });

  await house.db.deleteFrom('prompts').execute();
  house.prompting.shortcodes.get('600000')!.base_url = 'http://127.0.0.1:9';
  await ask();
  for (let tries = 0; tries < 6; tries += 1) {
    await house.later();
    await house.send();
  }
  expect(await house.prompt()).toMatchObject({
    state: 'failed',
    result_code: 'unsent',
    attempts: 6,
  });
  expect((await house.told()).map((row) => row.template)).toEqual(['prompt_unsent']);
});

test.each([
  ['cancel', '1032', 'prompt_cancelled'],
  ['wrong_pin', '2001', 'prompt_wrong_pin'],
  ['insufficient', '1', 'prompt_short_of_money'],
  ['timeout', '1037', 'prompt_no_answer'],
])(
  'a prompt that ends with %s is told in kind words, and can be asked for again',
  async (answer, code, words) => {
    await ask();
    const callbacks = await house.answer(kamau, answer);
    await house.deliver(...callbacks, ...callbacks);
    expect(await house.prompt()).toMatchObject({ state: 'failed', result_code: code });
    expect((await house.told()).map((row) => row.template)).toEqual([words]);
    expect(await paymentsOf(house.db)).toEqual([]);
    await ask();
    expect((await house.prompts()).map((it) => it.state)).toEqual(['failed', 'sent']);
  },
);

test('money that comes after we gave up still counts, and is good news', async () => {
  await ask();
  const paid = await house.answer(kamau, 'pin');
  const { id } = await house.prompt();
  // We asked, and M-Pesa did not know of it yet.
  await house.db.updateTable('prompts').set({ looks: 3, checkout_id: 'ws_CO_none' }).execute();
  await house.later();
  await house.look();
  expect(await house.prompt()).toMatchObject({ id, state: 'failed' });
  await house.deliver(...paid.filter((it) => !isStk(it)));
  expect(await house.prompt()).toMatchObject({ id, state: 'paid' });
  expect((await house.told()).map((row) => row.template)).toEqual([
    'prompt_no_answer',
    'payment_full',
    'payment_full',
    'paid_late',
  ]);
});

test('who cancels and pays by hand with the same account raises no doubt', async () => {
  await ask();
  await house.deliver(...(await house.answer(kamau, 'cancel')));
  const { reference } = await house.prompt();
  const by_hand = confirmation({ BillRefNumber: reference, TransAmount: '5000.00' });
  await house.hook('c2b/confirmation', by_hand);
  await house.drain();
  expect((await house.prompt()).state).toBe('paid');
  await house.later();
  // M-Pesa says rightly that the prompt was cancelled.
  await house.look();
  expect((await house.told()).map((row) => row.template)).toEqual([
    'prompt_cancelled',
    'payment_full',
    'payment_full',
    'paid_late',
  ]);
});

test('silence is asked about: not paid, paid, or still under way', async () => {
  await ask();
  await house.later();
  await house.look();
  // Still on the phone.
  expect(await house.prompt()).toMatchObject({ state: 'sent', looks: 1 });
  await house.answer(kamau, 'cancel');
  await house.later();
  await house.look();
  expect(await house.prompt()).toMatchObject({ state: 'failed', result_code: '1032' });

  await ask();
  await house.answer(kamau, 'pin');
  await house.later();
  await house.look();
  // Paid, and of its receipt nothing is known yet.
  expect((await house.prompt()).state).toBe('confirmed');
  expect((await house.told()).at(-1)).toMatchObject({ template: 'prompt_checking' });
  expect(await paymentsOf(house.db)).toEqual([]);
  // It is not asked for twice.
  await house.writes(kamau, 'pay');
  await house.writes(kamau, '1');
  expect((await house.writes(kamau, '1'))[0]).toMatch(/^We are checking/);
});

test('what M-Pesa says is paid ends at last without its receipt, and the admins are told', async () => {
  await ask();
  await house.answer(kamau, 'pin');
  await house.later();
  await house.look();
  expect((await house.prompt()).state).toBe('confirmed');
  await house.later();
  await house.look();
  expect(await house.prompt()).toMatchObject({ state: 'failed', result_code: 'unseen' });
  expect((await house.told()).slice(-2).map((row) => row.template)).toEqual([
    'prompt_unseen',
    'prompt_unseen',
  ]);
});

test('a prompt for an invoice that was cancelled does not leave', async () => {
  for (const text of ['pay', '2', '1']) await house.writes(kamau, text);
  await trading(house).cancel('INV-20260210-0002');
  await house.send();
  expect(await house.onPhone(kamau)).toEqual([]);
  expect(await house.prompt()).toMatchObject({ state: 'failed', result_code: 'void' });
});

test('who asks again is shown what is on the phone; of two at once there is one', async () => {
  await ask();
  await house.writes(kamau, 'pay');
  await house.writes(kamau, '2');
  expect((await house.writes(kamau, '1'))[0]).toBe(
    'A request for KES 5,000 is already on your phone. Enter your PIN there, or wait 2 minutes for a new one.',
  );
  expect(await house.prompts()).toHaveLength(1);
});

test('the same amount from the same phone waits two minutes', async () => {
  const part = async () => {
    await house.writes(kamau, 'pay');
    await house.writes(kamau, '1');
    await house.writes(kamau, '2');
    return (await house.writes(kamau, '500'))[0];
  };
  expect(await part()).toMatch(/^Check your phone/);
  await house.send();
  await house.deliver(...(await house.answer(kamau, 'pin')));
  expect(await paymentsOf(house.db)).toEqual(['500.00 prompt INV-20260203-0001=500.00']);
  expect(await part()).toMatch(/^M-Pesa wants 2 minutes between equal payments/);
  await house.later();
  expect(await part()).toMatch(/^Check your phone/);
});

test.each([
  ['0', /1 to KES 5,000/],
  ['5001', /1 to KES 5,000/],
  ['10.50', /without cents/],
  ['many', /1 to KES 5,000/],
])('an amount of %s is asked for again', async (amount, words) => {
  await house.writes(kamau, 'pay');
  await house.writes(kamau, '1');
  await house.writes(kamau, '2');
  expect((await house.writes(kamau, amount))[0]).toMatch(words);
  expect(await house.prompts()).toEqual([]);
});

test('a callback without its token is found by its id; one of nobody is kept, and told', async () => {
  await ask();
  const [stk] = (await house.answer(kamau, 'pin')).filter(isStk);
  expect((await house.hook('stk', stk!.body)).status).toBe(200);
  await house.drain();
  expect((await house.prompt()).state).toBe('paid');

  const forged = stk!.body
    .replace(/ws_CO_\w+/, 'ws_CO_forged')
    .replace(/"Value":"\w{10}"/, '"Value":"FORGED0001"');
  expect((await house.hook('stk/guessed-token-0123456789', forged)).status).toBe(200);
  await house.drain();
  expect(await paymentsOf(house.db)).toHaveLength(1);
  expect(
    await house.db
      .selectFrom('inbox')
      .select('state')
      .where('source', '=', 'stk_callback')
      .orderBy('id')
      .execute(),
  ).toEqual([{ state: 'done' }, { state: 'failed' }]);
  expect((await house.told()).at(-1)!.template).toBe('callback_failed');
});

test('a result at the address of another prompt ends neither', async () => {
  await ask();
  const { token } = await house.prompt();
  const [stk] = (await house.answer(kamau, 'cancel')).filter(isStk);
  expect(
    (await house.hook(`stk/${token}`, stk!.body.replace(/ws_CO_\w+/, 'ws_CO_other'))).status,
  ).toBe(200);
  await house.drain();
  expect((await house.prompt()).state).toBe('sent');
});

test('a payment that M-Pesa denies is not confirmed, and the admins are told', async () => {
  await ask();
  const { token, checkout_id } = await house.prompt();
  await house.answer(kamau, 'cancel');
  // Somebody who knows the very address.
  const Item = [
    { Name: 'Amount', Value: 5000 },
    { Name: 'MpesaReceiptNumber', Value: 'FORGED0001' },
    { Name: 'TransactionDate', Value: 20260320101500 },
    { Name: 'PhoneNumber', Value: 254700000004 },
  ];
  const stkCallback = { CheckoutRequestID: checkout_id, ResultCode: 0, CallbackMetadata: { Item } };
  expect((await house.hook(`stk/${token}`, { Body: { stkCallback } })).status).toBe(200);
  await house.drain();
  await house.look();
  expect(await house.db.selectFrom('payments').select('verified_by').execute()).toEqual([
    { verified_by: null },
  ]);
  expect((await house.told()).slice(-2)).toMatchObject([
    { template: 'payment_contradicted', values: { receipt: 'FORGED0001', amount: '5000.00' } },
    { template: 'payment_contradicted' },
  ]);
});

test('on USSD the prompt waits until its screen has gone', async () => {
  expect(await house.keys(kamau, 's1', '')).toMatch(/3 Pay/);
  const before = Date.now();
  await house.keys(kamau, 's1', '3');
  await house.keys(kamau, 's1', '3*1');
  expect(await house.keys(kamau, 's1', '3*1*1')).toMatch(/^END Check your phone/);
  const { look_at } = await house.prompt();
  expect(look_at!.getTime()).toBeGreaterThan(before + 2_000);
  await house.send();
  expect(await house.onPhone(kamau)).toEqual([]);
});

test('who owes nothing, and a WhatsApp without a number, are told how to pay', async () => {
  expect((await house.writes('254700000005', 'lipa'))[0]).toMatch(/^To pay: M-Pesa/);
  await house.db
    .updateTable('addresses')
    .set({ kind: 'whatsapp', value: 'x' })
    .where('value', '=', kamau)
    .where('kind', '=', 'msisdn')
    .execute();
  expect((await house.writes(kamau, 'pay'))[0]).toMatch(/^To pay: M-Pesa/);
});
