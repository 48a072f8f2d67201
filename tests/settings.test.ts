import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { readSettings } from '../src/settings.ts';

// What production refuses before anything else begins.

const example = readFileSync(new URL('../config.yaml.example', import.meta.url), 'utf8');
const named = Object.fromEntries(
  [...example.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => [name, 'given-hook-0123456789']),
);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'karani settings '));
  return () => rmSync(folder, { recursive: true });
});

function inProduction(env: NodeJS.ProcessEnv) {
  const path = join(folder, 'config.yaml');
  writeFileSync(path, example.replace('environment: sandbox', 'environment: production'));
  return readSettings({
    ...named,
    KARANI_CONFIG: path,
    KARANI_SECRET: 'a-secret-for-this-test-0123456789abcdef',
    PUBLIC_URL: 'https://karani.example',
    ...env,
  });
}

test('production starts with an address that Daraja calls, and a secret', () => {
  expect(inProduction({}).environment).toBe('production');
  const http = { PUBLIC_URL: 'http://karani.example' };
  expect(() => inProduction(http)).toThrow('PUBLIC_URL must be an https:// address');
  expect(() => inProduction({ KARANI_SECRET: 'short' })).toThrow('at least 32 characters');
});

test('production links its number with WhatsApp and no other server', () => {
  const elsewhere = { WHATSAPP_LINKED_URL: 'ws://127.0.0.1:1' };
  expect(() => inProduction(elsewhere)).toThrow('WHATSAPP_LINKED_URL is for tests');
});
