import { callbacks } from './a-callbacks.ts';
import { endToEnd } from './b-end-to-end.ts';
import { hotAccount } from './c-hot-account.ts';
import { growth } from './d-growth.ts';
import { severalProcesses } from './e-several-processes.ts';
import { verifying } from './f-verify.ts';
import { starting } from './g-start.ts';
import { steady } from './h-steady.ts';
import { turns } from './i-turns.ts';
import { ussd } from './j-ussd.ts';
import { openDues } from './k-open-dues.ts';
import { customerStatements } from './l-customer-statement.ts';
import { statementImport } from './m-statement-import.ts';
import type { Table } from './part.ts';
import { findPgbench } from './pgbench.ts';
import { show, writeResults } from './results.ts';
import { startServer } from './server.ts';

// npm run bench [-- LETTERS… | --write]. BENCH_SECONDS is the length of a round.

const parts = [
  callbacks,
  endToEnd,
  hotAccount,
  growth,
  severalProcesses,
  verifying,
  starting,
  steady,
  turns,
  ussd,
  openDues,
  customerStatements,
  statementImport,
];

const args = process.argv.slice(2);
const letters = args.filter((arg) => arg !== '--write');
const unknown = letters.filter((letter) => !parts.some((part) => part.letter === letter));
if (unknown.length > 0) {
  const list = parts.map((part) => `  ${part.letter}  ${part.title}`).join('\n');
  console.error(`There is no part ${unknown.join(', ')}. There are:\n${list}`);
  process.exit(2);
}

// It would leave out what the others said.
if (letters.length > 0 && args.includes('--write')) {
  console.error('--write is for a run of all parts: leave the letters out');
  process.exit(2);
}

const seconds = Number(process.env['BENCH_SECONDS'] ?? 3);
const pgbench = findPgbench();
const server = await startServer();
const tables: Table[] = [];
const began = performance.now();
try {
  for (const part of parts) {
    if (letters.length > 0 ? !letters.includes(part.letter) : part.apart) continue;
    const say = (line: string) => process.stderr.write(`(${part.letter}) ${line}\n`);
    const made = await part.run({ seconds, pgbench, server, say });
    for (const table of made) {
      const titled = { ...table, title: `(${part.letter}) ${table.title}` };
      tables.push(titled);
      console.log(show(titled));
    }
  }
} finally {
  await server.stop();
}
console.log(`\nTook ${((performance.now() - began) / 60_000).toFixed(1)} minutes.`);
if (args.includes('--write')) writeResults(tables, server.version, seconds);
