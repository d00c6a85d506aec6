// poll.test.mjs - no callback comes: statuses and incoming messages are asked for; both ways together bring nothing twice.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { receiptOf, startWorld, textOf, until } from './lib/world.mjs';

const quick = { status_after: '1s', every: '1s', incoming: '1s' };
let nextNumber = 3000000;
const phone = () => `7999${nextNumber++}`;

async function start(t, overrides, behaviour = {}) {
  const world = await startWorld({ callbacks: null, ...overrides }, { callback: null });
  t.after(() => world.end());
  await world.simulator.behave({ limits: 0, ...behaviour });
  return world;
}
const got = (esme, fits, n = 1, within = 20000) => until(`${n} deliveries`, () => esme.delivered.filter(fits).length >= n, within);
const receipt = (id) => (pdu) => receiptOf(pdu).id === id;

test('by polling alone: receipts, failures, incoming messages and confirming calls', async (t) => {
  const world = await start(t, { upstream: { poll: quick } });
  const esme = await world.esme();
  await world.gateway.line(/listening.*smpp/);
  const good = await Promise.all(Array.from({ length: 150 }, () => esme.submit({ destination_addr: phone() })));
  const bad = await esme.submit({ destination_addr: '79000001006' });
  for (const { message_id } of good) await got(esme, receipt(message_id));
  await got(esme, receipt(bad.message_id));
  assert.equal(esme.delivered.length, 151);
  const { timeline } = (await world.gateway.admin('GET', `/v1/messages/${good[0].message_id}`)).json;
  const events = timeline.map((l) => l.event);
  for (const event of ['status_request', 'status_reply', 'final']) assert.ok(events.includes(event), `${event} of ${events}`);
  assert.ok(!events.includes('callback'), 'nobody has called back');
  assert.ok(events.lastIndexOf('status_reply') < events.indexOf('deliver_sm'));
  const failed = esme.delivered.find(receipt(bad.message_id));
  assert.deepEqual([receiptOf(failed).stat, receiptOf(failed).err], ['UNDELIV', '006']);

  for (let i = 0; i < 20; i++) await world.simulator.incoming({ phone: '79161112233', to: '79030000000', text: `word ${i}` });
  await world.simulator.send('POST', '/lab/waitcall', { phone: '79167778899' });
  for (let i = 0; i < 20; i++) await got(esme, (pdu) => textOf(pdu) === `word ${i}`);
  await got(esme, (pdu) => pdu.source_addr === '79167778899' && textOf(pdu) === '[waitcall]');
  assert.equal(esme.delivered.length, 172);
  await esme.close();
});

test('what came while the gateway was down is asked for when it starts', async (t) => {
  const world = await start(t, { upstream: { poll: quick } });
  let esme = await world.esme();
  await world.simulator.incoming({ phone: '79161112233', to: '79030000000', text: 'before' });
  await got(esme, (pdu) => textOf(pdu) === 'before');
  await world.simulator.behave({ delay_min_ms: 1500, delay_max_ms: 1500 });
  const answers = await Promise.all(Array.from({ length: 20 }, () => esme.submit({ destination_addr: phone() })));
  await until('all are upstream', async () => (await world.simulator.accepted()).accepted >= 20);
  await world.gateway.kill();
  await world.simulator.incoming({ phone: '79161112233', to: '79030000000', text: 'meanwhile' });
  await until('all have ended', async () => (await world.simulator.accepted()).waiting === 0);
  await world.gateway.start();
  esme = await world.esme();
  for (const { message_id } of answers) await got(esme, receipt(message_id));
  await got(esme, (pdu) => textOf(pdu) === 'meanwhile');
  await world.simulator.incoming({ phone: '79161112233', to: '79030000000', text: 'after' });
  await got(esme, (pdu) => textOf(pdu) === 'after');
  assert.equal(esme.delivered.length, 22);
  await esme.close();
});

for (const [lost_status, stat] of [
  ['expired', 'EXPIRED'],
  ['unknown', 'UNKNOWN'],
])
  test(`a message nobody can tell about ends ${stat} after its validity`, async (t) => {
    const world = await start(t, { upstream: { poll: { ...quick, lost_after: '1s' }, lost_status } });
    const esme = await world.esme();
    const answer = await esme.submit({ destination_addr: '79000000000', validity_period: '000000000003000R' });
    assert.equal(answer.command_status, 0);
    await got(esme, receipt(answer.message_id), 1, 30000);
    const [pdu] = esme.delivered;
    assert.deepEqual([receiptOf(pdu).stat, receiptOf(pdu).err], [stat, '245']);
    await esme.close();
  });

test('also when the aggregator answers no question and polling is off', async (t) => {
  const world = await start(t, { upstream: { poll: { status_after: 'off', lost_after: '1s', incoming: 'off' } } }, {});
  const esme = await world.esme();
  const answer = await esme.submit({ destination_addr: '79000000000', validity_period: '000000000002000R' });
  await until('it is upstream', async () => (await world.simulator.accepted()).accepted === 1);
  await world.simulator.kill();
  await got(esme, receipt(answer.message_id), 1, 100000);
  assert.equal(receiptOf(esme.delivered[0]).stat, 'EXPIRED');
  await esme.close();
});

/** Memory for a handful of messages and requests: nearly everything is read back from the store. */
function tightStore(t) {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'smppbridge-tight-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return { store: { url: `sqlite:${directory}/gateway.db`, messages_in_memory: 10, sends_in_memory: 10 } };
}

for (const [name, batch] of [['alone', { max: 1 }], ['of twenty', { max: 20, linger: '20ms' }]])
  test(`sends that memory has forgotten are polled, and their receipts delivered: requests ${name}`, async (t) => {
    const world = await start(t, { upstream: { poll: { ...quick, status_after: '4s', incoming: 'off' }, batch }, ...tightStore(t) }, { delay_min_ms: 2500, delay_max_ms: 3500 });
    const esme = await world.esme();
    const answers = await Promise.all(Array.from({ length: 400 }, () => esme.submit({ destination_addr: phone() })));
    const failed = await esme.submit({ destination_addr: '79000001006' });
    for (const { message_id } of [...answers, failed]) await got(esme, receipt(message_id), 1, 60000);
    assert.equal(esme.delivered.length, 401);
    assert.equal(receiptOf(esme.delivered.find(receipt(failed.message_id))).stat, 'UNDELIV');
    await esme.close();
  });

test('and callbacks find them', async (t) => {
  const world = await startWorld({ upstream: { poll: { status_after: 'off', incoming: 'off' } }, ...tightStore(t) });
  t.after(() => world.end());
  await world.simulator.behave({ delay_min_ms: 1500, delay_max_ms: 2500, callback_twice: 1 });
  const esme = await world.esme();
  const answers = await Promise.all(Array.from({ length: 400 }, () => esme.submit({ destination_addr: phone() })));
  for (const { message_id } of answers) await got(esme, receipt(message_id), 1, 60000);
  await until('the repeats have come too', async () => (await world.simulator.accepted()).waiting === 0);
  assert.equal(esme.delivered.length, 400);
  await esme.close();
});

test('callbacks and polls together: each event once', async (t) => {
  const world = await startWorld({ upstream: { poll: quick } });
  t.after(() => world.end());
  await world.simulator.behave({ limits: 0, callback_twice: 1, callback_lost: 0.5, delay_min_ms: 900, delay_max_ms: 1300 });
  const esme = await world.esme();
  const answers = await Promise.all(Array.from({ length: 200 }, () => esme.submit({ destination_addr: phone() })));
  for (let i = 0; i < 20; i++) await world.simulator.incoming({ phone: '79161112233', to: '79030000000', text: `both ${i}` });
  await world.simulator.send('POST', '/lab/waitcall', { phone: '79167778899' });
  for (const { message_id } of answers) await got(esme, receipt(message_id));
  for (let i = 0; i < 20; i++) await got(esme, (pdu) => textOf(pdu) === `both ${i}`);
  await got(esme, (pdu) => textOf(pdu) === '[waitcall]');
  const asked = (await world.simulator.accepted()).requests;
  await until('two more polls', async () => (await world.simulator.accepted()).requests >= asked + 2);
  assert.equal(esme.delivered.length, 221);
  const metrics = (await world.gateway.admin('GET', '/metrics')).text;
  const counted = (name) => [...metrics.matchAll(new RegExp(`^smppbridge_${name}\\{(.*)\\} (\\d+)$`, 'gm'))];
  const sum = (name, labels) => counted(name).filter(([, l]) => labels.test(l)).reduce((n, [, , value]) => n + Number(value), 0);
  assert.equal(sum('messages_total', /system_id="demo".*state="DELIVRD"/), 200, 'each message ends once');
  assert.equal(sum('receipts_total', /system_id="demo"/), 200);
  assert.equal(sum('callbacks_total', /kind="incoming",outcome="(stored|polled)"/) + sum('callbacks_total', /kind="waitcall",outcome="stored"/), 21, 'each event is taken once');
  await esme.close();
});

test('what operators ask counts with the polls: together they keep to one mass request a minute', async (t) => {
  const world = await start(t, { upstream: { poll: { status_after: '1s', every: '2050ms', incoming: 'off' }, limits: { window: '2050ms' } } }, {
    limits: 1,
    time_factor: 30, // its minute takes two seconds
    duplicates: 0,
    delay_min_ms: 8000,
    delay_max_ms: 9000,
  });
  const esme = await world.esme();
  const numbers = Array.from({ length: 30 }, phone);
  const answers = await Promise.all(numbers.map((destination_addr) => esme.submit({ destination_addr })));
  await until('all are upstream', async () => (await world.simulator.accepted()).accepted === 30);
  const { items } = await world.simulator.get('/lab/messages?limit=2');
  const query = `id=${items.map((i) => i.id)}&phone=${items.map((i) => i.phone)}`;
  const told = { asked: 0, later: 0 };
  await until('both ways have asked until the end', async () => {
    const { status } = await world.gateway.admin('GET', `/v1/smsc/smsc/status?${query}`);
    if (status === 200) told.asked++;
    else told.later++;
    return told.asked > 0 && told.later > 0 && answers.every(({ message_id }) => esme.delivered.some(receipt(message_id)));
  }, 60000);
  assert.equal((await world.simulator.accepted()).errors[9], 0);
  await esme.close();
});

test('the limits of the aggregator are kept: one mass request a minute, no error 9', async (t) => {
  const world = await start(t, { upstream: { poll: { status_after: '1s', every: '2050ms', incoming: '1s' } } }, {
    limits: 1,
    time_factor: 30, // its minute takes two seconds
    duplicates: 0,
    delay_min_ms: 3000,
    delay_max_ms: 6000,
  });
  const esme = await world.esme();
  const answers = await Promise.all(Array.from({ length: 100 }, () => esme.submit({ destination_addr: phone() })));
  for (const { message_id } of answers) await got(esme, receipt(message_id), 1, 60000);
  assert.equal((await world.simulator.accepted()).errors[9], 0);
  await esme.close();
});
