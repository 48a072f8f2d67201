import { createHash } from 'node:crypto';
import { createReadStream, openAsBlob } from 'node:fs';
import { open } from 'node:fs/promises';
import { messageOf, SetupError } from '../base/errors.ts';
import type { Cell } from './cells.ts';

/** A row of a file by its number there, or why it cannot be read. */
export type Row = { number: number; cells: readonly Cell[] } | { number: number; fault: string };

/** A file of rows, CSV or Excel, by what is in it and not by its name. */
export interface RowFile {
  /** SHA-256 of all of it. */
  hash: Buffer;
  size: number;
  /** Reads the rows from the beginning; `read` hears how many bytes it has taken so far. */
  rows: (read: (bytes: number) => void) => AsyncIterable<Row>;
}

const zip = Buffer.from('PK\u0003\u0004');
const old_excel = Buffer.from('d0cf11e0', 'hex');

/** Opens a file. Throws SetupError when it cannot be read, or is what nobody can stream. */
export async function openRows(path: string): Promise<RowFile> {
  const { head, size } = await readHead(path);
  if (head.subarray(0, 4).equals(old_excel)) {
    throw new SetupError(
      `${path} is an old or locked Excel file: save it as .xlsx or CSV without a password.`,
    );
  }
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  const is_excel = head.subarray(0, 4).equals(zip);
  return {
    hash: hash.digest(),
    size,
    rows: (read) => (is_excel ? excelRows(path, read) : csvRows(path, head, read)),
  };
}

async function readHead(path: string): Promise<{ head: Buffer; size: number }> {
  try {
    await using file = await open(path);
    const stat = await file.stat();
    if (!stat.isFile()) throw new Error('it is no file');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return { head: buffer.subarray(0, bytesRead), size: stat.size };
  } catch (error) {
    throw new SetupError(`${path} cannot be read (${messageOf(error)}).`);
  }
}

// hucre, since it gives rows one by one from a stream, looks out for zip bombs, and needs nothing
// else; readers with more users hold the whole sheet. Loaded when there is such a file.
async function* excelRows(path: string, read: (bytes: number) => void): AsyncIterable<Row> {
  const { streamXlsxRows } = await import('hucre/xlsx');
  const file = await openAsBlob(path);
  let bytes = 0;
  const counted = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, to) {
      read((bytes += chunk.length));
      to.enqueue(chunk);
    },
  });
  try {
    for await (const row of streamXlsxRows(file.stream().pipeThrough(counted))) {
      yield { number: row.index + 1, cells: row.values.map(plainCell) };
    }
  } catch (error) {
    throw new SetupError(`${path} is no whole Excel workbook (${messageOf(error)}).`);
  }
}

function plainCell(value: unknown): Cell {
  const kind = typeof value;
  const plain = kind === 'string' || kind === 'number' || kind === 'boolean';
  return plain || value instanceof Date ? (value as Cell) : null;
}

const longest_line = 64 * 1024;
const lines_at_once = 500;

// Line by line, since no field of a statement has a line break: a quote that is never closed costs
// its own line and not the rest of the file. Those of a batch in one call, which is ten times as
// fast as one by one.
async function* csvRows(
  path: string,
  head: Buffer,
  read: (bytes: number) => void,
): AsyncIterable<Row> {
  const { parse } = await import('csv-parse/sync');
  const parseOne = ({ number, text }: Line): Row => {
    try {
      const [cells = []] = parse(text, { relax_column_count: true, relax_quotes: true });
      return { number, cells };
    } catch {
      return { number, fault: 'a quote in it is never closed' };
    }
  };
  const parseAll = (lines: Line[]): Row[] => {
    try {
      const text = lines.map((line) => line.text).join('\n');
      const rows = parse(text, { relax_column_count: true });
      // Fewer when a quote has swallowed a line break.
      if (rows.length === lines.length) {
        return lines.map(({ number }, index) => ({ number, cells: rows[index] ?? [] }));
      }
    } catch {
      // One of them is wrong; which, and how, is found one by one.
    }
    return lines.map(parseOne);
  };
  let batch: Line[] = [];
  for await (const line of linesOf(path, head, read)) {
    if (line.text.trim() === '') continue;
    batch.push(line);
    if (batch.length < lines_at_once) continue;
    yield* parseAll(batch);
    batch = [];
  }
  yield* parseAll(batch);
}

interface Line {
  number: number;
  text: string;
}

async function* linesOf(
  path: string,
  head: Buffer,
  read: (bytes: number) => void,
): AsyncIterable<Line> {
  const utf16 = head[0] === 0xff && head[1] === 0xfe;
  // Takes the mark at the beginning away.
  const decoder = new TextDecoder(utf16 ? 'utf-16le' : 'utf-8');
  let bytes = 0;
  let number = 0;
  let rest = '';
  for await (const chunk of createReadStream(path)) {
    read((bytes += (chunk as Buffer).length));
    const lines = (rest + decoder.decode(chunk as Buffer, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const text of lines) yield { number: (number += 1), text: text.replace(/\r$/, '') };
    if (rest.length > longest_line) throw new SetupError(`${path} has lines without an end.`);
  }
  yield { number: number + 1, text: rest + decoder.decode() };
}
