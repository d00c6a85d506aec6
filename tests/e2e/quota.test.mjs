// quota.test.mjs - what an account may submit in a day or a month: SMS or money, over restarts, seen by operators.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { receiptOf, smpp, startWorld, until } from './lib/world.mjs';

const RSUBMITFAIL = 0x45;
const RTHROTTLED = 0x58;

async function world(t, quota, behaviour = {}) {
  const w = await startWorld({ esme: { quota } });
  t.after(() => w.end());
  await w.simulator.behave({ time_factor: 120, delay_min_ms: 10, delay_max_ms: 20, delivered: 1, ...behaviour });
  return w;
}

const quotaOf = async (w) => (await w.gateway.admin('GET', '/v1/status')).json.esmes.find((e) => e.system_id === 'demo').quota;
const to = (i) => ({ destination_addr: `7999${String(i).padStart(7, '0')}` });

test('so many SMS a day: then refused, over a kill -9 too; a reload changes the limit', async (t) => {
  const w = await world(t, { messages: 5, per: 'day', timezone: 3 });
  let esme = await w.esme();
  for (let i = 0; i < 5; i++) assert.equal((await esme.submit(to(i))).command_status, 0);
  assert.equal((await esme.submit(to(5))).command_status, RSUBMITFAIL);
  const seen = await quotaOf(w);
  assert.deepEqual([seen.per, seen.messages, seen.messages_limit, seen.refused], ['day', 5, 5, 1]);
  const resets = new Date(seen.resets_at);
  assert.equal(resets.getUTCHours() * 60 + resets.getUTCMinutes(), 21 * 60, 'midnight in Moscow');
  assert.ok(resets > new Date() && resets - new Date() <= 86400000);
  const metrics = (await w.gateway.admin('GET', '/metrics')).text;
  assert.match(metrics, /smppbridge_quota_used\{system_id="demo",unit="messages"\} 5\n/);
  assert.match(metrics, /smppbridge_quota_limit\{system_id="demo",unit="messages"\} 5\n/);
  assert.match(metrics, /smppbridge_quota_refused_total\{system_id="demo"\} 1\n/);
  assert.equal(w.gateway.lines.filter((l) => /quota used up/.test(l)).length, 1);
  await w.gateway.kill('SIGKILL');
  await w.gateway.start();
  esme = await w.esme();
  assert.equal((await esme.submit(to(6))).command_status, RSUBMITFAIL);
  const refused = await w.gateway.admin('POST', '/v1/messages', { system_id: 'demo', from: 'ivan', to: '79990000007', text: 'Hello' });
  assert.ok(refused.status >= 400, 'nor over HTTP');
  w.gateway.overrides.esme.quota.messages = 7;
  writeFileSync(w.gateway.file, JSON.stringify(w.gateway.config(w.simulator.url)), { mode: 0o600 });
  w.gateway.child.kill('SIGHUP');
  await w.gateway.line(/configuration reloaded/);
  for (let i = 0; i < 2; i++) assert.equal((await esme.submit(to(8 + i))).command_status, 0);
  assert.equal((await esme.submit(to(10))).command_status, RSUBMITFAIL);
  await until('all sent', async () => (await w.simulator.accepted()).accepted === 7);
  await esme.close();
});

test('each part of a long text counts, however it comes, and each destination of a set', async (t) => {
  const w = await world(t, { messages: 12 });
  const esme = await w.esme();
  assert.equal((await esme.submit({ ...to(1), short_message: '', message_payload: 'x'.repeat(400) })).command_status, 0); // 3
  for (let i = 1; i <= 2; i++) {
    const part = { udh: Buffer.from([5, 0, 3, 7, 2, i]), message: `part ${i} ` };
    assert.equal((await esme.submit({ ...to(2), esm_class: 0x40, short_message: part })).command_status, 0); // 1 each
  }
  assert.equal((await quotaOf(w)).messages, 5);
  const set = (n) =>
    esme.request(new smpp.PDU('submit_multi', {
      source_addr: 'ivan', short_message: 'all of you',
      dest_address: Array.from({ length: n }, (_, i) => ({ dest_addr_ton: 1, dest_addr_npi: 1, ...to(10 + i) })),
    }));
  assert.equal((await set(8)).command_status, RSUBMITFAIL, 'a set is taken or refused as a whole');
  assert.equal((await set(7)).command_status, 0);
  assert.equal((await quotaOf(w)).messages, 12);
  assert.equal((await esme.submit(to(30))).command_status, RSUBMITFAIL);
  await esme.close();
});

test('so much money: counted once from reply and status, with what waits, over a restart; the answer is chosen', async (t) => {
  const w = await world(t, { money: 10, status: 'RTHROTTLED' }, { price: '1.5', latency_min_ms: 20, latency_max_ms: 20 });
  let esme = await w.esme();
  const spent = async () => (await w.simulator.get('/lab/messages?limit=1000')).items.reduce((sum, m) => sum + Number(m.cost), 0);
  const first = await esme.submit(to(1));
  await esme.delivery((pdu) => receiptOf(pdu).id === first.message_id);
  const price = await spent();
  assert.ok(price > 0 && price < 5);
  await until('it is booked', async () => (await quotaOf(w)).money === price);
  const rest = Math.floor(10 / price) - 1;
  await w.gateway.admin('POST', '/v1/upstreams/smsc/pause');
  const answers = await Promise.all(Array.from({ length: rest + 3 }, (_, i) => esme.submit(to(10 + i))));
  assert.equal(answers.filter((a) => a.command_status === 0).length, rest, 'what waits counts too');
  assert.equal(answers.filter((a) => a.command_status === RTHROTTLED).length, 3);
  await w.gateway.admin('POST', '/v1/upstreams/smsc/resume');
  for (const a of answers.filter((a) => a.command_status === 0)) await esme.delivery((pdu) => receiptOf(pdu).id === a.message_id);
  const total = await spent();
  await until('all is booked, once', async () => Math.abs((await quotaOf(w)).money - total) < 1e-6);
  await w.gateway.kill('SIGKILL');
  await w.gateway.start();
  assert.ok(Math.abs((await quotaOf(w)).money - total) < 1e-6);
  w.gateway.overrides.esme.quota.money = total;
  writeFileSync(w.gateway.file, JSON.stringify(w.gateway.config(w.simulator.url)), { mode: 0o600 });
  w.gateway.child.kill('SIGHUP');
  await w.gateway.line(/configuration reloaded/);
  esme = await w.esme();
  assert.equal((await esme.submit(to(99))).command_status, RTHROTTLED);
  await esme.close();
});
