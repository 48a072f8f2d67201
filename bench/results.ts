import { writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import type { Table } from './part.ts';

const file = new URL('./RESULTS.md', import.meta.url);

/** A table for the terminal. */
export function show(table: Table): string {
  const lines = [table.columns, ...table.rows];
  const widths = table.columns.map((_, i) =>
    Math.max(...lines.map((line) => (line[i] ?? '').length)),
  );
  const text = lines.map((line) =>
    line
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('   '),
  );
  return ['', table.title, '', ...text, ...table.notes.map((note) => `  ${note}`)].join('\n');
}

/** Writes what was measured to RESULTS.md, with the machine that it was measured on. */
export function writeResults(tables: Table[], postgres_version: string, seconds: number): void {
  const machine = [
    new Date().toISOString().slice(0, 10),
    `${cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${cpus().length} cores`,
    `${Math.round(totalmem() / 2 ** 30)} GB`,
    `PostgreSQL ${postgres_version}`,
    `Node ${process.versions.node}`,
    `rounds of ${seconds} s`,
  ];
  const text = [
    '# What the benchmarks said',
    '',
    `${machine.join('; ')}.`,
    '',
    'Ratios are ours against a reference measured in the same run, in alternating rounds, medians. Figures are',
    'of this machine; ratios mean the same everywhere. `npm run bench -- --write` writes this file.',
    ...tables.flatMap(markdown),
    '',
  ];
  writeFileSync(file, text.join('\n'));
}

function markdown({ title, compares, columns, rows, notes }: Table): string[] {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [
    '',
    `## ${title}`,
    '',
    compares,
    '',
    line(columns),
    line(columns.map((_, i) => (i === 0 ? '---' : '---:'))),
    ...rows.map(line),
    ...(notes.length > 0 ? ['', ...notes.map((note) => `- ${note}`)] : []),
  ];
}
