import { beforeEach, expect, test } from 'vitest';
import { inTransaction } from '../../src/base/db.ts';
import { Refusal } from '../../src/base/errors.ts';
import { actions } from '../../src/registry.ts';
import { type House, openHouse } from '../helpers/house.ts';

let house: House;

beforeEach(async () => {
  house = await openHouse();
  return () => house.close();
});

test.each(Object.keys(actions).filter((name) => actions[name]!.refusals.includes('not_allowed')))(
  '%s refuses who is no admin, whatever the flow says',
  async (name) => {
    const actor = {
      id: 1n,
      name: null,
      language: 'en',
      roles: ['customer'],
      stopped: false,
    } as const;
    const keyed = () => '';
    // Whatever any of them takes.
    const input = {
      ...{ customer: 'CUST-001', text: 'INV-20260203-0001', ref: 'INV-20260203-0001' },
      ...{ payment: '1', typed: 'CUST-001', receipt: 'X', reason: 'X' },
      ...{ which: 'open', name: 'Mary', amount: '1500.00', what: 'shoes', due: '2026-12-01' },
    };
    await inTransaction(house.db, (tx) =>
      expect(async () =>
        actions[name]!.run(tx, {
          actor,
          channel: 'whatsapp',
          input,
          key: 'test',
          keyed,
          sms: true,
        }),
      ).rejects.toThrow(new Refusal('not_allowed')),
    );
  },
);
