import { fileURLToPath } from 'node:url';
import { assert } from '../src/base/errors.ts';
import { keyedHash } from '../src/base/secrets.ts';
import { africasTalking } from '../src/channels/ussd/africas-talking.ts';
import { keepContents } from '../src/conversation/contents.ts';
import type { House } from '../src/conversation/house.ts';
import { answerUssd } from '../src/conversation/ussd.ts';
import { loadFlows } from '../src/flow/load.ts';
import { actions, trades } from '../src/registry.ts';
import { keptOff } from '../src/trades.ts';
import { fillBusiness } from './business.ts';
import { forAWhile, post } from './load.ts';
import { type Bench, no_pgbench, type Part, ratio, type Table } from './part.ts';
import { runPgbench } from './pgbench.ts';
import { startRole, startSink } from './processes.ts';
import { alternate, percentile } from './rounds.ts';
import type { BenchDatabase } from './server.ts';
import { hook_secret } from './settings.ts';
import { asScript, recordStatements } from './statements.ts';

export const ussd: Part = { letter: 'j', title: 'USSD over HTTP', run };

const customers = 2_000;
const connection_counts = [1, 8, 32];
// The menu, and what the first line of it shows.
const pressed = ['', '1'];

const msisdnOf = (nth: number) => `2547${10_100_000 + nth}`;

function formOf(session: string, nth: number, text: string): string {
  return new URLSearchParams({
    sessionId: session,
    serviceCode: '*384*1#',
    phoneNumber: `+${msisdnOf(nth)}`,
    networkCode: '63902',
    text,
  }).toString();
}

async function run(bench: Bench): Promise<Table[]> {
  const { server, pgbench } = bench;
  const database = await server.makeDatabase('ussd');
  bench.say(`${customers} customers`);
  await fillBusiness(database.pool, { customers, past_payments: 0 });
  const recorded = await recordJourney(database);
  const sink = await startSink();
  const web = await startRole('web', { database_url: database.url, folder: server.folder, sink });
  const rows: string[][] = [];
  const notes: string[] = pgbench ? [] : [no_pgbench];
  const shape = { port: web.port, seconds: bench.seconds };
  try {
    await warmUp(shape, database);
    for (const connections of connection_counts) {
      bench.say(`${connections} connections`);
      const latencies: number[] = [];
      const { medians, notes: unsteady } = await alternate({
        ours: () => dialAll({ ...shape, connections }, latencies),
        pgbench: () => reference(bench, database.url, recorded.script, connections),
      });
      latencies.sort((a, b) => a - b);
      notes.push(...unsteady.map((note) => `${connections} connections: ${note}`));
      rows.push([
        String(connections),
        ...[medians.ours, medians.pgbench].map((rate) => rate.toFixed(0)),
        ratio(medians.ours, medians.pgbench),
        percentile(latencies, 0.5).toFixed(2),
        percentile(latencies, 0.99).toFixed(2),
      ]);
    }
  } finally {
    await web.stop();
    await sink.stop();
    await database.drop();
  }
  notes.push(`${recorded.statements} statements in two key presses, begin and commit counted.`);
  return [
    {
      title: 'USSD key presses answered after their commit, a second',
      compares,
      columns,
      rows,
      notes,
    },
  ];
}

const compares =
  'Customers dial and choose their balance, over HTTP to one process, each key press a commit; against `pgbench` ' +
  'sending the very statements of those key presses, prepared and one after the other, with as many clients. ' +
  'Ours has those of which nothing is read go along with the next.';
const columns = ['connections', 'ours', 'pgbench', 'ratio', 'p50 ms', 'p99 ms'];

// Until Node has compiled what it runs, and PostgreSQL has seen how large its tables are: on a new
// database it has plans for empty ones, which it keeps for the first minute.
async function warmUp(
  shape: { port: number; seconds: number },
  { pool }: BenchDatabase,
): Promise<void> {
  for (let times = 0; times < 4; times += 1) await dialAll({ ...shape, connections: 8 }, []);
  await pool.query('vacuum analyze');
}

let dialled = 0;

/** Key presses a second, of people who dial and choose, one session after the other. */
async function dialAll(
  it: { port: number; seconds: number; connections: number },
  latencies: number[],
): Promise<number> {
  const sessions = new Map<number, { id: string; nth: number; turn: number }>();
  const forThem = (connection: number): string => {
    const before = sessions.get(connection);
    const next =
      before && before.turn + 1 < pressed.length
        ? { ...before, turn: before.turn + 1 }
        : { id: `ATUid_${(dialled += 1)}`, nth: (dialled * 7) % customers, turn: 0 };
    sessions.set(connection, next);
    return formOf(next.id, next.nth, pressed[next.turn] ?? '');
  };
  let connection = 0;
  const bodies = forAWhile(it.seconds, () => forThem(connection));
  const load = await post({
    ports: [it.port],
    path: `/hooks/${hook_secret}/ussd`,
    connections: it.connections,
    content_type: 'application/x-www-form-urlencoded',
    body: (on) => {
      connection = on;
      return bodies();
    },
    isRight: (answer, on) => isRight(answer, sessions.get(on)?.turn),
  });
  assert(load.refused === 0, `${load.refused} key presses had the wrong answer`);
  latencies.push(...load.latencies_ms);
  return load.answered / load.seconds;
}

const isRight = (answer: string, turn: number | undefined) =>
  turn === 0 ? answer.startsWith('CON ') : /10,000,000|invoice|ankara/i.test(answer);

async function reference(
  { pgbench, seconds }: Bench,
  database_url: string,
  script: string,
  clients: number,
): Promise<number> {
  if (!pgbench) return 0;
  const commits = await runPgbench(pgbench, { database_url, script, clients, until: { seconds } });
  return commits * pressed.length;
}

/** What two key presses ask of the database, as a script in which anybody dials. */
async function recordJourney(database: BenchDatabase) {
  const house = await benchHouse(database);
  const [warm, recorded] = [11, 12];
  await pressAll(database, house, warm, 'ATUid_warm');
  const recording = recordStatements(database.pool);
  await pressAll(database, house, recorded, 'ATUid_rec');
  const statements = recording.stop();
  const { rows } = await database.pool.query<{ nth: number; id: bigint }>(
    `select person_id as id from addresses where kind = 'msisdn' and value = $1`,
    [msisdnOf(recorded)],
  );
  const first = BigInt(rows[0]?.id ?? 0) - BigInt(recorded);
  const begin = `\\set n random(0, ${customers - 1})\n\\set s random(1, 1000000000000000)\n\\set p ${first} + :n\n`;
  const instead = [
    ['ATUid_rec', `'pg' || :s`],
    [msisdnOf(recorded), `'2547' || (10100000 + :n)`],
    [String(first + BigInt(recorded)), ':p'],
  ] as const;
  return { script: begin + asScript(statements, instead, ':s'), statements: statements.length };
}

async function benchHouse({ db }: BenchDatabase): Promise<House> {
  const flows = await loadFlows(fileURLToPath(new URL('../flows', import.meta.url)), actions);
  await keepContents(db, flows);
  return {
    flows,
    actions,
    values: { shop: 'Duka', help: '0700000001', paybill: '600000', ussd: '*384*1#' },
    keyed: (purpose, text) => keyedHash(hook_secret, purpose, text),
    sms: true,
    numbers: { cloud: true, linked: false, kept_off: keptOff({}, trades) },
  };
}

async function pressAll(
  { db }: BenchDatabase,
  house: House,
  nth: number,
  session: string,
): Promise<void> {
  for (const text of pressed) {
    const press = africasTalking.read(
      Object.fromEntries(new URLSearchParams(formOf(session, nth, text))),
    );
    assert(press, 'a form of Africa’s Talking');
    const patience = { late: false, gone: false, nearly_done: false };
    await answerUssd(db, house, hook_secret, { press, from_ip: '127.0.0.1', patience });
  }
}
