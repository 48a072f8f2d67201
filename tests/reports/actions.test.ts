import { beforeAll, expect, test } from 'vitest';
import { inTransaction } from '../../src/base/db.ts';
import { Refusal } from '../../src/base/errors.ts';
import { actions } from '../../src/registry.ts';
import { type House, openHouse } from '../helpers/house.ts';

let house: House;

// Nothing is changed by who is refused, so all are refused in one house.
beforeAll(async () => {
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
      ...{ request: '1', code: '000000', role: 'cashier', phone: '254712345678' },
      ...{ keep: '1', other: '2', person: '1', from: '254712345678', to: '254712345679' },
      ...{ old: '254712345678' },
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
