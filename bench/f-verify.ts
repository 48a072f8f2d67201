import { verify } from '../src/ledger/verify.ts';
import { checks } from '../src/registry.ts';
import { largeBooks } from './books.ts';
import type { Bench, Part, Table } from './part.ts';

export const verifying: Part = { letter: 'f', title: 'ledger verify', run };

async function run(bench: Bench): Promise<Table[]> {
  const books = await largeBooks(bench);
  const rows: string[][] = [];
  let all_s = 0;
  for (const check of checks) {
    const began = performance.now();
    const findings = await verify(books.db, [check]);
    const seconds = (performance.now() - began) / 1000;
    all_s += seconds;
    rows.push([check.name, seconds.toFixed(2), String(findings.length)]);
  }
  rows.push(['all of them', all_s.toFixed(2), '']);
  return [
    {
      title: `Seconds to verify ${books.ledger_transactions.toLocaleString('en')} ledger transactions`,
      compares:
        'Each check of `ledger verify` on the large books, once; nothing to compare it with.',
      columns: ['check', 'seconds', 'findings'],
      rows,
      notes: [],
    },
  ];
}
