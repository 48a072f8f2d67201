import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { beforeEach, expect, test } from 'vitest';
import { problems } from '../../../src/web/api/problems.ts';
import { scope_names } from '../../../src/web/api/scopes.ts';
import { apiOf } from '../../helpers/api.ts';
import { openPromptHouse } from '../../helpers/prompts.ts';

type PromptHouse = Awaited<ReturnType<typeof openPromptHouse>>;

let house: PromptHouse;

beforeEach(async () => {
  house = await openPromptHouse();
  return () => house.close();
});

test('the document is without a fault to a linter that is not ours', async () => {
  const { status, text, json } = await apiOf(house).ask('/openapi.json');
  expect(status).toBe(200);
  expect(json.openapi).toBe('3.1.0');
  const config = await createConfig({ extends: ['recommended-strict'] });
  const found = await lintFromString({ source: text, config, absoluteRef: 'openapi.json' });
  const faults = found.map((it) => `${it.ruleId} ${it.location[0]?.pointer}: ${it.message}`);
  expect(faults).toEqual([]);
  // It does find what is wrong.
  const broken = text.replace('"operationId": "listPayments",', '');
  expect(await lintFromString({ source: broken, config })).not.toEqual(found);
});

test('the page of the API shows every address, scope and problem, and loads nothing', async () => {
  const { json } = await apiOf(house).ask('/openapi.json');
  const { status, text, headers } = await apiOf(house).ask('/docs');
  expect(status).toBe(200);
  expect(headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(text).not.toMatch(/<script|<link|src=|https?:\/\//);
  for (const path of Object.keys(json.paths)) expect(text).toContain(`/api${path}</code>`);
  for (const name of scope_names) expect(text).toContain(name);
  for (const name of Object.keys(problems)) expect(text).toContain(`id="problem-${name}"`);
  for (const [, id] of text.matchAll(/href="#([^"]+)"/g)) expect(text).toContain(`id="${id}"`);
});

test('a client generated from the document has an invoice paid, and sees how', async () => {
  const api = apiOf(house);
  const folder = join(import.meta.dirname, '../../../artifacts/api-client');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(join(import.meta.dirname, '../../fixtures/api-client'), folder, { recursive: true });
  writeFileSync(join(folder, 'openapi.json'), (await api.ask('/openapi.json')).text);
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: '../../tsconfig.json', include: ['*.ts'] }),
  );
  const run = (name: string, ...args: string[]) =>
    execFileSync(process.execPath, [join('../../node_modules', name), ...args], { cwd: folder });
  run('oazapfts/dist/cli.js', 'openapi.json', 'client.ts');
  run('.bin/tsc', '-p', '.');

  const story = await import(join(folder, 'story.ts'));
  const token = await api.token(['invoices:read', 'payments:read', 'payments:write']);
  const reference = await story.begins(house.url, token);
  expect(await story.sees(reference)).toBe('waiting 5000');
  await house.send();
  expect(await story.sees(reference)).toBe('sent 5000');
  await house.deliver(...(await house.answer('254700000004', 'pin')));
  expect(await story.sees(reference)).toBe('paid 5000 prompt INV-20260203-0001=5000');
  expect(await house.findings()).toEqual([]);
}, 60_000);
