import { sql } from 'kysely';
import { clock, eatDate, startOfEatDay } from '../base/clock.ts';
import type { Db } from '../base/db.ts';
import { assert } from '../base/errors.ts';
import { decimalFromCents, moneyWords } from '../base/money.ts';
import { localPhone } from '../base/phone.ts';
import type { Language } from '../flow/action.ts';
import type { Paper } from '../outbox/notify.ts';
import { msisdnOf } from '../people/find.ts';
import { customerStatement, withPaid } from './customer-statement.ts';
import { drawPaper, type Drawing } from './draw-paper.ts';
import { paperWords } from './paper-words.ts';

/** A paper as a file. */
export interface DrawnPaper {
  name: string;
  mime: string;
  bytes: Buffer;
}

type HouseWords = Readonly<Record<string, string>>;

/** Draws the paper of a message in its reader's language, as things stand now. */
export async function paperOf(
  db: Db,
  paper: Paper,
  it: { language: Language; house: HouseWords },
): Promise<DrawnPaper> {
  const drawn =
    paper.kind === 'invoice' ? invoicePaper(db, paper, it) : statementPaper(db, paper, it);
  const { name, drawing } = await drawn;
  return { name: `${name}.pdf`, mime: 'application/pdf', bytes: await drawPaper(drawing) };
}

interface Told {
  language: Language;
  house: HouseWords;
}

async function invoicePaper(
  db: Db,
  { number }: Extract<Paper, { kind: 'invoice' }>,
  { language, house }: Told,
) {
  const words = paperWords[language];
  const invoice = await db
    .selectFrom('invoices as i')
    .innerJoin('customers as c', 'c.id', 'i.customer_id')
    .select(['i.id', 'i.total_cents', 'i.outstanding_cents', 'i.issued_on', 'i.due_on', 'i.state'])
    .select(['i.description', 'c.id as customer_id'])
    .where('i.number', '=', number)
    .executeTakeFirst();
  assert(invoice, `there is an invoice ${number}`);
  const is_void = invoice.state === 'VOID';
  const paid_cents = is_void ? 0n : invoice.total_cents - invoice.outstanding_cents;
  const drawing: Drawing = {
    title: words.invoice,
    note: words.not_tax,
    from: fromHouse(house),
    to: await toCustomer(db, invoice.customer_id),
    facts: [
      [words.number, number],
      [words.issued, day(invoice.issued_on)],
      [words.due, day(invoice.due_on)],
      [words.state, words.states[invoice.state]],
    ],
    columns: [
      { label: words.what, width: 360, align: 'left' },
      { label: words.amount, width: 135, align: 'right' },
    ],
    rows: inLines(invoice.description || words.goods).map((text, n) => [
      text,
      n === 0 ? money(invoice.total_cents) : '',
    ]),
    totals: [
      [words.total, money(invoice.total_cents)],
      [words.paid, money(paid_cents)],
      [words.left, money(invoice.outstanding_cents)],
    ],
    foot: invoice.outstanding_cents > 0n ? howToPay(words.how_to_pay, house, number) : [],
    page: words.page,
  };
  return { name: number, drawing };
}

async function statementPaper(
  db: Db,
  { customer, from, to }: Extract<Paper, { kind: 'statement' }>,
  { language, house }: Told,
) {
  const words = paperWords[language];
  const { id } = await db
    .selectFrom('customers')
    .select('id')
    .where('number', '=', customer)
    .executeTakeFirstOrThrow();
  // To the end of the last day.
  const until = new Date(startOfEatDay(to).getTime() + 24 * 60 * 60 * 1_000);
  const found = await customerStatement(db, customer, { from: startOfEatDay(from), until });
  const drawing: Drawing = {
    title: words.statement,
    note: `${day(from)} - ${day(to)}. ${words.not_tax}`,
    from: fromHouse(house),
    to: await toCustomer(db, id),
    facts: [
      [words.drawn, day(eatDate(clock.now()))],
      [words.opening, money(found.opening_cents)],
      [words.closing, money(found.closing_cents)],
    ],
    columns: [
      { label: words.date, width: 80, align: 'left' },
      { label: words.reference, width: 175, align: 'left' },
      { label: words.amount, width: 120, align: 'right' },
      { label: words.balance, width: 120, align: 'right' },
    ],
    rows: found.lines.map((it) => [
      day(eatDate(it.at)),
      withPaid(it.reference, it.paid_for),
      money(it.change_cents),
      money(it.after_cents),
    ]),
    totals: [
      [words.opening, money(found.opening_cents)],
      [words.invoiced, money(found.invoiced_cents)],
      [words.paid, money(found.paid_cents)],
      [words.closing, money(found.closing_cents)],
    ],
    foot: [words.signs, ...howToPay(words.how_to_pay, house, customer)],
    page: words.page,
  };
  return { name: `${customer} ${from} ${to}`, drawing };
}

const longest_line = 55;

function inLines(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line === undefined || line.length + word.length >= longest_line) lines.push(word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines;
}

function fromHouse({ shop = '', help = '', paybill = '' }: HouseWords): string[] {
  return [shop, help, `Paybill ${paybill}`];
}

async function toCustomer(db: Db, id: bigint): Promise<string[]> {
  const { rows } = await sql<{ name: string; number: string; msisdn: string | null }>`
    select c.name, c.number, ${msisdnOf(sql`c.person_id`)} as msisdn
    from customers c where c.id = ${id}
  `.execute(db);
  return rows.flatMap(({ name, number, msisdn }) => [
    name,
    number,
    ...(msisdn === null ? [] : [localPhone(msisdn)]),
  ]);
}

function howToPay(words: string, { paybill = '' }: HouseWords, account: string): string[] {
  return [words.replace('{paybill}', paybill).replace('{account}', account)];
}

function money(cents: bigint): string {
  return moneyWords(decimalFromCents(cents), false) ?? '';
}

// As statements have it: 03/02/2026.
function day(date: string): string {
  return date.split('-').reverse().join('/');
}
