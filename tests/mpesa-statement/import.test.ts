import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { beforeEach, expect, test, vi } from 'vitest';
import { clock } from '../../src/base/clock.ts';
import { SetupError } from '../../src/base/errors.ts';
import { balancesOf } from '../../src/ledger/balances.ts';
import { importStatement } from '../../src/mpesa-statement/import.ts';
import { drainStatementLines } from '../../src/mpesa-statement/jobs.ts';
import {
  hasFindings,
  reportAsJson,
  reportInWords,
  reportOn,
} from '../../src/mpesa-statement/report.ts';
import { sendDigest } from '../../src/payments/jobs.ts';
import { confirmation } from '../helpers/confirmation.ts';
import { hook_secret, type House, openHouse, paymentsOf } from '../helpers/house.ts';
import { eventually, karani } from '../helpers/process.ts';
import { classic, csv, excelTime, type Happened, plain, xlsx } from '../helpers/statement.ts';

let house: House;
let folder: string;

beforeEach(async () => {
  house = await openHouse();
  vi.spyOn(clock, 'now').mockReturnValue(new Date('2026-11-21T09:00:00Z'));
  folder = mkdtempSync(join(tmpdir(), 'karani-statement-'));
  return async () => {
    vi.restoreAllMocks();
    rmSync(folder, { recursive: true, force: true });
    await house.close();
  };
});

const env = () => ({
  DATABASE_URL: house.settings.database_url,
  KARANI_CONFIG: undefined,
  KARANI_DATA: folder,
  KARANI_HOOK_SECRET: hook_secret,
});

/** Imports a file through the command line. */
async function imports(bytes: Buffer, name = 'statement.csv', ...args: string[]) {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  const { code, stdout, stderr } = await karani(['statement', 'import', path, ...args], env());
  return { code, stdout, stderr };
}

/** The same without a process of its own. */
async function takes(bytes: Buffer, name = 'statement.csv', shortcode?: string) {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  const bad: string[] = [];
  const was_read = await importStatement(house.db, {
    path,
    shortcode,
    receive: house.receive,
    progress: () => undefined,
    bad: ({ number, reason }) => bad.push(`Line ${number}: ${reason}`),
  });
  const it = await reportOn(house.db, was_read);
  return { code: hasFindings(it) ? 1 : 0, bad, report: reportAsJson(it), words: reportInWords(it) };
}

const pay = (receipt: string, at: string, amount: string, typed: string): Happened => ({
  receipt,
  at,
  amount,
  details: `Pay Bill from 25470****004 - KAMAU **** NJOROGE Acc. ${typed}`,
  reason: 'Pay Utility',
  other_party: '25470****004 - KAMAU **** NJOROGE',
  account_no: typed,
});

const charge = (receipt: string, at: string, amount: string): Happened => ({
  receipt,
  at,
  amount,
  details: 'Pay Bill Charge',
  other_party: 'SP',
});

/** A day on which callbacks were lost: of three payments Karani has heard of the second alone. */
const day: Happened[] = [
  pay('TKK0000001', '2026-11-20 09:00:00', '500.00', 'INV-20260203-0001'),
  charge('TKK0000001', '2026-11-20 09:00:00', '-5.00'),
  pay('TKK0000002', '2026-11-20 14:30:00', '1000.00', 'INV-20260203-0001'),
  charge('TKK0000002', '2026-11-20 14:30:00', '-10.00'),
  {
    receipt: 'TKK0000003',
    at: '2026-11-20 15:00:00',
    amount: '-300.00',
    details: 'Utility Account to Organization Settlement Account',
    reason: 'Utility Account to Organization Settlement Account',
  },
  {
    receipt: 'TKK0000004',
    at: '2026-11-20 15:05:00',
    amount: '-200.00',
    details: 'Business Payment to Customer via API to 254700000004 - KAMAU',
    reason: 'Business Payment to Customer via API',
  },
  pay('TKK0000005', '2026-11-20 16:00:00', '60840.00', 'nothing we know'),
];

async function hearSecond() {
  const body = confirmation({
    TransID: 'TKK0000002',
    TransAmount: '1000.00',
    TransTime: '20261120143000',
  });
  await house.hook('c2b/confirmation', body);
  await house.drain();
}

const balances = async (...codes: string[]) =>
  Object.fromEntries(await balancesOf(house.db, codes));

const utility = '1010:600000:utility';

/** All that an import could have changed, but for the note that there was one. */
async function everything() {
  const { rows } = await sql<Record<string, bigint>>`
    select (select count(*) from payments) as payments, (select count(*) from hearings) as hearings,
           (select count(*) from postings) as postings, (select count(*) from outbox) as outbox,
           (select count(*) from statement_lines) as lines, (select count(*) from inbox) as inbox
  `.execute(house.db);
  return rows[0];
}

test('what callbacks lost is found and pays its invoice, and what they told is confirmed', async () => {
  await hearSecond();
  const file = csv(classic(day, { opening: '100.00' }));
  const { code, stdout, stderr } = await imports(file, 'statement.csv', '--json');

  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    shortcode: '600000',
    account: 'utility',
    layout: 'classic',
    from: '2026-11-20T06:00:00.000Z',
    to: '2026-11-20T13:00:00.000Z',
    lines: { read: 7, bad: 0, imported_before: 0, failed: 0 },
    payments: {
      new: { count: 2, amount: '61340.00' },
      confirmed: { count: 1, amount: '1000.00' },
      known: { count: 0 },
    },
    charges: { count: 2, amount: '15.00' },
    moves: { count: 1, amount: '300.00' },
    not_booked: { payout: { count: 1, amount: '200.00' }, other: { count: 0 } },
    gaps: { count: 0, first: [] },
    totals: [],
  });
  expect(await paymentsOf(house.db)).toEqual([
    '1000.00 reference INV-20260203-0001=1000.00',
    '500.00 reference INV-20260203-0001=500.00',
    '60840.00 unmatched',
  ]);
  const payments = await house.db
    .selectFrom('payments')
    .select(['receipt', 'verified_by', 'payer_name', 'payer_masked', 'account_typed', 'paid_at'])
    .orderBy('receipt')
    .execute();
  expect(payments).toMatchObject([
    {
      receipt: 'TKK0000001',
      verified_by: 'statement',
      payer_name: 'KAMAU NJOROGE',
      payer_masked: '25470****004',
      account_typed: 'INV-20260203-0001',
      paid_at: new Date('2026-11-20T06:00:00Z'),
    },
    { receipt: 'TKK0000002', verified_by: 'statement' },
    { receipt: 'TKK0000005', verified_by: 'statement', account_typed: 'nothing we know' },
  ]);
  expect(await balances(utility, '5010', '1015', '2040', '1200:CUST-001')).toEqual({
    // The payout is on the books of whoever sent it, not here.
    [utility]: 62_340_00n - 15_00n - 300_00n,
    '5010': 15_00n,
    '1015': 300_00n,
    '2040': 60_840_00n,
    '1200:CUST-001': 5_000_00n,
  });
  expect(await house.findings()).toEqual([]);
});

test('the same file twice, an overlapping one and the other layout change nothing more', async () => {
  await takes(csv(classic(day, { opening: '100.00' })));
  const before = await everything();
  const again = [
    await takes(csv(classic(day, { opening: '100.00' }))),
    await takes(csv(classic(day.slice(2, 5), { opening: '595.00' }))),
    await takes(csv(plain(day, { opening: '100.00' })), 'other.csv', '600000'),
    await takes(xlsx(plain(day, { opening: '100.00' })), 'Statements for 600000 from x.xlsx'),
  ];
  for (const { code, report } of again) {
    expect(code).toBe(0);
    expect(report.payments).toMatchObject({ new: { count: 0 }, confirmed: { count: 0 } });
    expect(report.lines.imported_before).toBe(report.lines.read);
  }
  expect(await everything()).toEqual(before);
  expect(await house.findings()).toEqual([]);
});

test('both layouts as CSV and as Excel say the same', async () => {
  const excel = classic(day, { opening: '100.00' });
  // As the portal's workbooks have them: times that are Excel's own.
  for (const [index, { at }] of day.entries()) excel[index + 7]![1] = excelTime(at);
  const files: [Buffer, string][] = [
    [csv(plain(day, { opening: '100.00' }), { mark: '\uFEFF' }), 'Statement for 600000.csv'],
    [csv(classic(day, { opening: '100.00' }), { end: '\n' }), 'a.csv'],
    [xlsx(excel), 'b.xlsx'],
    [xlsx(plain(day, { opening: '100.00' })), 'Statements for 600000 from 20-11-2026.xlsx'],
  ];
  const [first, ...others] = files;
  const { code, report } = await takes(...first!);
  expect(code).toBe(0);
  expect(report).toMatchObject({ layout: 'plain', payments: { new: { count: 3 } } });
  const before = await everything();
  for (const file of others) {
    const again = await takes(...file);
    expect(again.code).toBe(0);
    expect(again.report.lines).toMatchObject({ read: 7, imported_before: 7, bad: 0 });
  }
  expect(await everything()).toEqual(before);
});

test('a till is paid into its Merchant account, and year-first times are read', async () => {
  const rows = [
    [
      ...['Receipt No.', 'Completion Time', 'Details', 'Transaction Status'],
      ...['Paid In', 'Withdrawn', 'Balance'],
    ],
    [
      ...['TKK0000009', '2026-11-05 14:30:00', 'Merchant Payment from 254727***578 - NAME'],
      ...['Completed', '250', '', '250'],
    ],
    [
      ...['TKK0000009', '2026-11-05 14:30:00', 'Pay merchant Charge', 'Completed', '', '-1.5'],
      '248.5',
    ],
  ];
  const { code, report } = await takes(csv(rows), 'till.csv', '600001');
  expect(code).toBe(0);
  expect(report).toMatchObject({ account: 'merchant', payments: { new: { count: 1 } } });
  expect(await balances('1010:600001:merchant', '5010')).toEqual({
    '1010:600001:merchant': 248_50n,
    '5010': 1_50n,
  });
  const [paid] = await house.db.selectFrom('payments').selectAll().execute();
  expect(paid).toMatchObject({ account_typed: '', paid_at: new Date('2026-11-05T11:30:00Z') });
});

test('a move stands in the statements of both accounts and is booked once', async () => {
  const move = (amount: string): Happened => ({
    receipt: 'TKK0000010',
    at: '2026-11-20 10:00:00',
    amount,
    details: 'Utility Account to Working Account',
  });
  const back: Happened = {
    receipt: 'TKK0000011',
    at: '2026-11-20 11:00:00',
    amount: '-40.00',
    details: 'Organization MMF Account to Organization Utility Account',
  };
  const bank: Happened = {
    receipt: 'TKK0000012',
    at: '2026-11-20 12:00:00',
    amount: '-30.00',
    details: 'Agency Withdrawal of funds to Bank',
  };
  const one = await takes(csv(classic([move('-100.00')], { opening: '100.00' })));
  expect(one.report.moves).toEqual({ count: 1, amount: '100.00' });
  const two = await takes(
    csv(classic([move('100.00'), back, bank], { account: 'Working Account' })),
    'working.csv',
  );
  expect(two).toMatchObject({ code: 0, report: { booked_before: 1, moves: { count: 2 } } });
  expect(await balances(utility, '1010:600000:working', '1000')).toEqual({
    [utility]: -60_00n,
    '1010:600000:working': 30_00n,
    '1000': 30_00n,
  });
  expect(await house.findings()).toEqual([]);
});

test('bad lines are named with their number and hold up no other', async () => {
  const rows = csv(classic(day, { opening: '100.00' }))
    .toString()
    .split('\r\n');
  rows.splice(9, 0, 'TKK0000077,31-02-2026 10:00:00,,Pay Bill,Completed,5.00,,1.00');
  rows.splice(10, 0, ',20-11-2026 10:00:00,,"Pay Bill,Completed,5.00,,1.00');
  rows.splice(11, 0, 'TKK0000078,20-11-2026 10:00:00,,Pay Bill,Completed,five,,1.00', '');
  const { code, report, bad } = await takes(Buffer.from(rows.join('\r\n')));
  expect(code).toBe(1);
  expect(bad).toEqual([
    'Line 10: "31-02-2026 10:00:00" is no time of completion',
    'Line 11: a quote in it is never closed',
    'Line 12: "five" is no amount paid in',
  ]);
  expect(report).toMatchObject({
    lines: { read: 10, bad: 3 },
    payments: { new: { count: 3 } },
    gaps: { count: 0 },
  });
  expect(report.bad_lines.map((it: { line: number }) => it.line)).toEqual([10, 11, 12]);
});

test('a quote that swallows lines costs none but its own', async () => {
  const rows = csv(classic(day, { opening: '100.00' }))
    .toString()
    .split('\r\n');
  rows[8] = rows[8]!.replace('Pay Bill Charge', '"Pay Bill Charge');
  rows[10] = rows[10]!.replace('SP', 'SP"');
  const { report, bad } = await takes(Buffer.from(rows.join('\r\n')));
  expect(bad).toEqual(['Line 9: a quote in it is never closed']);
  expect(report).toMatchObject({ lines: { read: 7, bad: 1 }, charges: { count: 1 } });
});

test('a line that the running balance misses is a gap between two lines', async () => {
  const some = day.filter((line) => !line.receipt.endsWith('3'));
  const gappy = classic(day, { opening: '100.00' }).filter((row) => row[0] !== 'TKK0000003');
  const broken = `${csv(gappy).toString()}?,,,,,,,\r\n`;
  const one = await imports(Buffer.from(broken));
  expect(one).toMatchObject({ code: 1, stderr: 'Line 14: "?" is no receipt\n' });
  expect(one.stdout).toContain(
    'Between line 11 and line 12 KES 300.00 is missing (withdrawn).\n' +
      'The statement says KES 515.00 withdrawn, and its lines KES 215.00.',
  );
  const newest_first = plain(day, { opening: '100.00' }).filter((row) => row[0] !== 'TKK0000003');
  const two = await takes(csv(newest_first), 'Statements for 600000.csv');
  expect(two.code).toBe(1);
  expect(two.report.gaps).toEqual({
    count: 1,
    first: [{ after_line: 3, before_line: 4, missing: '-300.00' }],
  });
  // Whole again, with another beginning.
  const three = await takes(csv(plain(some, { opening: '7.00' })), 'Statements for 600000.csv');
  expect(three.report.gaps.count).toBe(0);
});

test('a file that is no statement is refused in one line that says what was expected', async () => {
  const refused = async (bytes: Buffer, name: string) => {
    const error = await takes(bytes, name).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SetupError);
    expect((error as Error).message).not.toContain('\n');
    return (error as Error).message;
  };
  const none = await imports(Buffer.from('Date,Amount\n1,2\n'), 'none.csv');
  expect(none).toMatchObject({ code: 1, stdout: '' });
  expect(none.stderr).toMatch(/^\S+none.csv is no statement of M-Pesa’s: expected.*\n$/);
  const columns = /expected the columns Receipt No\., Completion Time, Details/;
  expect(await refused(Buffer.from('Date,Amount\n1,2\n'), 'a.csv')).toMatch(columns);
  expect(await refused(Buffer.alloc(0), 'b.csv')).toMatch(columns);
  expect(await refused(Buffer.from([0, 255, 254, 10, 13, 200]), 'c.csv')).toMatch(columns);
  expect(await refused(xlsx([['Date', 'Amount']]), 'd.xlsx')).toMatch(columns);
  expect(await refused(xlsx(classic(day)).subarray(0, 900), 'e.xlsx')).toMatch(/no whole Excel/);
  expect(await refused(Buffer.from('d0cf11e0a1b11ae1', 'hex'), 'f.xls')).toMatch(
    /save it as .xlsx/,
  );
  expect(await refused(csv(classic(day, { shortcode: '600009' })), 'g.csv')).toMatch(
    /600009, and ours are 600000, 600001/,
  );
  expect(await refused(csv(classic(day, { account: 'Bonus' })), 'h.csv')).toMatch(/no place/);
  expect(await refused(csv(plain(day)), 'i.csv')).toMatch(/add --shortcode/);
  await expect(refused(Buffer.from('x'.repeat(200_000)), 'j.csv')).resolves.toMatch(
    /without an end/,
  );
  expect(await everything()).toMatchObject({ inbox: 0n, lines: 0n });
});

test('wrong usage exits 2, and another shortcode than the file says is refused', async () => {
  expect((await karani(['statement', 'import'], env())).code).toBe(2);
  expect((await imports(csv(plain(day)), 'a.csv', '--shortcode', '12')).code).toBe(2);
  await expect(takes(csv(classic(day)), 'a.csv', '600001')).rejects.toThrow(
    /is of 600000, not of 600001/,
  );
});

test('another amount under a known receipt contradicts, and posts nothing', async () => {
  await hearSecond();
  const other = [{ ...day[2]!, amount: '900.00' }];
  const { code, report } = await takes(csv(classic(other)));
  expect(code).toBe(1);
  expect(report).toMatchObject({ contradicting: 1, payments: { new: { count: 0 } } });
  expect(await balances(utility)).toEqual({ [utility]: 1_000_00n });
  expect(await house.findings()).toEqual([]);
});

test('lines that moved nothing, and those that nobody can name, are kept and counted', async () => {
  const odd: Happened[] = [
    { ...pay('TKK0000020', '2026-11-20 09:00:00', '500.00', 'X'), status: 'Declined' },
    { receipt: 'TKK0000021', at: '2026-11-20 09:01:00', amount: '5.00', details: 'A wonder' },
    charge('TKK0000022', '2026-11-20 09:02:00', '0.00'),
  ];
  const { code, report } = await takes(csv(classic(odd)));
  expect(report).toMatchObject({
    moved_nothing: 2,
    not_booked: { other: { count: 1, amount: '5.00' } },
    payments: { new: { count: 0 } },
  });
  expect(report.gaps.count).toBe(0);
  expect(code).toBe(0);
  expect(await paymentsOf(house.db)).toEqual([]);
});

test('two lines that look alike are taken once, and named when their balances differ', async () => {
  const twice = [
    day[0]!,
    charge('TKK0000001', day[0]!.at, '-5.00'),
    charge('TKK0000001', day[0]!.at, '-5.00'),
  ];
  const { code, stdout } = await imports(csv(classic(twice)));
  expect(code).toBe(1);
  expect(stdout).toContain(
    'Line 10: TKK0000001 is known with another balance, and was taken once.',
  );
  expect(await balances('5010')).toEqual({ '5010': 5_00n });
});

test('a payment that M-Pesa took back is reversed, and a part of one is for a person', async () => {
  const back = (receipt: string, at: string, amount: string, linked: string): Happened => ({
    receipt,
    at: `2026-11-20 ${at}`,
    amount,
    // What the payer typed is a receipt too, and means nothing.
    details: 'Pay Bill Reversal to 25470****004 - KAMAU Acc. TKK0000005',
    linked,
  });
  const { code, report } = await takes(
    csv(
      classic([
        ...day,
        back('TKK0000030', '17:00:00', '-500.00', 'TKK0000001'),
        back('TKK0000031', '17:01:00', '-10.00', 'TKK0000002'),
        back('TKK0000032', '17:02:00', '-7.00', 'TKK0000099'),
        back('TKK0000033', '17:03:00', '-60840.00', ''),
      ]),
    ),
  );
  expect(code).toBe(0);
  expect(report).toMatchObject({
    reversals: { count: 1, amount: '500.00' },
    not_booked: { reversal: { count: 3 } },
  });
  const reversed = await house.db
    .selectFrom('payments')
    .select(['receipt', 'reversal_receipt', 'reversed_at'])
    .where('reversed_at', 'is not', null)
    .execute();
  expect(reversed).toEqual([
    {
      receipt: 'TKK0000001',
      reversal_receipt: 'TKK0000030',
      reversed_at: new Date('2026-11-20T14:00:00Z'),
    },
  ]);
  expect(await balances(utility)).toEqual({ [utility]: 61_840_00n - 15_00n - 300_00n });
  expect(await house.findings()).toEqual([]);
});

test('a reversal that is told before its payment takes it back when it comes', async () => {
  const newest = { receipt: 'TKK0000040', at: '2026-11-20 08:00:00', amount: '-500.00' };
  const reversal = { ...newest, details: 'Reversal of TKK0000001', linked: 'TKK0000001' };
  const outcome = async () => {
    const query = house.db.selectFrom('statement_lines').select(['outcome', 'reversed_receipt']);
    return query.where('kind', '=', 'reversal').executeTakeFirst();
  };
  await takes(csv(classic([reversal])));
  expect(await outcome()).toEqual({ outcome: 'not_booked', reversed_receipt: 'TKK0000001' });
  await takes(csv(classic([day[0]!])));
  expect(await outcome()).toEqual({ outcome: 'booked', reversed_receipt: 'TKK0000001' });
  expect(await balances(utility)).toEqual({ [utility]: 0n });
  expect(await house.findings()).toEqual([]);
});

test('an import that is killed in the middle goes on where it was', async () => {
  const many = Array.from({ length: 3_000 }, (_, n): Happened => {
    const at = `2026-11-20 1${Math.floor(n / 600)}:${String(n % 60).padStart(2, '0')}:00`;
    return pay(`TKM${String(n).padStart(7, '0')}`, at, '10.00', `CUST-00${n % 3}`);
  }).sort((a, b) => (a.at < b.at ? -1 : 1));
  const path = join(folder, 'long.csv');
  writeFileSync(path, csv(classic(many)));
  const child = spawn(process.execPath, ['src/cli.ts', 'statement', 'import', path], {
    env: { ...process.env, ...env() },
    stdio: 'ignore',
  });
  const exited = once(child, 'exit');
  const worked = async () =>
    sql<{ kept: number; taken: number }>`
      select count(*)::int as kept, count(*) filter (where outcome <> 'waiting')::int as taken
      from statement_lines`
      .execute(house.db)
      .then(({ rows }) => rows[0]!);
  await eventually(worked, ({ taken }) => taken > 0, 60_000);
  child.kill('SIGKILL');
  await exited;
  expect((await worked()).taken).toBeLessThan(3_000);

  const { code, stdout } = await imports(csv(classic(many)), 'long.csv', '--json');
  expect(code).toBe(0);
  // It is the same import, and its report is of all of it.
  expect(JSON.parse(stdout)).toMatchObject({
    lines: { read: 3_000, imported_before: 0, failed: 0 },
    payments: { new: { count: 3_000, amount: '30000.00' } },
  });
  expect(await balances(utility)).toEqual({ [utility]: 30_000_00n });
  expect(await house.findings()).toEqual([]);
});

test('two imports at once, and a worker beside them, import everything once', async () => {
  const many = day.concat(
    Array.from({ length: 400 }, (_, n) =>
      pay(`TKN${String(n).padStart(7, '0')}`, '2026-11-20 17:00:00', '10.00', 'CUST-001'),
    ),
  );
  const one = csv(classic(many));
  const other = csv(plain(many));
  const [a, b] = await Promise.all([
    takes(one, 'a.csv'),
    takes(other, 'Statements for 600000.csv'),
    drainStatementLines(house.db, house.receive),
  ]);
  expect([a.code, b.code]).toEqual([0, 0]);
  expect(a.report.payments.new.count + b.report.payments.new.count).toBe(403);
  expect(await balances(utility, '5010')).toEqual({
    [utility]: 66_340_00n - 15_00n - 300_00n,
    '5010': 15_00n,
  });
  expect(await house.findings()).toEqual([]);
});

test('ledger verify names a line that is not on the books as it says', async () => {
  await takes(csv(classic(day, { opening: '100.00' })));
  await house.db
    .updateTable('statement_lines')
    .set({ amount_cents: -6_00n })
    .where('receipt', '=', 'TKK0000001')
    .where('kind', '=', 'charge')
    .execute();
  const [first] = await house.findings();
  expect(first?.check).toBe('what a statement booked is on the books, with its amount');
});

test('what was paid long ago pays what its payer named and no more, and the rest waits', async () => {
  const { words } = await takes(
    csv(
      classic([
        pay('SAK0000001', '2024-11-20 09:00:00', '5200.00', 'INV-20260203-0001'),
        // Kamau's own number, and nothing that says which of his invoices: none of then is open now.
        pay('SAK0000002', '2024-11-20 10:00:00', '1500.00', 'CUST-001'),
        pay('SAK0000003', '2024-11-20 11:00:00', '300.00', '0700000004'),
      ]),
    ),
  );
  expect(await paymentsOf(house.db)).toEqual([
    '5200.00 reference INV-20260203-0001=5000.00',
    '1500.00 unmatched',
    '300.00 unmatched',
  ]);
  expect(words.join('\n')).toMatch(/Found, and waiting for a person +3  KES 2,000\.00/);
  expect(await house.db.selectFrom('outbox').select('template').execute()).toEqual([]);
  expect(await house.findings()).toEqual([]);
});

test('of payments of long ago nobody is thanked, and the admins hear in a digest', async () => {
  const { code } = await takes(
    csv(classic([pay('SAK0000001', '2024-11-20 09:00:00', '500.00', 'INV-20260203-0001')])),
  );
  expect(code).toBe(0);
  expect(await paymentsOf(house.db)).toEqual(['500.00 reference INV-20260203-0001=500.00']);
  expect(await house.db.selectFrom('outbox').select('template').execute()).toEqual([]);
  await sql`update payments set created_at = now() - interval '2 minutes'`.execute(house.db);
  await sendDigest(house.db);
  const told = await house.db.selectFrom('outbox').select('template').execute();
  expect(told).toEqual([{ template: 'payment_digest' }, { template: 'payment_digest' }]);
});
