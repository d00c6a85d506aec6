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

for (const kind of ['smsc-http', 'smsc-soap'])
  test(`${kind}: what each message of a batch costs is known from the reply, before any status`, async (t) => {
    const w = await world(t, { kind, batch: { max: 100, linger: '100ms' } }, { delay_min_ms: 600000, delay_max_ms: 600000, time_factor: 1, latency_min_ms: 60, latency_max_ms: 60 });
    let esme = await w.esme();
    const texts = ['short', 'x'.repeat(200), 'y'.repeat(400)];
    const sent = await Promise.all(Array.from({ length: 30 }, async (_, i) => {
      const phone = `7999${String(i).padStart(7, '0')}`;
      return { phone, answer: await esme.submit({ destination_addr: phone, short_message: '', message_payload: `${i} ${texts[i % 3]}` }) };
    }));
    await until('all sent', async () => (await w.simulator.accepted()).accepted === 30);
    const { items } = await w.simulator.get('/lab/messages?limit=100');
    assert.ok(new Set(items.map((m) => m.id)).size < 30, 'some travelled together');
    assert.ok(new Set(items.map((m) => m.cost)).size >= 3, 'they differ');
    const costOf = async (id) => (await w.gateway.admin('GET', `/v1/messages/${id}`)).json.cost;
    for (const { phone, answer } of sent) {
      const cost = Number(items.find((m) => m.phone === phone).cost);
      await until(`the cost of ${phone}`, async () => (await costOf(answer.message_id)) === cost);
    }
    await esme.close();
  });

test('without a callback\'s word the cost of the reply stands in the record, over a restart the share of it', async (t) => {
  const w = await startWorld({ callbacks: null, upstream: { poll: { status_after: '1s', every: '1s' }, batch: { max: 100, linger: '100ms' } } }, { callback: null });
  t.after(() => w.end());
  await w.simulator.behave({ limits: 0, delay_min_ms: 1500, delay_max_ms: 1500, latency_min_ms: 60, latency_max_ms: 60, delivered: 1 });
  const esme = await w.esme();
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => esme.submit({ destination_addr: `7999${String(i).padStart(7, '0')}`, short_message: `no ${i}` })));
  await until('all sent', async () => (await w.simulator.accepted()).accepted === 20);
  await until('all answered', async () => (await w.gateway.admin('GET', '/v1/upstreams')).json.items[0].in_flight === 0);
  await w.gateway.stop();
  await w.gateway.start();
  const again = await w.esme();
  const { items } = await w.simulator.get('/lab/messages?limit=100');
  for (const [i, answer] of answers.entries()) {
    await again.delivery((pdu) => receiptOf(pdu).id === answer.message_id);
    const { json } = await w.gateway.admin('GET', `/v1/messages/${answer.message_id}`);
    assert.equal(json.cost, Number(items.find((m) => m.phone === `7999${String(i).padStart(7, '0')}`).cost));
  }
  await again.close();
});
