import fc from 'fast-check';
import { msisdnHash } from '../../src/base/phone.ts';
import { type Fields, mutated, oddJson, oddText, written } from './arbitraries.ts';

/** Bodies as Daraja and Meta send them, and as they might. */

const q = (text: string) => JSON.stringify(text);
const one = (...forms: string[]) => fc.constantFrom(...forms);

const kamau = '254700000004';

// Every form of each field that was ever seen, and some that were not.
const forms: [string, fc.Arbitrary<string>][] = [
  ['TransactionType', one(q('Pay Bill'), q('Buy Goods'), q('Customer Merchant Payment'))],
  // Few, so that they come again.
  ['TransID', fc.integer({ min: 100, max: 400 }).map((n) => q(`TKLFUZZ${n}`))],
  ['TransTime', one(q('20261120143000'), '20261120143000', q('20240229235959'))],
  ['TransAmount', one(q('500.00'), q('5.00'), '500', '1500.5', q('0.01'), q('250000'), '7e2')],
  ['BusinessShortCode', one(q('600000'), '600000', q('600001'), q('999999'))],
  [
    'BillRefNumber',
    fc.oneof(
      one(
        q('INV-20260203-0001'),
        q('inv 20260210 2'),
        q('CUST-001'),
        q('0700000004'),
        q(''),
        'null',
      ),
      oddText.map(q),
    ),
  ],
  ['InvoiceNumber', one(q(''), q('0'), 'null')],
  ['OrgAccountBalance', one(q('49197.00'), q(''))],
  ['ThirdPartyTransID', one(q(''), 'null')],
  [
    'MSISDN',
    one(
      ...[q(kamau), kamau, q(msisdnHash(kamau)), q('2547 ***** 126'), q('25470****149'), q('')],
      q(`${'a'.repeat(34)} ***** ${'b'.repeat(25)}`),
    ),
  ],
  ['FirstName', fc.oneof(one(q('KAMAU'), q(''), 'null'), oddText.map(q))],
];

/** A confirmation in any of its real forms, by the source of each field. */
export const confirmationFields: fc.Arbitrary<Fields> = fc
  .tuple(...forms.map(([, json]) => json))
  .map((all) => all.map((json, n): Fields[number] => [forms[n]?.[0] ?? '', json]));

const message: fc.Arbitrary<Fields> = fc
  .tuple(
    fc.integer({ min: 1, max: 60 }),
    one(kamau, '254722000321', `+${kamau}`, 'TZ.1234567890'),
    one('text', 'text', 'text', 'image', 'reaction', 'unsupported'),
    fc.oneof(one('menu', 'balance', '1', '2', '123456', 'acha', '\0', 'kiswahili'), oddText),
  )
  .map(([n, from, type, body]) => [
    ['id', q(`wamid.fuzz${n}`)],
    ['from', q(from)],
    ['timestamp', q('1771000000')],
    ['type', q(type)],
    ['text', written([['body', q(body)]])],
  ]);

const contact: fc.Arbitrary<Fields> = fc
  .tuple(one(kamau, '254722000321'), oddText)
  .map(([wa_id, name]) => [
    ['wa_id', q(wa_id)],
    ['profile', written([['name', q(name)]])],
  ]);

const status = fc.constant<Fields>([
  ['id', q('wamid.out1')],
  ['status', q('delivered')],
  ['timestamp', q('1771000001')],
  ['recipient_id', q(kamau)],
]);

const list = (items: fc.Arbitrary<Fields>, most: number) =>
  fc.array(mutated(items).map(written), { maxLength: most }).map((all) => `[${all.join(',')}]`);

const value: fc.Arbitrary<Fields> = fc
  .tuple(list(message, 3), list(contact, 2), list(status, 2))
  .map(([messages, contacts, statuses]) => [
    ['messaging_product', q('whatsapp')],
    ['metadata', '{"display_phone_number":"254700000000","phone_number_id":"1"}'],
    ['contacts', contacts],
    ['messages', messages],
    ['statuses', statuses],
  ]);

/** A webhook of the Cloud API, each of its levels changed a little or not at all. */
export const webhookText: fc.Arbitrary<string> = fc
  .tuple(mutated(value), fc.boolean(), oddJson)
  .map(([inside, plain, odd]) => {
    const change = written([
      ['field', plain ? q('messages') : odd],
      ['value', written(inside)],
    ]);
    return `{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[${change}]}]}`;
  });
