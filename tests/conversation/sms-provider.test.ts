import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { type ProviderError } from '../../src/base/errors.ts';
import { sendSms } from '../../src/channels/sms/send.ts';
import { freePort } from '../helpers/process.ts';
import { openWorld } from '../simulator/world.ts';

// Africa's Talking's own package, wrapped: what it says of failures is not to be believed as it stands.

const api_key = 'a-key-that-nobody-may-read-0123456789';
const account = (base_url: string) => ({ base_url, username: 'duka', api_key, sender: 'DUKA' });
const kamau = '254700000004';

async function serverThat(answers: RequestListener): Promise<string> {
  const server = createServer(answers).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** How a send fails, without our key in anything of it. */
async function failure(base_url: string, it: { to?: string; give_up?: AbortSignal } = {}) {
  const error = await sendSms(account(base_url), { to: kamau, text: 'Habari', ...it }).then(
    () => undefined,
    (thrown: unknown) => thrown as ProviderError,
  );
  expect(inspect(error, { depth: 9 })).not.toContain(api_key);
  return error && [error.outcome, error.code];
}

const says =
  (status: number, body: object) =>
  (_: unknown, response: { writeHead: Function; end: Function }) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };

test('an SMS is sent, and comes back with its id and its delivery report', async () => {
  const world = await openWorld();
  onTestFinished(() => world.close());
  const id = await sendSms(account(world.url()), { to: kamau, text: 'Asante' });
  expect(id).toMatch(/^ATXid_[0-9a-f]{32}$/);
  expect((await world.get(`/sim/sms?phone=${kamau}`)).json).toMatchObject([
    { id, direction: 'out', text: 'Asante' },
  ]);
  const [report] = await world.app.hears(1);
  expect(report?.path).toMatch(/\/sms\/delivery$/);
  expect(Object.fromEntries(new URLSearchParams(report?.body))).toMatchObject({
    id,
    status: 'Success',
  });
});

test('201 is no success by itself: each recipient has an outcome', async () => {
  const world = await openWorld();
  onTestFinished(() => world.close());
  await world.post('/sim/sms/optout', { phone: kamau });
  expect(await failure(world.url())).toEqual(['refused', '406']);
  const recipients = (statusCode: number) => ({
    SMSMessageData: { Message: '', Recipients: [{ statusCode, status: 'x', messageId: 'None' }] },
  });
  expect(await failure(await serverThat(says(201, recipients(405))))).toEqual(['retryable', '405']);
  const none = { SMSMessageData: { Message: 'InvalidSenderId', Recipients: [] } };
  expect(await failure(await serverThat(says(201, none)))).toEqual(['refused', 'no_recipient']);
});

test('200 is a success too, whatever the package thinks of it', async () => {
  const Recipients = [{ statusCode: 102, status: 'Queued', messageId: 'ATXid_1' }];
  const url = await serverThat(says(200, { SMSMessageData: { Message: 'Sent', Recipients } }));
  expect(await sendSms(account(url), { to: kamau, text: 'Habari' })).toBe('ATXid_1');
});

test('what was not sent is tried again, and what may have been sent is not', async () => {
  expect(await failure(`http://127.0.0.1:${await freePort()}`)).toEqual([
    'retryable',
    'ECONNREFUSED',
  ]);
  expect(await failure(await serverThat(says(401, {})))).toEqual(['retryable', 'http_401']);
  expect(await failure(await serverThat(says(400, {})))).toEqual(['refused', 'http_400']);
  expect(await failure(await serverThat(says(500, {})))).toEqual(['unknown', 'http_500']);
  expect(await failure(await serverThat(says(201, { other: 1 })))).toEqual([
    'unknown',
    'unreadable_answer',
  ]);
  const hangs_up: RequestListener = (request) => void request.socket.destroy();
  expect((await failure(await serverThat(hangs_up)))?.[0]).toBe('unknown');
});

test('it waits for ever by itself, and no longer than we do', async () => {
  const giving_up = new AbortController();
  const url = await serverThat(() => giving_up.abort());
  expect(await failure(url, { give_up: giving_up.signal })).toEqual(['unknown', 'no_answer']);
});

test('a number that is none is not sent at all', async () => {
  expect(await failure('http://127.0.0.1:1', { to: '254' })).toEqual(['refused', 'not_sent']);
});
