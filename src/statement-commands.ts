import { type Db, inTransaction } from './base/db.ts';
import type { ExitCode } from './exit.ts';
import { openChart } from './ledger/accounts.ts';
import { accountsAtMpesa } from './ledger/chart.ts';
import { importStatement } from './mpesa-statement/import.ts';
import { hasFindings, reportAsJson, reportInWords, reportOn } from './mpesa-statement/report.ts';
import { progressBar } from './progress-bar.ts';
import { dues } from './registry.ts';
import { moneyAccounts } from './serve.ts';
import { limitsOf, type Settings } from './settings.ts';

/** M-Pesa's statement of an account, from its file; 1 when a person has to look at something. */
export async function importFile(
  db: Db,
  settings: Settings,
  path: string,
  values: Record<string, unknown>,
): Promise<ExitCode> {
  const shortcode = typeof values['shortcode'] === 'string' ? values['shortcode'] : undefined;
  const money_accounts = moneyAccounts(settings);
  if (shortcode !== undefined && !money_accounts.has(shortcode)) {
    const ours = [...money_accounts.keys()].join(', ');
    process.stderr.write(`--shortcode is ${shortcode}, and ours are ${ours}.\n`);
    return 2;
  }
  // No server of this version may have run here yet.
  await inTransaction(db, (tx) =>
    openChart(tx, [...money_accounts.values()].flatMap(accountsAtMpesa)),
  );
  const { digest_above_per_minute } = settings.alerts;
  const bar = progressBar(process.stderr);
  const was_read = await importStatement(db, {
    path,
    shortcode,
    receive: { dues, money_accounts, limits: limitsOf(settings), digest_above_per_minute },
    progress: bar.show,
    bad: ({ number, reason }) => {
      bar.clear();
      process.stderr.write(`Line ${number}: ${reason}\n`);
    },
  }).finally(() => bar.clear());
  const report = await reportOn(db, was_read);
  const lines =
    values['json'] === true ? [JSON.stringify(reportAsJson(report))] : reportInWords(report);
  process.stdout.write(`${lines.join('\n')}\n`);
  return hasFindings(report) ? 1 : 0;
}
