import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { inTransaction } from '../../src/base/db.ts';
import { ProviderError } from '../../src/base/errors.ts';
import { takeReports } from '../../src/conversation/reports.ts';
import { type Send, sendOutbox } from '../../src/conversation/send.ts';
import { takeOptOuts } from '../../src/conversation/sms.ts';
import { loadMessages } from '../../src/flow/messages.ts';
import { copyUndelivered } from '../../src/outbox/delivery.ts';
import { endLostSms, leaseMessages } from '../../src/outbox/take.ts';
import { notify } from '../../src/outbox/notify.ts';
import { lockPersonAt } from '../../src/people/find.ts';
import { flows_folder } from '../../src/serve.ts';
import { anybodys, cloud_alone, type House, openHouse, postSigned } from '../helpers/house.ts';

let house: House;

beforeEach(async () => {
  house = await openHouse();
  return () => house.close();
});

const kamau = '254700000004';
const stranger = '254722000123';
const always = () => true;
const messages = await loadMessages(flows_folder);

const form = (path: string, fields: Record<string, string>) =>
  house.hook(path, new URLSearchParams(fields).toString(), {
    'content-type': 'application/x-www-form-urlencoded',
  });

let nth = 0;
const texts: House['texts'] = (...it) => house.texts(...it);

const rows = () => house.db.selectFrom('outbox').selectAll().orderBy('id').execute();

interface Left {
  by: 'whatsapp' | 'sms';
  to: string;
  text: string;
}

/** Sends what waits; what left, in order. What a provider throws is thrown by these. */
async function send(fail: Partial<Record<Left['by'], Error>> = {}): Promise<Left[]> {
  const left: Left[] = [];
  const by =
    (name: Left['by']): Send =>
    async (to, { text }) => {
      left.push({ by: name, to, text });
      if (fail[name]) throw fail[name];
      return `${name}.${(nth += 1)}`;
    };
  const sending = {
    db: house.db,
    messages,
    house: house.conversations,
    sender: 'others' as const,
    whatsapp: by('whatsapp'),
    sms: by('sms'),
  };
  await sendOutbox(sending, always, new AbortController().signal);
  return left;
}

/** Queues a notification, as a payment would. */
async function thank(number: string, kind: 'msisdn' | 'whatsapp' = 'msisdn'): Promise<void> {
  const values = { amount: '500.00', ref: 'INV-1', receipt: 'TKL4A1B2C3', left: '0.00' };
  await inTransaction(house.db, async (tx) => {
    const { id } = await lockPersonAt(tx, kind, number);
    const key = `thanks:${(nth += 1)}`;
    await notify(tx, [{ key, person_id: id, template: 'paid_full', values }]);
  });
}

const due = () => sql`update outbox set due_at = now() where state = 'waiting'`.execute(house.db);

test('an SMS is answered by SMS, once, in the language and the flow of who wrote it', async () => {
  expect(await texts(kamau, 'balance', 'ATXid_one')).toEqual([
    'To pay: KES 6,500. Paid ahead: KES 0.\nWhich invoice?\n' +
      '1 INV-20260203-0001 KES 5,000\n2 INV-20260210-0002 KES 1,500',
  ]);
  expect(await texts(kamau, 'balance', 'ATXid_one')).toEqual([]);
  expect((await texts(kamau, '2'))[0]).toMatch(/^INV-20260210-0002: KES 1,500 left/);
  await texts(kamau, 'kiswahili');
  const answers = await send();
  expect(new Set(answers.map((it) => `${it.by} ${it.to}`))).toEqual(new Set([`sms ${kamau}`]));
  expect(answers.at(-1)?.text).toBe('Sawa, kuanzia sasa tutatumia Kiswahili.');
});

test('a form that is none is refused and kept aside, and another secret finds nothing', async () => {
  const wrong = await form('sms/inbound', { from: 'nobody', text: 'hello' });
  expect([wrong.status, await wrong.text()]).toEqual([400, 'Not the form that was expected']);
  const kept = await house.db.selectFrom('inbox_rejected').select('source').execute();
  expect(kept).toEqual([{ source: 'sms' }]);
  const elsewhere = await fetch(`${house.url}/hooks/another-secret-0123456789/sms/inbound`, {
    method: 'POST',
    body: new URLSearchParams({ from: kamau, id: '1', text: 'balance' }),
  });
  expect(elsewhere.status).toBe(404);
});

test('who has no WhatsApp is told by SMS, in letters that an SMS can show', async () => {
  await thank(stranger);
  expect(await send()).toEqual([
    {
      by: 'sms',
      to: stranger,
      text: 'Thank you. We received KES 500.00 and INV-1 is fully paid. Receipt TKL4A1B2C3.',
    },
  ]);
  expect(await rows()).toMatchObject([{ state: 'sent', sent_by: 'sms' }]);
});

test('what WhatsApp will not take goes by SMS, and an answer in a chat does not', async () => {
  await thank(kamau);
  await house.writes(kamau, 'menu');
  const not_there = new ProviderError('refused', '131026', '131026 Message undeliverable');
  const left = await send({ whatsapp: not_there });
  expect(left.map((it) => it.by)).toEqual(['whatsapp', 'sms', 'whatsapp']);
  expect((await rows()).map((it) => [it.state, it.sent_by])).toEqual([
    ['sent', 'sms'],
    ['failed', null],
  ]);
});

test('an SMS whose answer was lost is not sent again; one that was not taken is', async () => {
  await thank(stranger);
  await send({ sms: new ProviderError('unknown', 'no_answer') });
  expect(await rows()).toMatchObject([{ state: 'unknown', attempts: 1, sent_by: 'sms' }]);
  await due();
  expect(await send()).toEqual([]);

  await thank(stranger);
  await send({ sms: new ProviderError('retryable', 'ECONNREFUSED') });
  expect((await rows())[1]).toMatchObject({ state: 'waiting', attempts: 1 });
  await due();
  expect(await send()).toHaveLength(1);
});

test('a delivery report is taken once its message is known, and moves it only forward', async () => {
  await thank(stranger);
  const report = (id: string, status: string, failureReason = '') =>
    form('sms/delivery', { id, status, phoneNumber: `+${stranger}`, failureReason });
  // It overtakes our own record of having sent the message.
  await report('early', 'Success');
  await takeReports(house.db, always);
  expect(await house.db.selectFrom('inbox').select('state').execute()).toEqual([{ state: 'new' }]);
  await send();
  await sql`update outbox set provider_id = 'early'`.execute(house.db);
  await sql`update inbox set due_at = now()`.execute(house.db);
  await takeReports(house.db, always);
  expect(await rows()).toMatchObject([{ state: 'sent', delivered_at: expect.any(Date) }]);
  await report('early', 'Failed', 'DeliveryFailure');
  await takeReports(house.db, always);
  expect(await rows()).toMatchObject([{ state: 'sent', error: null }]);

  await thank(stranger);
  await send();
  const [, second] = await rows();
  await report(second?.provider_id ?? '', 'Buffered');
  await report(second?.provider_id ?? '', 'Failed', 'UserInBlackList');
  await takeReports(house.db, always);
  expect((await rows())[1]).toMatchObject({ state: 'failed', error: 'UserInBlackList' });
});

test('what WhatsApp could not deliver goes by SMS at once, or after half an hour of silence', async () => {
  for (let message = 0; message < 3; message += 1) await thank(kamau);
  await send();
  const [failed, silent, read] = await rows();
  const status = async (id: string | null, what: object) => {
    const value = { metadata: { phone_number_id: '1' }, statuses: [{ id, ...what }] };
    const changes = [{ field: 'messages', value }];
    const body = { object: 'whatsapp_business_account', entry: [{ id: '1', changes }] };
    expect((await postSigned(house.url, JSON.stringify(body))).status).toBe(200);
  };
  await status(failed?.provider_id ?? null, { status: 'failed', errors: [{ code: 131026 }] });
  await status(read?.provider_id ?? null, { status: 'read' });
  await takeReports(house.db, always);
  expect((await send()).map((it) => it.by)).toEqual(['sms']);

  expect(await copyUndelivered(house.db, cloud_alone)).toBe(0);
  await sql`update outbox set sent_at = now() - interval '31 minutes'`.execute(house.db);
  expect(await copyUndelivered(house.db, cloud_alone)).toBe(1);
  expect(await copyUndelivered(house.db, cloud_alone)).toBe(0);
  expect((await send()).map((it) => it.by)).toEqual(['sms']);
  expect((await rows()).find((it) => it.key === `sms:${silent?.id}`)).toMatchObject({
    state: 'sent',
    sent_by: 'sms',
  });
});

test('who opts out at Africa’s Talking gets no reminders, on no channel', async () => {
  await form('sms/optout', { senderId: '20880', phoneNumber: `+${kamau}` });
  await takeOptOuts(house.db, always);
  await inTransaction(house.db, async (tx) => {
    const { id } = await lockPersonAt(tx, 'msisdn', kamau);
    await notify(tx, [
      { key: 'reminder', person_id: id, words: 'Due soon', optional: true },
      { key: 'receipt', person_id: id, words: 'Thank you' },
    ]);
  });
  expect((await send()).map((it) => it.text)).toEqual(['Thank you']);
});

test('an SMS whose sender was killed in the middle may have been sent, and is not sent again', async () => {
  await thank(stranger);
  const [leased] = await leaseMessages(house.db, { ...anybodys, count: 20 });
  expect(leased?.msisdn).toBe(stranger);
  await sql`update outbox set lease_until = now() - interval '1 second'`.execute(house.db);
  expect(await leaseMessages(house.db, { ...anybodys, count: 20 })).toEqual([]);
  expect(await endLostSms(house.db)).toBe(1);
  expect(await rows()).toMatchObject([{ state: 'unknown' }]);
});

test('opting out counts again after a change of mind', async () => {
  const out = { senderId: '20880', phoneNumber: `+${kamau}` };
  const stopped = async () =>
    (
      await house.db.selectFrom('people').select('stopped_at').where('name', '=', 'Kamau').execute()
    )[0];
  await form('sms/optout', out);
  await takeOptOuts(house.db, always);
  expect(await stopped()).toEqual({ stopped_at: expect.any(Date) });
  await texts(kamau, 'START');
  expect(await stopped()).toEqual({ stopped_at: null });
  await sql`update inbox set body_hash = sha256(body::bytea || 'a minute before')`.execute(
    house.db,
  );
  await form('sms/optout', out);
  await takeOptOuts(house.db, always);
  expect(await stopped()).toEqual({ stopped_at: expect.any(Date) });
});
