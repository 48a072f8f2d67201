import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { inTransaction } from '../../src/base/db.ts';
import { askQuestions } from '../../src/conversation/questions.ts';
import { takeTurns } from '../../src/conversation/whatsapp.ts';
import { action } from '../../src/flow/action.ts';
import { Refusal } from '../../src/base/errors.ts';
import { ask, withdraw } from '../../src/outbox/ask.ts';
import { lockPersonAt } from '../../src/people/find.ts';
import { actions } from '../../src/registry.ts';
import { flows_folder } from '../../src/serve.ts';
import { otieno, wanjiru } from '../helpers/admins.ts';
import { type House, openHouse, postSigned, webhook } from '../helpers/house.ts';

// Whose is it, asked of the admins; the reference says of what.
const flow = `
flow: whose
steps:
  look: { do: test.payment, as: payment, else: { over: over, down: $down } }
  whose:
    ask: { en: "{question} Whose is {payment.amount|money}?", sw: "{question} {payment.amount|money} ni ya nani?" }
    pick:
      kamau: { en: Kamau, sw: Kamau }
      later: { en: Later, sw: Baadaye, to: left }
  assign: { do: test.assign, with: { to: whose }, else: { down: $down } }
  assigned: { end: { en: "{question} is assigned.", sw: "{question} imeunganishwa." } }
  left: { end: { en: "{question} waits.", sw: "{question} inasubiri." } }
  over: { end: { en: Over., sw: Imekwisha. } }
`;

const assigned: (string | undefined)[] = [];
let house: House;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'karani-flows-'));
  cpSync(flows_folder, folder, { recursive: true });
  writeFileSync(join(folder, 'whose.yaml'), flow);
  house = await openHouse(
    {},
    {
      flows_folder: folder,
      actions: {
        ...actions,
        'test.payment': action({
          input: z.object({}),
          output: z.object({ amount: z.string() }),
          refusals: ['over'],
          run: async (_, { question }) => {
            if (question === undefined) throw new Refusal('over');
            return Promise.resolve({ amount: `${question.slice(2)}00.00` });
          },
        }),
        'test.assign': action({
          input: z.object({ to: z.enum(['kamau', 'later']) }),
          output: z.object({}),
          refusals: [],
          run: async (tx, { question = '' }) => {
            assigned.push(question);
            await withdraw(tx, [question]);
            return {};
          },
        }),
      },
    },
  );
});
afterAll(async () => {
  await house.close();
  rmSync(folder, { recursive: true });
});

beforeEach(async () => {
  assigned.length = 0;
  await sql`delete from questions`.execute(house.db);
  await sql`delete from outbox`.execute(house.db);
  await sql`delete from sessions`.execute(house.db);
});

/** Asks questions of people; what they are sent, with the id under which it went. */
async function push(...questions: { ref: string; to: string; strict?: boolean }[]) {
  await inTransaction(house.db, async (tx) => {
    for (const { ref, to, strict = false } of questions) {
      const { id } = await lockPersonAt(tx, 'whatsapp', to);
      await ask(tx, [{ ref, person_id: id, flow: 'whose', strict }]);
    }
  });
  await askQuestions(house.db, house.conversations, () => true);
  await sql`update outbox set state = 'sent', provider_id = 'sent:' || key`.execute(house.db);
  const rows = await house.db.selectFrom('outbox').selectAll().orderBy('id').execute();
  return rows.map((row) => ({ words: row.words, id: row.provider_id ?? '' }));
}

/** Answers by quoting a message. */
async function quotes(from: string, answers: string, text: string): Promise<string> {
  const body = webhook(from, text, `wamid.${Math.random()}`) as Quoted;
  body.entry[0].changes[0].value.messages[0].context = { id: answers };
  const before = await house.db.selectFrom('outbox').select('id').execute();
  await postSigned(house.url, JSON.stringify(body));
  await takeTurns(house.db, house.conversations);
  const rows = await house.db.selectFrom('outbox').selectAll().orderBy('id').execute();
  return rows[before.length]?.words ?? '';
}

interface Quoted {
  entry: [{ changes: [{ value: { messages: [{ context?: { id: string } }] } }] }];
}

test('a question comes by itself, and a bare number answers the only one', async () => {
  expect(await push({ ref: 'UM7', to: wanjiru })).toMatchObject([
    { words: 'UM7 Whose is KES 700?\n1 Kamau\n2 Later' },
  ]);
  expect(await house.writes(wanjiru, '1')).toEqual(['UM7 is assigned.']);
  expect(assigned).toEqual(['UM7']);
  expect(await house.writes(wanjiru, 'UM7 1')).toEqual([
    'UM7 is settled already. There is nothing to do.',
  ]);
});

test('of two open ones each is answered by its reference or by quoting it, never by a bare number', async () => {
  const [first, second] = await push({ ref: 'UM7', to: wanjiru }, { ref: 'UM8', to: wanjiru });
  expect((await house.writes(wanjiru, '1'))[0]).not.toMatch(/assigned/);
  expect(assigned).toEqual([]);
  expect(await house.writes(wanjiru, 'um8 1')).toEqual(['UM8 is assigned.']);
  expect(await quotes(wanjiru, first?.id ?? '', '1')).toBe('UM7 is assigned.');
  expect(assigned).toEqual(['UM8', 'UM7']);
  expect(await quotes(wanjiru, second?.id ?? '', '1')).toMatch(/^UM8 is settled already/);
});

test('while another conversation is open, a bare number belongs to that', async () => {
  await push({ ref: 'UM7', to: wanjiru });
  await house.writes(wanjiru, 'language');
  expect((await house.writes(wanjiru, '1'))[0]).toMatch(/^All right, we speak English/);
  expect(assigned).toEqual([]);
  expect(await house.writes(wanjiru, 'UM7')).toEqual(['UM7 Whose is KES 700?\n1 Kamau\n2 Later']);
  expect(await house.writes(wanjiru, 'UM7: 1')).toEqual(['UM7 is assigned.']);
});

test('about money out a bare number never answers', async () => {
  await push({ ref: 'RF7', to: wanjiru, strict: true });
  expect((await house.writes(wanjiru, '1'))[0]).not.toMatch(/assigned/);
  expect(await house.writes(wanjiru, 'RF7 1')).toEqual(['RF7 is assigned.']);
});

test('a question to several is settled for all by the first, and another’s is nobody’s to answer', async () => {
  await push({ ref: 'UM7', to: wanjiru }, { ref: 'UM7', to: otieno }, { ref: 'UM9', to: otieno });
  expect((await house.writes(wanjiru, 'UM9 1'))[0]).not.toMatch(/assigned/);
  expect(await house.writes(wanjiru, 'UM7 1')).toEqual(['UM7 is assigned.']);
  expect(await house.writes(otieno, 'UM7 1')).toEqual([
    'UM7 is settled already. There is nothing to do.',
  ]);
  expect(assigned).toEqual(['UM7']);
});

test('a question that is left waits, and is shown again when it is named', async () => {
  await push({ ref: 'UM7', to: wanjiru });
  expect(await house.writes(wanjiru, 'UM7 2')).toEqual(['UM7 waits.']);
  expect(await house.writes(wanjiru, 'UM7')).toEqual(['UM7 Whose is KES 700?\n1 Kamau\n2 Later']);
  expect((await house.writes(wanjiru, 'UM7 menu'))[0]).toMatch(/^Today KES/);
  expect(await house.writes(wanjiru, 'UM7 1')).toEqual(['UM7 is assigned.']);
});
