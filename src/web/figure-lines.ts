import { counted_to, type Figures } from './figures.ts';

type Value = [labels: Record<string, string>, value: number];

interface Metric {
  name: string;
  help: string;
  /** Only ever more. */
  counts?: boolean;
  values: (now: Figures) => Value[];
}

const far = `each is counted to ${counted_to}`;

const metrics: readonly Metric[] = [
  {
    name: 'karani_rows',
    help: `Rows by table and state: what waits, what was given up; ${far}`,
    values: ({ inbox, outbox, conflicts }) => [
      [{ table: 'inbox', state: 'waiting' }, sum(inbox.map((it) => it.waiting))],
      [{ table: 'inbox', state: 'failed' }, sum(inbox.map((it) => it.failed))],
      [{ table: 'inbox', state: 'rejected' }, sum(inbox.map((it) => it.rejected))],
      [{ table: 'outbox', state: 'waiting' }, outbox.waiting],
      [{ table: 'outbox', state: 'in_flight' }, outbox.in_flight],
      [{ table: 'outbox', state: 'failed' }, outbox.failed],
      [{ table: 'outbox', state: 'unknown' }, outbox.unknown],
      [{ table: 'hearings', state: 'conflict' }, conflicts],
    ],
  },
  {
    name: 'karani_oldest_waiting_seconds',
    help: 'Age of the oldest row that is due, by table',
    values: ({ inbox, outbox }) => [
      [{ table: 'inbox' }, Math.max(0, ...inbox.map((it) => it.age_s))],
      [{ table: 'outbox' }, outbox.age_s],
    ],
  },
  {
    name: 'karani_inbox_rows',
    help: `Arrivals by source and state, the rejected of the last day; ${far}`,
    values: ({ inbox }) =>
      inbox.flatMap(({ source, waiting, failed, rejected }): Value[] => [
        [{ source, state: 'waiting' }, waiting],
        [{ source, state: 'failed' }, failed],
        [{ source, state: 'rejected' }, rejected],
      ]),
  },
  {
    name: 'karani_inbox_oldest_due_seconds',
    help: 'Age of the oldest arrival that is due, by source',
    values: ({ inbox }) => inbox.map(({ source, age_s }) => [{ source }, age_s]),
  },
  {
    name: 'karani_unmatched_payments',
    help: 'Payments that have money left which has found nothing to pay',
    values: ({ unmatched }) => [[{}, unmatched.payments]],
  },
  {
    name: 'karani_unmatched_shillings',
    help: 'Money received that has found nothing to pay',
    values: ({ unmatched }) => [[{}, unmatched.shillings]],
  },
  {
    name: 'karani_unverified_payments',
    help: `Payments that only a callback has told of; ${far}`,
    values: ({ unverified }) => [[{}, unverified]],
  },
  {
    name: 'karani_pull_age_seconds',
    help: 'How long ago M-Pesa was last asked to the end what a shortcode was paid',
    values: ({ pulls }) => pulls.map(({ shortcode, age_s }) => [{ shortcode }, age_s]),
  },
  {
    name: 'karani_flow_steps_total',
    help: 'What happened at the steps of conversations, by flow, step, channel and language',
    counts: true,
    values: ({ steps }) => steps.map(({ times, ...labels }): Value => [labels, times]),
  },
  {
    name: 'karani_linked_open',
    help: 'Whether the WhatsApp number that is linked as a device is connected',
    values: ({ linked }) => (linked ? [[{}, linked.open ? 1 : 0]] : []),
  },
  {
    name: 'karani_books_findings',
    help: 'What the last check of the books found; 0 when they are right',
    values: ({ books }) => (books ? [[{}, books.findings]] : []),
  },
  {
    name: 'karani_books_checked_timestamp_seconds',
    help: 'When the last check of the books began',
    values: ({ books }) => (books ? [[{}, books.at_s]] : []),
  },
  {
    name: 'karani_books_check_seconds',
    help: 'How long the last check of the books took',
    values: ({ books }) => (books ? [[{}, books.took_s]] : []),
  },
];

function sum(numbers: number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

/** The figures as Prometheus reads them. What is not known has no line. */
export function figureLines(now: Figures): string {
  return metrics
    .map(({ name, help, counts, values }) => {
      const lines = values(now).map(([labels, value]) => `${name}${inBraces(labels)} ${value}`);
      return [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} ${counts ? 'counter' : 'gauge'}`,
        ...lines,
        '',
      ].join('\n');
    })
    .join('\n');
}

// Tables, states and sources are words of ours, so there is nothing to escape.
function inBraces(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}
