import { expect, onTestFinished, test } from 'vitest';
import { openWorld } from './world.ts';

// What M-Pesa gives back to a payer, and the statement that its portal exports.

async function newWorld() {
  const world = await openWorld();
  onTestFinished(() => world.close());
  await world.register('v2');
  const statement = async (shortcode = '600000') => {
    const response = await fetch(`${world.url()}/sim/mpesa/statement?shortcode=${shortcode}`);
    return (await response.text()).split('\r\n').slice(0, -1);
  };
  return { ...world, statement };
}

const balanceOf = (accounts: { holder: string; account: string; balance: number }[], it: string) =>
  accounts.find((one) => one.holder === it)?.balance;

test('a payment that is given back is on the statement twice, and nobody is told', async () => {
  const world = await newWorld();
  const kept = await world.pay({ amount: 500, account: 'INV-1, "A"' });
  const receipt = await world.pay({ amount: 700 });
  await world.app.hears(2);
  const { json } = await world.post('/sim/mpesa/reverse', { receipt });
  expect(json.receipt).toMatch(/^[A-Z0-9]{10}$/);
  const again = await world.post('/sim/mpesa/reverse', { receipt });
  expect(again.status).toBe(400);
  expect((await world.post('/sim/mpesa/reverse', { receipt: 'NOBODYS001' })).status).toBe(404);
  await world.reopen();
  expect(balanceOf((await world.get('/sim/mpesa/accounts')).json, '600000')).toBe(500);
  expect((await world.get('/sim/mpesa/transactions')).json).toMatchObject([
    { receipt: kept, state: 'completed' },
    { receipt, state: 'reversed' },
  ]);
  const lines = await world.statement();
  expect(lines[1]).toBe('Short Code:,600000');
  expect(lines[5]).toBe(
    'Opening Balance:,0.00,Closing Balance:,500.00,Available Balance:,,Total Paid In:,1200.00,' +
      'Total Withdrawn:,-700.00',
  );
  const [reversal, second, first, ...more] = lines.slice(7);
  expect(more).toEqual([]);
  expect(reversal).toContain(`,Reversal of ${receipt},Completed,,-700.00,500.00,true,Reversal,`);
  expect(second).toMatch(new RegExp(`^${receipt},.*,Completed,700.00,,1200.00,true,Pay Utility,`));
  expect(first).toContain('"Pay Bill from 25470****004 - KAMAU Acc. INV-1, ""A"""');
  expect(world.app.received).toHaveLength(2);
});

test('of nothing there is a statement too, and of no shortcode none', async () => {
  const world = await newWorld();
  expect(await world.statement('600001')).toHaveLength(7);
  expect((await fetch(`${world.url()}/sim/mpesa/statement?shortcode=1`)).status).toBe(400);
});
