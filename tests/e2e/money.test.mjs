// money.test.mjs - no money: held until there is some, or refused; the balance is polled and a low one is an alarm.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { receiptOf, startWorld, until } from './lib/world.mjs';

async function world(t, upstream, behaviour) {
  const w = await startWorld({ upstream });
  t.after(() => w.end());
  await w.simulator.behave({ time_factor: 120, delay_min_ms: 10, delay_max_ms: 20, delivered: 1, ...behaviour });
  return w;
}

test('without money messages wait, and go out when the balance returns', async (t) => {
  const w = await world(t, { balance_every: '6s' }, { balance: '0' });
  const esme = await w.esme();
  const answers = [];
  for (let i = 0; i < 5; i++) answers.push(await esme.submit({ destination_addr: `7999000000${i}` }));
  await w.gateway.line(/send refused.*error=3/);
  await w.simulator.behave({ balance: '1000' });
  for (const a of answers) assert.equal(receiptOf(await esme.delivery((p) => receiptOf(p).id === a.message_id, 40000)).stat, 'DELIVRD');
  assert.equal((await w.simulator.accepted()).accepted, 5);
  await esme.close();
});

test('no_money "refuse": a receipt says so at once', async (t) => {
  const w = await world(t, { no_money: 'refuse' }, { balance: '0' });
  const esme = await w.esme();
  const answer = await esme.submit({ destination_addr: '79990000001' });
  const receipt = receiptOf(await esme.delivery((p) => receiptOf(p).id === answer.message_id));
  assert.equal(receipt.stat, 'REJECTD');
  assert.equal(receipt.err, '003');
  await esme.close();
});

test('a low balance is one alarm', async (t) => {
  const w = await world(t, { low_balance: 500 }, { balance: '100' });
  await w.gateway.line(/low balance/);
  const esme = await w.esme();
  for (let i = 0; i < 5; i++) await esme.submit({ destination_addr: `7999000000${i}` });
  await until('sent', async () => (await w.simulator.accepted()).accepted === 5);
  assert.equal(w.gateway.lines.filter((l) => /low balance/.test(l)).length, 1);
  await esme.close();
});
