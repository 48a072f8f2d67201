import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../../src/base/db.ts';
import { startPostgres } from '../../src/base/embedded-postgres.ts';
import { freshDatabase } from '../helpers/database.ts';
import { getJson, karani, postJson, runKarani } from '../helpers/process.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'karani start '));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const clean = { KARANI_CONFIG: undefined, DATABASE_URL: undefined, PORT: '0' };

const start = (env: Record<string, string | undefined>) =>
  runKarani('src/main.ts', [], { ...clean, ...env }).then(
    async (running) => {
      await running.stop();
      return 'it started';
    },
    (error: Error) => error.message,
  );

test('the demo starts, says where to look, keeps what was there, and stops when told to', async () => {
  const env = { ...clean, KARANI_DATA: join(folder, 'demo') };
  const first = await runKarani('src/main.ts', [], env);
  expect(first.output()).toContain(`Open   ${first.url}/playground`);
  expect((await fetch(`${first.url}/readyz`)).status).toBe(200);
  expect((await fetch(`${first.url}/playground`)).status).toBe(200);

  const second = await start({ KARANI_DATA: join(folder, 'demo') });
  expect(second).toMatch(/ended with 1:[\s\S]*Karani is already running on this data folder/);

  // Beside a running server, a command uses its database.
  expect(await karani(['ledger', 'verify'], env)).toMatchObject({ code: 0 });

  await postJson(`${first.url}/sim/mpesa/pay`, {
    phone: '0700000004',
    amount: 500,
    account: 'CUST-001',
  });
  expect(await first.stop()).toBe(0);

  const again = await runKarani('src/main.ts', [], env);
  expect(await getJson(`${again.url}/sim/mpesa/transactions`)).toHaveLength(1);
  await again.kill();
  const adopted = await runKarani('src/main.ts', [], env);
  expect(await getJson(`${adopted.url}/sim/mpesa/transactions`)).toHaveLength(1);
  expect(await adopted.stop()).toBe(0);
  expect(await karani(['ledger', 'verify', '--json'], env)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('"findings":[]'),
  });

  const postgres = await startPostgres(join(folder, 'demo'));
  const { pool } = openDatabase(postgres.url, 1);
  await pool.query('alter table postings disable trigger postings_only_grow');
  const found = await karani(['ledger', 'verify'], env);
  await pool.end();
  await postgres.stop();
  expect(found).toMatchObject({ code: 1 });
  expect(found.stdout).toContain('postings.postings_only_grow is not always on');
});

test('a port in use is said in one line', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const said = await start({ KARANI_DATA: join(folder, 'port'), PORT: String(port) });
  server.close();
  expect(said).toContain(`Port ${port} is in use. Stop what uses it, or set PORT to another one.`);
  expect(said).not.toMatch(/\n\s+at /);
});

test.each([
  [
    'a database that does not answer',
    { DATABASE_URL: 'postgres://karani@127.0.0.1:1/karani' },
    /The database at 127\.0\.0\.1:1 does not answer/,
  ],
  [
    'a folder that cannot be written',
    { KARANI_DATA: '/dev/null/karani' },
    /Karani cannot write to \/dev\/null\/karani/,
  ],
  [
    'a configuration file that is not there',
    { KARANI_CONFIG: '/nowhere/config.yaml' },
    /There is no configuration file \/nowhere\/config\.yaml/,
  ],
  ['a port that is none', { PORT: 'http' }, /PORT is http/],
  ['an address that is none', { PUBLIC_URL: 'karani.example' }, /PUBLIC_URL is karani\.example/],
])('%s is said in one line, with exit 1', async (_, env, why) => {
  const said = await start({ KARANI_DATA: join(folder, 'other'), ...env });
  expect(said).toMatch(/ended with 1:/);
  expect(said).toMatch(why);
  expect(said).not.toMatch(/\n\s+at /);
});

test('a wrong configuration value names file and line', async () => {
  const path = join(folder, 'config.yaml');
  writeFileSync(path, 'environment: live\n');
  const said = await start({ KARANI_DATA: join(folder, 'other'), KARANI_CONFIG: path });
  expect(said).toContain(
    `${path}:1 environment: Invalid option: expected one of "sandbox"|"production"`,
  );
});

test('a database of the demo is never used for anything else', async () => {
  const database = await freshDatabase(1);
  const path = join(folder, 'sandbox.yaml');
  writeFileSync(
    path,
    `environment: sandbox
business: { name: Duka, help_number: "0700000001" }
admin_numbers: ["0700000001"]
shortcodes: [{ number: "600000", kind: paybill, consumer_key: k, consumer_secret: s }]
hooks: { daraja: [test-hook-0123456789], ussd: [test-hook-0123456789], whatsapp: [test-hook-0123456789] }
whatsapp: { phone_number_id: "1", access_token: t, app_secrets: [s], verify_token: v }
ussd: { code: "*384*1#" }
`,
  );
  const said = await start({
    KARANI_DATA: join(folder, 'other'),
    KARANI_CONFIG: path,
    KARANI_SECRET: 'a-secret-for-this-test-0123456789abcdef',
    DATABASE_URL: database.url,
  });
  await database.close();
  expect(said).toMatch(/belongs to a demo installation and this is a sandbox one/);
});

test('commands say how they are used, and exit by 0, 1 and 2', async () => {
  const env = { ...clean, KARANI_DATA: join(folder, 'other') };
  const help = await karani(['--help'], env);
  expect(help).toMatchObject({ code: 0, stderr: '' });
  expect(help.stdout).toContain('ledger verify');
  expect(await karani(['ledger', 'verify', '--help'], env)).toMatchObject({ code: 0 });
  expect(await karani(['ledger', 'nonsense'], env)).toMatchObject({ code: 2, stdout: '' });
  expect(await karani(['ledger', 'verify', '--nonsense'], env)).toMatchObject({ code: 2 });
  expect(await karani(['inbox', 'show'], env)).toMatchObject({ code: 2 });
  expect(await karani(['serve', '--roles', 'cook'], env)).toMatchObject({ code: 1 });
  expect(await karani(['flows', 'check'], env)).toMatchObject({ code: 0 });
});
