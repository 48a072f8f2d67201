import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { messageOf, SetupError } from './errors.ts';

/** A line of a table, by its columns' names in small letters; or what is wrong with it. */
export type Line =
  | { line: number; values: Readonly<Record<string, string>> }
  | { line: number; wrong: string };

const longest_header = 4_096;

/**
 * The lines of a CSV file with a header, one after the other, whatever its size. What separates its
 * columns is read off the header: a comma, a semicolon or a tab. Throws SetupError when there is no
 * such file, or when its header lacks one of the columns.
 */
export async function* readCsv(path: string, columns: readonly string[]): AsyncGenerator<Line> {
  const header = await headerOf(path);
  const separators = [',', ';', '\t'];
  const delimiter = separators.reduce((best, it) =>
    header.split(it).length > header.split(best).length ? it : best,
  );
  // Loaded where a file is read, and nowhere else.
  const { parse } = await import('csv-parse');
  const options = { delimiter, bom: true, trim: true, skip_empty_lines: true, info: true };
  const rows = createReadStream(path).pipe(parse({ ...options, relax_column_count: true }));
  let names: string[] | undefined;
  try {
    for await (const row of rows as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
      const { record, info } = row;
      if (!names) {
        names = record.map((name) => name.toLowerCase());
        const missing = columns.filter((name) => !names?.includes(name));
        if (missing.length === 0) continue;
        throw new SetupError(
          `${path}: the first line names the columns, and ${missing.join(', ')} is missing.`,
        );
      }
      const cells = record.map((cell, index) => [names?.[index] ?? '', cell] as const);
      yield record.length === names.length
        ? { line: info.lines, values: Object.fromEntries(cells) }
        : {
            line: info.lines,
            wrong: `has ${record.length} columns, and the first line ${names.length}`,
          };
    }
  } catch (error) {
    if (error instanceof SetupError) throw error;
    const line = error instanceof Error && 'lines' in error ? Number(error.lines) : 0;
    yield { line, wrong: `cannot be read, nor what follows: ${messageOf(error)}` };
  }
}

async function headerOf(path: string): Promise<string> {
  const file = await open(path).catch((error: unknown) => {
    throw new SetupError(`${path} cannot be read: ${messageOf(error)}`);
  });
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(longest_header), 0, longest_header);
    return buffer.subarray(0, bytesRead).toString('utf8').split(/\r?\n/)[0] ?? '';
  } finally {
    await file.close();
  }
}
