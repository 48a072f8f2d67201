import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseConfig } from '../../src/base/config.ts';

const example = readFileSync(new URL('../../config.yaml.example', import.meta.url), 'utf8');
const env = Object.fromEntries(
  [...example.matchAll(/\$\{(\w+)\}/g)].map((m) => [
    m[1]!,
    `given-${m[1]!.toLowerCase().replaceAll('_', '-')}-0123`,
  ]),
);

const faults = (text: string, given: NodeJS.ProcessEnv = env) => {
  try {
    parseConfig(text, 'config.yaml', given);
    return [];
  } catch (error) {
    return (error as Error).message.split('\n');
  }
};
const line = (needle: string) => example.split('\n').findIndex((l) => l.includes(needle)) + 1;

test('the example is right, once the environment has what it names', () => {
  expect(faults(example)).toEqual([]);
});

test('an unknown key, a wrong value and a missing one are each named with line and what was expected', () => {
  const at = line('environment: sandbox');
  const wrong = example
    .replace('environment: sandbox', 'environment: live\ntypo_here: 1')
    .replace('kind: till', 'kind: kiosk');
  expect(faults(wrong)).toEqual([
    `config.yaml:${at} environment: Invalid option: expected one of "sandbox"|"production"`,
    `config.yaml:${line('kind: till') + 1} shortcodes.1.kind: Invalid option: expected one of "paybill"|"till"`,
    `config.yaml:${at + 1} typo_here: there is no such setting`,
  ]);
});

test('what the environment should give and does not is named', () => {
  const [fault] = faults(example, {});
  expect(fault).toMatch(/^config\.yaml:\d+ \S+: the environment has no \w+$/);
});

test('a secret that Daraja would refuse in an address is refused here', () => {
  const [name] = Object.keys(env).filter((key) => key.includes('HOOK'));
  const found = faults(example, { ...env, [name!]: 'abcdefghijklmnSQLopq' });
  expect(found.join()).toMatch(/Daraja refuses addresses with/);
});

test('a number on WhatsApp is needed, of one kind or the other, and what each needs', () => {
  const cloud = /^whatsapp:\n(?: {2}.*\n)+/m;
  const linked = /^whatsapp_linked:\n(?: {2}.*\n)+/m;
  expect(faults(example.replace(cloud, ''))).toEqual([]);
  expect(faults(example.replace(linked, ''))).toEqual([]);
  expect(faults(example.replace(cloud, '').replace(linked, ''))).toEqual([
    expect.stringMatching(/ whatsapp: expected whatsapp, whatsapp_linked or both$/),
  ]);
  const no_address = /^ {2}whatsapp: \[.*\n/m;
  expect(faults(example.replace(no_address, ''))).toEqual([
    expect.stringMatching(/ hooks\.whatsapp: expected at least one secret, since whatsapp is set$/),
  ]);
  expect(faults(example.replace(no_address, '').replace(cloud, ''))).toEqual([]);
});

test('a way that there is not is named, with those that there are', () => {
  expect(faults(example.replace('invoices: [whatsapp,', 'invoices: [telegram,'))).toEqual([
    expect.stringMatching(/ channels\.invoices\.0: .*"whatsapp".*"sms"/),
  ]);
});

test('a broken file says where it breaks', () => {
  expect(faults('business: [')[0]).toMatch(/^config\.yaml:\d+ /);
});
