import { openDatabase } from '../src/base/db.ts';
import { importStatement } from '../src/mpesa-statement/import.ts';
import { busy } from './settings.ts';

// A process: imports a statement and says how long that took, and how much memory it ever had.

const [url = '', path = ''] = process.argv.slice(2);
const { db, pool } = openDatabase(url, 4);
const began = performance.now();
const { bad } = await importStatement(db, {
  ...{ path, shortcode: '600000', receive: busy },
  progress: () => undefined,
  bad: () => undefined,
});
await pool.end();
if (bad > 0) throw new Error(`${bad} lines cannot be read`);
const seconds = (performance.now() - began) / 1000;
console.log(JSON.stringify({ seconds, peak_mb: process.resourceUsage().maxRSS / 1024 }));
