import { sql } from 'kysely';
import { karani } from '../helpers/process.ts';
import type { Chats } from './chats.ts';
import type { Done } from './faults.ts';
import { admins } from './plan.ts';
import type { World } from './world.ts';

export interface Checked {
  findings: string[];
  /** Messages that somebody got more than once. */
  repeats: number;
}

/**
 * What is wrong once all has come to rest, from outside alone: the database, what M-Pesa and
 * WhatsApp say happened, and what the door heard.
 */
export async function checkWorld(world: World, chats: Chats, done: Done): Promise<Checked> {
  const findings = [
    ...(await checkInstallation(world)),
    ...(await checkCallbacks(world)),
    ...(await checkChats(world, chats)),
    ...checkAnswers(world),
    ...world.fleet.complaints,
  ];
  const repeated = await repeats(world, chats);
  // One in flight a person: what stops or blinds a worker repeats one message of each at most.
  const disturbed =
    world.fleet.kills +
    world.fleet.restarts +
    (done.freeze ?? 0) +
    world.fleet.members.reduce((sum, member) => sum + member.outlet.lost(), 0);
  for (const [phone, count] of repeated) {
    if (count < 0) findings.push(`${phone} got ${-count} messages fewer than were sent`);
    if (count > disturbed)
      findings.push(`${phone} got ${count} messages again, after ${disturbed} disturbances`);
  }
  const sum = [...repeated.values()].reduce((all, count) => all + Math.max(0, count), 0);
  return { findings: findings.slice(0, 30), repeats: sum };
}

/** The command that anybody runs against their own installation, here with the simulator's truth. */
async function checkInstallation({ env, simulator_url }: World): Promise<string[]> {
  const { code, stdout, stderr } = await karani(['check', '--mpesa', simulator_url], env);
  return code === 0 ? [] : `${stdout}${stderr}`.trim().split('\n');
}

async function checkCallbacks({ db, door }: World): Promise<string[]> {
  const { rows } = await sql<{ receipt: string }>`select receipt from payments`.execute(db);
  const recorded = new Set(rows.map((row) => row.receipt));
  const conflicts = await sql<{ body: string }>`
    select i.body from hearings h join inbox i on i.id = h.inbox_id where h.verdict = 'conflict'
  `.execute(db);
  const refused = new Set(conflicts.rows.map((row) => row.body));
  return [
    ...[...door.answered]
      .filter((receipt) => !recorded.has(receipt))
      .map((receipt) => `${receipt} was answered 200 and is no payment`),
    ...[...door.tampered.answered]
      .filter((body) => !refused.has(body))
      .map((body) => `a tampered callback is no conflict: ${body}`),
    ...[...refused]
      .filter((body) => !door.tampered.sent.has(body))
      .map((body) => `a true callback is a conflict: ${body}`),
  ];
}

async function checkChats({ db }: World, chats: Chats): Promise<string[]> {
  const payments = await sql<{ receipt: string }>`
    select receipt from payments where told = 'alone'
  `.execute(db);
  const untold = admins.flatMap((admin) =>
    payments.rows
      .filter(({ receipt }) => !chats.get(admin)?.alerts.has(receipt))
      .map(({ receipt }) => `${admin} was not told of ${receipt}`),
  );
  const written = [...chats.values()].flatMap((chat) => chat.written);
  const { rows } = await sql<{ id: string }>`
    select id from unnest(${written}::text[]) as id
    where not exists (select from turns where key = 'whatsapp:' || id)
  `.execute(db);
  const { rows: failed } = await sql<{ id: bigint; error: string }>`
    select id, error from outbox where state = 'failed'
  `.execute(db);
  return [
    ...untold,
    ...rows.map(({ id }) => `the message ${id} had no turn`),
    ...failed.map(({ id, error }) => `message ${id} was given up: ${error}`),
  ];
}

function checkAnswers({ door }: World): string[] {
  const expected = new Set(['200', '503', 'none']);
  return Object.entries(door.figures.answers)
    .filter(([status]) => !expected.has(status))
    .map(([status, count]) => `${count} callbacks were answered ${status}`);
}

/** How many messages each phone got more than we know to have sent. */
async function repeats({ db }: World, chats: Chats): Promise<Map<string, number>> {
  const { rows } = await sql<{ phone: string; sent: number }>`
    select a.value as phone, count(o.id)::int as sent
    from addresses a left join outbox o on o.person_id = a.person_id and o.state = 'sent'
    where a.kind = 'whatsapp' group by a.value
  `.execute(db);
  const sent = new Map(rows.map((row) => [row.phone, row.sent]));
  return new Map([...chats].map(([phone, chat]) => [phone, chat.got - (sent.get(phone) ?? 0)]));
}
