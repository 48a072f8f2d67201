import type { Hono } from 'hono';
import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { inTransaction, type Tx } from '../../src/base/db.ts';
import { africasTalking } from '../../src/channels/ussd/africas-talking.ts';
import type { UssdGateway } from '../../src/channels/ussd/gateway.ts';
import { takeReports } from '../../src/conversation/reports.ts';
import { conversationHooks } from '../../src/conversation/routes.ts';
import { countSteps } from '../../src/conversation/step-counts.ts';
import { lockPersonAt } from '../../src/people/find.ts';
import { wanjiru } from '../helpers/admins.ts';
import { type House, openHouse } from '../helpers/house.ts';
import { eventually } from '../helpers/process.ts';

let house: House;

beforeEach(async () => {
  house = await openHouse();
  return () => house.close();
});

const kamau = '254700000004';

/** The doors alone, with a shorter patience or another gateway. */
function doors(change: { ussd_deadline_ms?: number; gateways?: Map<string, UssdGateway> }): Hono {
  const keep = () => Promise.reject(new Error('nothing is kept here'));
  return conversationHooks({
    db: house.db,
    keep,
    keep_report: keep,
    house: house.conversations,
    app_secrets: [],
    verify_token: '',
    key: house.settings.secret,
    ussd_deadline_ms: 6_000,
    gateways: new Map([['ussd', africasTalking]]),
    sourceOf: () => ({ from_ip: null }),
    ...change,
  });
}

const form = (phone: string, session: string, text: string) => ({
  method: 'POST',
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: new URLSearchParams({
    sessionId: session,
    serviceCode: '*384*123456#',
    phoneNumber: `+${phone}`,
    networkCode: '63902',
    text,
  }).toString(),
});

const messages = () =>
  house.db.selectFrom('outbox').select(['words', 'channel']).orderBy('id').execute();

/** Holds something in the database until it is told to let go; and by which backend. */
async function holding(
  take: (tx: Tx) => Promise<unknown>,
): Promise<[letGo: () => Promise<void>, pid: number]> {
  const held = Promise.withResolvers<number>();
  const let_go = Promise.withResolvers<void>();
  const over = inTransaction(house.db, async (tx) => {
    await take(tx);
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx);
    held.resolve(rows[0]?.pid ?? 0);
    await let_go.promise;
  });
  const letGo = async () => {
    let_go.resolve();
    await over;
  };
  return [letGo, await held.promise];
}

test('what takes too long ends with a promise, and its words come by SMS', async () => {
  const app = doors({ ussd_deadline_ms: 300 });
  // What the menu looks at.
  const [letGo] = await holding((tx) => sql`lock table link_proofs`.execute(tx));
  const answer = await app.request('/ussd', form(kamau, 'ATUid_slow', ''));
  expect(await answer.text()).toBe(
    'END This takes a little longer. You will get the answer by SMS.',
  );
  await letGo();
  const [late] = await eventually(messages, (it) => it.length > 0, 10_000);
  expect(late).toEqual({
    words: expect.stringMatching(
      /^Hello Kamau\. To pay: KES 6,500\n[^]*\nTo go on, dial \*384\*123456#\.$/,
    ),
    channel: 'sms',
  });
  // The gateway's repeat of that request is told the same.
  const again = await house.keys(kamau, 'ATUid_slow', '');
  expect(again).toMatch(/^END This takes a little longer\./);
});

test('what is committed too late for the phone comes by SMS too', async () => {
  const app = doors({ ussd_deadline_ms: 300 });
  const [letGo] = await holding((tx) => sql`lock table sessions in exclusive mode`.execute(tx));
  const answer = await app.request('/ussd', form(kamau, 'ATUid_stalled', ''));
  expect(await answer.text()).toBe(
    'END This takes a little longer. You will get the answer by SMS.',
  );
  await letGo();
  const [late] = await eventually(messages, (it) => it.length > 0, 10_000);
  expect(late?.words).toMatch(/^Hello Kamau\. To pay: KES 6,500\n[^]*\nTo go on, dial /);
  // The gateway's repeat of that request is told what was committed.
  expect(await house.keys(kamau, 'ATUid_stalled', '')).toMatch(/^CON Hello Kamau/);
});

test('what has not even begun in time is not begun, and nothing is promised', async () => {
  const app = doors({ ussd_deadline_ms: 1 });
  const [letGo] = await holding((tx) => lockPersonAt(tx, 'msisdn', kamau));
  const answer = await app.request('/ussd', form(kamau, 'ATUid_gone', '1'));
  expect(await answer.text()).toMatch(/^END Sorry, we have a problem[^]*\nSamahani, /);
  await letGo();
  // The one that came too late has the person's lock before this one.
  expect(await house.keys(kamau, 'ATUid_after', '')).toMatch(/^CON Hello Kamau/);
  expect(await messages()).toEqual([]);
  const sessions = await house.db.selectFrom('ussd_sessions').select('gateway_id').execute();
  expect(sessions).toEqual([{ gateway_id: 'ATUid_after' }]);
});

test('who is found to be another while they dial waits for the turns of that one', async () => {
  const { id: stays } = await inTransaction(house.db, (tx) => lockPersonAt(tx, 'msisdn', wanjiru));
  const [letFound, finder] = await holding(async (tx) => {
    const { id } = await lockPersonAt(tx, 'msisdn', kamau);
    await sql`update addresses set person_id = ${stays} where person_id = ${id}`.execute(tx);
    await sql`update people set merged_into = ${stays} where id = ${id}`.execute(tx);
  });
  let answer: string | undefined;
  const dialled = house.keys(kamau, 'ATUid_found', '').then((it) => (answer = it));
  await eventually(() => waitingFor(finder), Boolean, 10_000);
  const [letGo, other] = await holding((tx) => lockPersonAt(tx, 'msisdn', wanjiru));
  await letFound();
  await eventually(async () => answer ?? (await waitingFor(other)), Boolean, 10_000);
  expect(answer).toBeUndefined();
  await letGo();
  expect(await dialled).toMatch(/^CON Today KES 0/);
});

/** Whether somebody waits for what this backend holds. */
async function waitingFor(pid: number): Promise<boolean> {
  const { rows } = await sql`
    select from pg_stat_activity where ${pid} = any(pg_blocking_pids(pid))
  `.execute(house.db);
  return rows.length > 0;
}

test('what is dialled along with the code is chosen, as far as it only shows', async () => {
  expect(await house.keys(kamau, 'ATUid_1', '1*2')).toMatch(/^END INV-20260210-0002: KES 1,500/);
  // More than there is to choose, and a choice that is none.
  expect(await house.keys(kamau, 'ATUid_2', '1*2*9*9#')).toMatch(/^END INV-20260210-0002/);
  expect(await house.keys(kamau, 'ATUid_3', '77')).toMatch(/^CON Hello Kamau/);
  // Some networks repeat the code itself.
  expect(await house.keys(kamau, 'ATUid_7', '*384*1*1')).toMatch(/^CON To pay: KES 6,500/);
  // To change the language is to do something: it stops before that.
  expect(await house.keys(kamau, 'ATUid_4', '5*2')).toMatch(/^CON Which language\?/);
  // Nor is anybody called, or a message sent, for somebody who has not seen that.
  expect(await house.keys(kamau, 'ATUid_8', '4')).toMatch(/^CON Hello Kamau/);
  expect(await house.keys(kamau, 'ATUid_9', '2*2')).toMatch(/^CON To pay now: KES 6,500/);
  expect(await messages()).toEqual([]);
  expect(await house.keys(kamau, 'ATUid_5', '')).toMatch(/^CON Hello Kamau/);
  // From there it goes on as any session: the new answer is what comes after.
  expect(await house.keys(kamau, 'ATUid_6', '1')).toMatch(/^CON To pay: KES 6,500/);
  expect(await house.keys(kamau, 'ATUid_6', '1*1')).toMatch(/^END INV-20260203-0001/);
});

test('a gateway that sends the last answer alone is answered the same', async () => {
  const last_only: UssdGateway = {
    read: (posted) => {
      const { session, phone, nth, input } = posted as Record<string, string>;
      if (!session || !phone) return undefined;
      return {
        session: `last:${session}`,
        msisdn: phone,
        code: '*1#',
        network: '',
        newAnswer: (_, before) => {
          if (!before) return { kind: 'dialled', picks: [] };
          return Number(nth) <= before.turn
            ? { kind: 'repeat' }
            : { kind: 'answer', text: input ?? '' };
        },
        heardNow: () => ({ text_length: 0, text_hash: nth ?? '' }),
      };
    },
    reply: (message, over) => ({
      body: JSON.stringify({ message, over }),
      type: 'application/json',
    }),
  };
  const app = doors({ gateways: new Map([['ussd-last', last_only]]) });
  const press = async (nth: number, input: string) => {
    const body = new URLSearchParams({ session: 's1', phone: kamau, nth: String(nth), input });
    const answer = await app.request('/ussd-last', { method: 'POST', body });
    expect(answer.headers.get('content-type')).toContain('application/json');
    return (await answer.json()) as { message: string; over: boolean };
  };
  const said = [await press(1, ''), await press(2, '1'), await press(2, '1'), await press(3, '2')];
  expect(said[2]).toEqual(said[1]);
  expect(said[3]?.message).toMatch(/^INV-20260210-0002/);
  const texts = ['', '1', '1', '1*2'];
  for (const [index, text] of texts.entries()) {
    const { message, over } = said[index]!;
    expect(await house.keys(kamau, 'ATUid_same', text)).toBe(`${over ? 'END' : 'CON'} ${message}`);
  }
});

test('one answer stays one, even with a star in it', async () => {
  await house.keys(kamau, 'ATUid_star', '');
  expect(await house.keys(kamau, 'ATUid_star', '1*2')).toMatch(/^CON Please reply with a number/);
});

test('how sessions end is counted by step, and what was keyed is not kept', async () => {
  await house.keys(kamau, 'ATUid_lost', '');
  await house.keys(kamau, 'ATUid_lost', '1');
  const event = {
    date: '2026-02-03 08:00:00',
    sessionId: 'ATUid_lost',
    status: 'Incomplete',
    input: '1*739164',
    lastAppResponse: 'CON your code 739164',
    hopsCount: '2',
  };
  const posted = await house.hook('ussd/events', new URLSearchParams(event).toString(), {
    'content-type': 'application/x-www-form-urlencoded',
  });
  expect([posted.status, await posted.text()]).toEqual([200, 'OK']);
  const kept = await house.db.selectFrom('inbox').select('body').execute();
  expect(JSON.stringify(kept)).not.toContain('739164');
  await takeReports(house.db, () => true);
  await countSteps(house.db);
  const counted = await house.db
    .selectFrom('step_counts')
    .select(['flow', 'step', 'times'])
    .where('what', '=', 'dropped')
    .execute();
  expect(counted).toEqual([{ flow: 'balance', step: 'invoice', times: 1n }]);
});

test('an admin without invoices dials too', async () => {
  expect(await house.keys(wanjiru, 'ATUid_admin', '')).toMatch(/^CON Today KES 0/);
});
