// sending.test.mjs - rates, the upstream's word in submit_sm_resp, refused batches, order, floods, reserve addresses.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePort, receiptOf, startWorld, until } from './lib/world.mjs';

const ROK = 0;
const SYSERR = 0x08;
const RINVDSTADR = 0x0b;
const RSUBMITFAIL = 0x45;
const RTHROTTLED = 0x58;

async function world(t, overrides = {}, behaviour = {}) {
  const w = await startWorld(overrides);
  t.after(() => w.end());
  await w.simulator.behave({ time_factor: 120, delay_min_ms: 10, delay_max_ms: 20, delivered: 1, ...behaviour });
  return w;
}

const many = (n, prefix = '7999') => Array.from({ length: n }, (_, i) => `${prefix}${String(i).padStart(7, '0')}`);

test('over the rate the answer is delayed within delay_budget, then ESME_RTHROTTLED', async (t) => {
  const w = await world(t, { esme: { rate: 20, burst: 5, delay_budget: '500ms' } });
  const esme = await w.esme();
  const began = Date.now();
  const results = await Promise.all(many(40).map(async (n) => ({ status: (await esme.submit({ destination_addr: n })).command_status, ms: Date.now() - began })));
  const taken = results.filter((r) => r.status === ROK);
  assert.equal(results.filter((r) => r.status === RTHROTTLED).length, 40 - taken.length);
  assert.ok(taken.length >= 14 && taken.length <= 18, `${taken.length} taken`); // 5 at once, 10 in half a second
  assert.ok(taken.filter((r) => r.ms < 45).length <= 9, 'the burst at once, the others later');
  assert.ok(Math.max(...taken.map((r) => r.ms)) >= 400);
  await until('all taken are sent', async () => (await w.simulator.accepted()).accepted === taken.length);
  await esme.close();
});

test('a long message counts once', async (t) => {
  const w = await world(t, { esme: { rate: 1, burst: 1, delay_budget: '0ms' } });
  const esme = await w.esme();
  const part = (i) => ({ esm_class: 0x40, data_coding: 0, short_message: { udh: Buffer.from([5, 0, 3, 7, 3, i]), message: `part ${i} ` } });
  for (let i = 1; i <= 3; i++) assert.equal((await esme.submit(part(i))).command_status, ROK);
  assert.equal((await esme.submit({ destination_addr: '79990000009' })).command_status, RTHROTTLED);
  await esme.close();
});

test('over the upstream rate messages wait and keep their order', async (t) => {
  const w = await world(t, { upstream: { rate: 50, burst: 1, batch: { max: 1 } } });
  const esme = await w.esme();
  const began = Date.now();
  const numbers = many(30);
  for (const n of numbers) assert.equal((await esme.submit({ destination_addr: n })).command_status, ROK);
  await until('all sent', async () => (await w.simulator.accepted()).accepted === 30);
  assert.ok(Date.now() - began >= 500, 'thirty at fifty a second take more than half a second');
  await esme.close();
});

test('acknowledge "sent": submit_sm_resp carries what the aggregator said, and no receipt follows a refusal', async (t) => {
  const w = await world(t, { esme: { acknowledge: 'sent' } });
  const esme = await w.esme();
  assert.equal((await esme.submit({ destination_addr: '79990000001' })).command_status, ROK);
  const table = { 1: RSUBMITFAIL, 6: RSUBMITFAIL, 7: RINVDSTADR, 8: RINVDSTADR };
  for (const [error, status] of Object.entries(table))
    assert.equal((await esme.submit({ destination_addr: `7900000200${error}` })).command_status, status, `error ${error}`);
  const good = await esme.submit({ destination_addr: '79990000002' });
  assert.equal(good.command_status, ROK);
  await esme.delivery((pdu) => receiptOf(pdu).id === good.message_id);
  assert.equal(esme.delivered.length, 2);
  await w.simulator.behave({ password: 'changed', api_key: 'changed' });
  assert.equal((await esme.submit({ destination_addr: '79990000003' })).command_status, SYSERR);
  await esme.close();
});

test('forward mode of one message waits for the aggregator too; after acknowledge_within the promise stands', async (t) => {
  const w = await world(t, { esme: { acknowledge_within: '300ms' }, upstream: { timeout: '5s' } });
  const esme = await w.esme();
  assert.equal((await esme.submit({ destination_addr: '79000002007', esm_class: 2 })).command_status, RINVDSTADR);
  assert.equal((await esme.submit({ destination_addr: '79000002007' })).command_status, ROK);
  await w.simulator.behave({ latency_min_ms: 1200, latency_max_ms: 1200, delay_min_ms: 3000, delay_max_ms: 3000 });
  const began = Date.now();
  assert.equal((await esme.submit({ destination_addr: '79990000001', esm_class: 2 })).command_status, ROK);
  const took = Date.now() - began;
  assert.ok(took >= 250 && took < 1100, `${took} ms`);
  await esme.close();
});

for (const kind of ['smsc-http', 'smsc-soap']) test(`${kind}: bad lines of a batch never fail their neighbours`, async (t) => {
  const w = await world(t, { upstream: { kind, batch: { max: 50, linger: '50ms' } } }, { latency_min_ms: 40, latency_max_ms: 40 });
  const esme = await w.esme();
  const numbers = [...many(12), '79000002001', ...many(12, '7998'), '79000002007', ...many(12, '7997')];
  const answers = await Promise.all(numbers.map((n, i) => esme.submit({ destination_addr: n, short_message: `text ${i}` })));
  const stats = {};
  for (const [i, a] of answers.entries()) {
    const pdu = await esme.delivery((p) => receiptOf(p).id === a.message_id);
    stats[receiptOf(pdu).stat] = (stats[receiptOf(pdu).stat] ?? 0) + 1;
    if (numbers[i].startsWith('790000020')) assert.equal(receiptOf(pdu).stat, 'REJECTD');
  }
  assert.deepEqual(stats, { DELIVRD: 36, REJECTD: 2 });
  assert.equal((await w.simulator.accepted()).duplicates, 0);
  await esme.close();
});

test('order to one destination is kept while others pass, batched and not', async (t) => {
  for (const max of [1, 20]) {
    const w = await world(t, { upstream: { batch: { max, linger: '2ms' }, limits: { flood_messages: 0 } } }, { latency_min_ms: 0, latency_max_ms: 15 });
    const esme = await w.esme();
    await Promise.all(Array.from({ length: 40 }, (_, i) => [
      esme.submit({ destination_addr: '79991112233', short_message: `no ${i}` }),
      esme.submit({ destination_addr: `7998000${String(i).padStart(4, '0')}` }),
    ]).flat());
    await until('all sent', async () => (await w.simulator.accepted()).accepted === 80);
    const { items } = await w.simulator.get('/lab/messages?phone=79991112233&limit=100');
    assert.deepEqual(items.map((m) => m.text).reverse(), Array.from({ length: 40 }, (_, i) => `no ${i}`));
    await esme.close();
  }
});

test('a flood to one subscriber is held back before the aggregator would block it', async (t) => {
  const w = await world(t, { upstream: { limits: { flood_messages: 5, flood_gap: '700ms' } } }, { flood: 5, time_factor: 60 });
  const esme = await w.esme();
  const answers = [];
  for (let i = 0; i < 8; i++) answers.push(await esme.submit({ destination_addr: '79991112233', short_message: `no ${i}` }));
  const other = await esme.submit({ destination_addr: '79991112244' });
  await esme.delivery((pdu) => receiptOf(pdu).id === other.message_id);
  for (const a of answers) assert.equal(receiptOf(await esme.delivery((pdu) => receiptOf(pdu).id === a.message_id)).stat, 'DELIVRD');
  await esme.close();
});

test('a wrong login stops at the first answer; nothing is lost, and resume follows a reload or an operator', async (t) => {
  const w = await world(t, { upstream: { password: 'wrong' } });
  const esme = await w.esme();
  for (const n of many(20)) assert.equal((await esme.submit({ destination_addr: n })).command_status, ROK);
  await w.gateway.line(/refuses our login/);
  assert.equal((await w.simulator.accepted()).errors['2'], 1);
  await w.gateway.stop();
  w.gateway.overrides.upstream.password = '123';
  await w.gateway.start();
  await until('all sent', async () => (await w.simulator.accepted()).accepted === 20);
});

test('the reserve address takes over when the first is gone; nothing is sent twice', async (t) => {
  const dead = await freePort();
  const w = await world(t, {});
  await w.gateway.stop();
  w.gateway.overrides.upstream = { urls: [`http://127.0.0.1:${dead}`, w.simulator.url], retry: { first: '100ms' } };
  await w.gateway.start();
  const esme = await w.esme();
  const answers = await Promise.all(many(30).map((n) => esme.submit({ destination_addr: n })));
  for (const a of answers) await esme.delivery((pdu) => receiptOf(pdu).id === a.message_id);
  const { accepted, duplicates } = await w.simulator.accepted();
  assert.deepEqual({ accepted, duplicates }, { accepted: 30, duplicates: 0 });
  await esme.close();
});

test('a message nobody takes within give_up ends as EXPIRED, also while the upstream is unreachable', async (t) => {
  const w = await world(t, { upstream: { retry: { first: '50ms', max: '200ms', give_up: '1s' } } });
  await w.simulator.kill('SIGTERM');
  const esme = await w.esme();
  const answer = await esme.submit({ destination_addr: '79990000001' });
  assert.equal(receiptOf(await esme.delivery((pdu) => receiptOf(pdu).id === answer.message_id)).stat, 'EXPIRED');
  await esme.close();
});

test('further parameters: the message\'s TLV wins over its account\'s extra, that over the upstream\'s; no batch mixes them', async (t) => {
  const account = { password: 'demo', upstream: 'smsc' };
  const w = await world(t, {
    esmes: [{ system_id: 'demo', ...account }, { system_id: 'own', ...account, extra: { translit: '1' } }],
    upstream: { extra: { translit: '2' }, tlv_map: { '0x001E': 'translit' }, batch: { max: 100, linger: '100ms' } },
  }, { latency_min_ms: 50, latency_max_ms: 50 });
  const [demo, own] = [await w.esme(), await w.esme('bind_transceiver', { system_id: 'own' })];
  const text = { data_coding: 8, short_message: 'Щука' };
  const wants = { 7911: /^Щука$/, 7912: /^Sch?.*uka$/i, 7913: /^[^а-яё]+$/i };
  const sent = [];
  for (let i = 0; i < 10; i++) {
    const to = (prefix) => ({ ...text, destination_addr: `${prefix}${String(i).padStart(7, '0')}` });
    sent.push(own.submit({ ...to(7911), receipted_message_id: '0' }), own.submit(to(7912)), demo.submit(to(7913)));
  }
  for (const answer of await Promise.all(sent)) assert.equal(answer.command_status, ROK);
  await until('all sent', async () => (await w.simulator.accepted()).accepted === 30);
  const { items } = await w.simulator.get('/lab/messages?limit=100');
  for (const item of items) assert.match(item.text, wants[item.phone.slice(0, 4)], item.phone);
  const texts = (prefix) => items.find((item) => item.phone.startsWith(prefix)).text;
  assert.notEqual(texts('7912'), texts('7913'), 'the two transliterations differ');
  assert.ok(new Set(items.map((item) => item.id)).size < 30, 'some travelled together');
  await own.close();
  await demo.close();
});

test('acknowledge "sent" carries errors 3, 4 and 5 too; error 9 waits its minute, and nothing is lost by any', async (t) => {
  const w = await world(t, { esme: { acknowledge: 'sent', acknowledge_within: '30s' }, upstream: { limits: { window: '600ms', block: '300ms' } } });
  const esme = await w.esme();
  const resume = () => w.gateway.admin('POST', '/v1/upstreams/smsc/resume');
  assert.equal((await esme.submit({ destination_addr: '79000002005' })).command_status, 0x62);
  await w.simulator.behave({ balance: '0' });
  assert.equal((await esme.submit({ destination_addr: '79990000003' })).command_status, RSUBMITFAIL);
  await w.simulator.behave({ balance: '1000' });
  await resume();
  await w.simulator.behave({ error_rate: 1, error_code: 4 });
  assert.equal((await esme.submit({ destination_addr: '79990000004' })).command_status, SYSERR);
  await w.simulator.behave({ error_rate: 1, error_code: 9 });
  const waits = esme.submit({ destination_addr: '79990000009' });
  await w.gateway.line(/send refused.*error=9/);
  await w.simulator.behave({ error_rate: 0 });
  assert.equal((await waits).command_status, ROK);
  assert.equal((await w.simulator.accepted()).accepted, 1);
  await esme.close();
});

test('error 4 stops at once and comes back by itself after limits.block; nothing is lost', async (t) => {
  const w = await world(t, { upstream: { limits: { block: '700ms' }, batch: { max: 1 } } }, { blocked: 1 });
  const esme = await w.esme();
  await esme.submit({ destination_addr: '79990000000' });
  await w.gateway.line(/has blocked our address/);
  for (const n of many(20)) assert.equal((await esme.submit({ destination_addr: n })).command_status, ROK);
  const { json } = await w.gateway.admin('GET', '/v1/upstreams');
  assert.equal(json.items[0].state, 'blocked');
  assert.ok((await w.simulator.accepted()).errors['4'] <= 3, 'nobody knocks while it lasts');
  await w.simulator.behave({ blocked: 0 });
  await until('all sent', async () => (await w.simulator.accepted()).accepted === 21);
  await esme.close();
});

test('an error 9 of one batch sends its messages again after the window, once and in order', async (t) => {
  const w = await world(t, { upstream: { limits: { window: '600ms', flood_messages: 0 }, batch: { max: 50, linger: '50ms' } } }, { error_rate: 1, error_code: 9 });
  const esme = await w.esme();
  const answers = await Promise.all([...many(10), ...many(10)].map((n, i) => esme.submit({ destination_addr: n, short_message: `no ${i}` })));
  await w.gateway.line(/send refused.*error=9/);
  await w.simulator.behave({ error_rate: 0 });
  for (const a of answers) assert.equal(receiptOf(await esme.delivery((pdu) => receiptOf(pdu).id === a.message_id)).stat, 'DELIVRD');
  const { accepted, duplicates } = await w.simulator.accepted();
  assert.deepEqual({ accepted, duplicates }, { accepted: 20, duplicates: 0 });
  for (const [i, n] of many(10).entries()) {
    const { items } = await w.simulator.get(`/lab/messages?phone=${n}`);
    assert.deepEqual(items.map((m) => m.text).reverse(), [`no ${i}`, `no ${i + 10}`]);
  }
  await esme.close();
});

test('an idle upstream is sent to at once, however long the linger; what comes meanwhile travels together', async (t) => {
  const w = await world(t, { upstream: { batch: { max: 100, linger: '1s' } } }, { latency_min_ms: 500, latency_max_ms: 500 });
  const esme = await w.esme();
  await esme.submit({ destination_addr: '79980000000' });
  await until('it has left', async () => (await w.gateway.admin('GET', '/v1/upstreams')).json.items[0].in_flight === 1);
  await Promise.all(many(30).map((n, i) => esme.submit({ destination_addr: n, short_message: `no ${i}` })));
  await until('all sent', async () => (await w.simulator.accepted()).accepted === 31);
  const { items } = await w.simulator.get('/lab/messages?limit=100');
  const alone = items.find((m) => m.phone === '79980000000').id;
  assert.equal(items.filter((m) => m.id === alone).length, 1);
  assert.ok(new Set(items.map((m) => m.id)).size <= 3, 'the others in one request, two on a busy machine');
  await esme.close();
});

test('above max_queued ESME_RMSGQFUL, until something has gone', async (t) => {
  const w = await world(t, { esme: { max_queued: 10 } });
  await w.gateway.admin('POST', '/v1/upstreams/smsc/pause');
  const esme = await w.esme();
  const results = await Promise.all(many(15).map((n) => esme.submit({ destination_addr: n })));
  assert.deepEqual(results.map((r) => r.command_status), [...Array(10).fill(ROK), ...Array(5).fill(0x14)]);
  await w.gateway.admin('POST', '/v1/upstreams/smsc/resume');
  await until('all sent', async () => (await w.simulator.accepted()).accepted === 10);
  await until('there is room', async () => (await w.gateway.admin('GET', '/v1/status')).json.esmes[0].queued === 0);
  assert.equal((await esme.submit({ destination_addr: '79990000099' })).command_status, ROK);
  await esme.close();
});

test('a comment reaches the aggregator\'s history and not the text; one written into the text is text', async (t) => {
  const w = await world(t, { upstream: { tlv_map: { '0x001E': 'comment' }, batch: { max: 100, linger: '100ms' } } }, { latency_min_ms: 50, latency_max_ms: 50 });
  const esme = await w.esme();
  await Promise.all(many(10).map((n, i) => esme.submit({ destination_addr: n, short_message: `no ${i}\nsecond line`, receipted_message_id: 'order 7' })));
  await esme.submit({ destination_addr: '79980000001', data_coding: 8, short_message: 'one\n~~~\ntwo' });
  await until('all sent', async () => (await w.simulator.accepted()).accepted === 11);
  const { items } = await w.simulator.get('/lab/messages?limit=100');
  for (const [i, n] of many(10).entries()) {
    const m = items.find(({ phone }) => phone === n);
    assert.deepEqual([m.text, m.comment], [`no ${i}\nsecond line`, 'order 7']);
  }
  const own = items.find(({ phone }) => phone === '79980000001');
  assert.deepEqual([own.text.replaceAll(' ', ''), own.comment], ['one\n~~~\ntwo', '']);
  await esme.close();
});
