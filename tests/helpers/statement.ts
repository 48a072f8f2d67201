import { crc32, deflateRawSync } from 'node:zlib';
import { centsFromDecimal, decimalFromCents } from '../../src/base/money.ts';

/** What happened to an account at M-Pesa, as one line of its statement. */
export interface Happened {
  receipt: string;
  /** Nairobi's clock, "2026-11-20 14:30:00". */
  at: string;
  details: string;
  /** "500.00" came in, "-5.00" went out. */
  amount: string;
  status?: string;
  reason?: string;
  other_party?: string;
  linked?: string;
  account_no?: string;
  /** Replaces what the sum makes it. */
  balance?: string;
}

type Rows = (string | number)[][];

const cents = (text: string) => centsFromDecimal(text) ?? 0n;
const grouped = (text: string) => text.replace(/\B(?=(\d{3})+(?!\d)(?=.*\.))/g, ',');

function withBalances(lines: Happened[], opening: string): (Happened & { balance: string })[] {
  let balance = cents(opening);
  return lines.map((line) => {
    if ((line.status ?? 'Completed') === 'Completed') balance += cents(line.amount);
    return { ...line, balance: line.balance ?? decimalFromCents(balance) };
  });
}

const swapped = (at: string, dash: string) =>
  at.replace(/^(\d{4})-(\d\d)-(\d\d)/, `$3${dash}$2${dash}$1`);

/** The layout with rows about the account above the header; the oldest line first. */
export function classic(
  lines: Happened[],
  { opening = '0.00', shortcode = '600000', account = 'Utility Account' } = {},
): Rows {
  const all = withBalances(lines, opening);
  const sum = (sign: 1 | -1) =>
    decimalFromCents(
      all.reduce(
        (n, { amount, status }) =>
          Math.sign(Number(amount)) === sign && status !== 'Declined' ? n + cents(amount) : n,
        0n,
      ),
    );
  const closing = all.at(-1)?.balance ?? opening;
  const day = (at = '2026-11-20 00:00:00') => swapped(at, '-');
  return [
    ['Account Holder:', 'Duka la Wanjiru'],
    ['Short Code:', shortcode],
    ['Account:', account],
    ['Time Period:', 'From ', day(all[0]?.at), 'To', day(all.at(-1)?.at)],
    ['Operator:', 'wanjiru', 'Organization:', 'Duka', 'Date of Report:', day()],
    [
      ...['Opening Balance:', opening, 'Closing Balance:', closing, 'Available Balance:', ''],
      ...['Total Paid In:', sum(1), 'Total Withdrawn:', sum(-1)],
    ],
    [
      ...['Receipt No.', 'Completion Time', 'Initiation Time', 'Details', 'Transaction Status'],
      ...['Paid In', 'Withdrawn', 'Balance', 'Balance Confirmed', 'Reason Type'],
      ...['Other Party Info', 'Linked Transaction ID', 'A/C No.'],
    ],
    ...all.map((it) => [
      ...[it.receipt, day(it.at), day(it.at), it.details, it.status ?? 'Completed'],
      ...(it.amount.startsWith('-') ? ['', it.amount] : [it.amount, '']),
      ...[it.balance, 'true', it.reason ?? '', it.other_party ?? '', it.linked ?? ''],
      it.account_no ?? '',
    ]),
  ];
}

/** The layout without anything above the header; the newest line first. */
export function plain(lines: Happened[], { opening = '0.00' } = {}): Rows {
  return [
    [
      ...['Receipt No', 'Completion Time', 'Details', 'Transaction Status'],
      ...['Paid In (KSHs)', 'Withdrawn (KSHs)', 'Balance (KSHs)'],
    ],
    ...withBalances(lines, opening)
      .map((it) => [
        ...[it.receipt, swapped(it.at, '/'), it.details, it.status ?? 'Completed'],
        ...(it.amount.startsWith('-')
          ? ['0.00', grouped(it.amount.slice(1))]
          : [grouped(it.amount), '0.00']),
        grouped(it.balance),
      ])
      .reverse(),
  ];
}

/** Rows as a CSV file, with a mark at its beginning where the portal writes one. */
export function csv(rows: Rows, { mark = '', end = '\r\n' } = {}): Buffer {
  const field = (cell: string | number) =>
    /[",\n]/.test(String(cell)) ? `"${String(cell).replaceAll('"', '""')}"` : String(cell);
  return Buffer.from(`${mark}${rows.map((row) => row.map(field).join(',')).join(end)}${end}`);
}

const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Rows as an Excel workbook of one sheet; numbers are dates, as Excel keeps them. */
export function xlsx(rows: Rows): Buffer {
  const cell = (value: string | number, row: number, column: number) => {
    const at = `${String.fromCharCode(65 + column)}${row + 1}`;
    return typeof value === 'number'
      ? `<c r="${at}" s="1"><v>${value}</v></c>`
      : `<c r="${at}" t="inlineStr"><is><t xml:space="preserve">${escaped(value)}</t></is></c>`;
  };
  const sheet = rows
    .map((row, r) => `<row r="${r + 1}">${row.map((it, c) => cell(it, r, c)).join('')}</row>`)
    .join('');
  const main = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main';
  const office = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
  const packaged = 'http://schemas.openxmlformats.org/package/2006';
  const type = 'application/vnd.openxmlformats-officedocument.spreadsheetml';
  const relation = (id: string, name: string, target: string) =>
    `<Relationship Id="${id}" Type="${office}/${name}" Target="${target}"/>`;
  return zip({
    '[Content_Types].xml':
      `<Types xmlns="${packaged}/content-types">` +
      '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>' +
      `<Override PartName="/xl/workbook.xml" ContentType="${type}.sheet.main+xml"/>` +
      `<Override PartName="/xl/styles.xml" ContentType="${type}.styles+xml"/>` +
      `<Override PartName="/xl/worksheets/sheet1.xml" ContentType="${type}.worksheet+xml"/></Types>`,
    '_rels/.rels': `<Relationships xmlns="${packaged}/relationships">${relation('a', 'officeDocument', 'xl/workbook.xml')}</Relationships>`,
    'xl/workbook.xml': `<workbook xmlns="${main}" xmlns:r="${office}"><sheets><sheet name="Statements" sheetId="1" r:id="a"/></sheets></workbook>`,
    'xl/_rels/workbook.xml.rels': `<Relationships xmlns="${packaged}/relationships">${relation('a', 'worksheet', 'worksheets/sheet1.xml')}${relation('b', 'styles', 'styles.xml')}</Relationships>`,
    'xl/styles.xml': `<styleSheet xmlns="${main}"><numFmts count="1"><numFmt numFmtId="164" formatCode="dd-mm-yyyy hh:mm:ss"/></numFmts><fonts count="1"><font/></fonts><fills count="1"><fill/></fills><borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="2"><xf/><xf numFmtId="164" applyNumberFormat="1"/></cellXfs></styleSheet>`,
    'xl/worksheets/sheet1.xml': `<worksheet xmlns="${main}"><sheetData>${sheet}</sheetData></worksheet>`,
  });
}

/** Nairobi's clock as Excel counts it: days since the end of 1899. */
export function excelTime(at: string): number {
  return Date.parse(`${at.replace(' ', 'T')}Z`) / 86_400_000 + 25_569;
}

function zip(files: Record<string, string>): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, text] of Object.entries(files)) {
    const bytes = Buffer.from(text);
    const packed = deflateRawSync(bytes);
    const head = Buffer.alloc(26);
    head.writeUInt16LE(20, 0);
    head.writeUInt16LE(8, 4);
    head.writeUInt32LE(crc32(bytes), 10);
    head.writeUInt32LE(packed.length, 14);
    head.writeUInt32LE(bytes.length, 18);
    head.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = [Buffer.from('PK\u0003\u0004'), head, Buffer.from(name), packed];
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    directory.push(
      Buffer.concat([Buffer.from('PK\u0001\u0002\u0014\u0000'), head, tail, Buffer.from(name)]),
    );
    parts.push(...local);
    offset += local.reduce((sum, part) => sum + part.length, 0);
  }
  const index = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(directory.length, 4);
  end.writeUInt16LE(directory.length, 6);
  end.writeUInt32LE(index.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...parts, index, Buffer.from('PK\u0005\u0006'), end]);
}
