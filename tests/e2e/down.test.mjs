// down.test.mjs - what a submit is answered while it cannot go on: upstreams down, the gateway leaving; and the way back up.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { Simulator, receiptOf, smpp, startWorld, until } from './lib/world.mjs';

const ROK = 0;
const RSYSERR = 0x08;
const RSUBMITFAIL = 0x45;

const retry = { first: '100ms', max: '1s' };

async function world(t, { upstream = {}, more = {} } = {}) {
  const w = await startWorld({
    esmes: [
      { system_id: 'demo', password: 'demo', rate: 0, when_down: 'refuse' },
      { system_id: 'patient', password: 'patient', rate: 0 },
    ],
    upstream: { retry, ...upstream },
    ...more,
  });
  t.after(() => w.end());
  await w.simulator.behave({ time_factor: 120, delay_min_ms: 10, delay_max_ms: 20, delivered: 1 });
  return w;
}

const upstreamIs = (w, states, name = 'smsc') =>
  until(`${name} is ${states}`, async () => states.includes((await w.gateway.admin('GET', '/v1/upstreams')).json.items.find((u) => u.name === name).state));
const status = async (esme, fields) => (await esme.submit(fields)).command_status;
const toMany = (esme, numbers) =>
  esme.request(
    new smpp.PDU('submit_multi', {
      source_addr: 'ivan', short_message: 'all of you', dest_address: numbers.map((n) => ({ dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: n })),
    }),
  );

test('when_down "refuse": RSYSERR while the aggregator cannot be reached; what was taken before goes out, once', async (t) => {
  const w = await world(t);
  const esme = await w.esme();
  const patient = await w.esme('bind_transceiver', { system_id: 'patient', password: 'patient' });
  const part = (i) => ({ destination_addr: '79990000007', esm_class: 0x40, short_message: { udh: Buffer.from([5, 0, 3, 7, 2, i]), message: `part ${i} ` } });
  assert.equal(await status(esme, part(1)), ROK);
  await w.simulator.kill();
  const tried = await esme.submit({ destination_addr: '79990000001' }); // nobody knows yet: it tries the way for all
  assert.equal(tried.command_status, ROK);
  await upstreamIs(w, ['backing_off', 'trying']);
  for (let i = 0; i < 5; i++) assert.equal(await status(esme, { destination_addr: '79990000002' }), RSYSERR);
  assert.equal((await toMany(esme, ['79990000003', '79990000004'])).command_status, RSYSERR);
  const message = { system_id: 'demo', from: 'ivan', to: '79990000005', text: 'Hello' };
  assert.equal((await w.gateway.admin('POST', '/v1/messages', message)).status, 503);
  assert.equal(await status(esme, part(2)), ROK, 'its first part was taken');
  const held = await patient.submit({ destination_addr: '79990000006' });
  assert.equal(held.command_status, ROK, 'the default holds');

  await w.simulator.start({ port: w.simulator.port, callback: w.gateway.callbackUrl });
  await esme.delivery((p) => receiptOf(p).id === tried.message_id);
  await patient.delivery((p) => receiptOf(p).id === held.message_id);
  await until('taken again', async () => (await status(esme, { destination_addr: '79990000008' })) === ROK);
  await until('all sent', async () => (await w.simulator.accepted()).accepted === 4);
  assert.equal((await w.simulator.accepted()).duplicates, 0);
  for (const e of [esme, patient]) await e.close();
});

test('when_down "refuse" and an upstream paused by hand; what is scheduled is taken; a reload changes it', async (t) => {
  const w = await world(t);
  const esme = await w.esme();
  await w.gateway.admin('POST', '/v1/upstreams/smsc/pause');
  assert.equal(await status(esme, {}), RSYSERR);
  assert.equal(await status(esme, { schedule_delivery_time: '000000010000000R' }), ROK, 'in an hour it may be up');
  await w.gateway.admin('POST', '/v1/upstreams/smsc/resume');
  assert.equal(await status(esme, {}), ROK);
  await w.gateway.admin('POST', '/v1/upstreams/smsc/pause');
  w.gateway.overrides.esmes[0].when_down = 'hold';
  writeFileSync(w.gateway.file, JSON.stringify(w.gateway.config(w.simulator.url)), { mode: 0o600 });
  assert.equal((await w.gateway.admin('POST', '/v1/reload')).status, 200);
  assert.equal(await status(esme, {}), ROK);
  await esme.close();
});

test('when_down "refuse" without money: RSUBMITFAIL until there is some', async (t) => {
  const w = await world(t, { upstream: { balance_every: '6s' } });
  await w.simulator.behave({ balance: '0' });
  const esme = await w.esme();
  assert.equal(await status(esme, { destination_addr: '79990000001' }), ROK);
  await upstreamIs(w, ['no_money']);
  assert.equal(await status(esme, { destination_addr: '79990000002' }), RSUBMITFAIL);
  await w.simulator.behave({ balance: '1000' });
  await until('taken again', async () => (await status(esme, { destination_addr: '79990000003' })) === ROK, 60000);
  await until('sent', async () => (await w.simulator.accepted()).accepted === 2);
  await esme.close();
});

/** Routes: `smsc` carries all, `other` whatever it cannot. */
async function withReserve(t) {
  const second = await new Simulator().start();
  t.after(() => second.kill('SIGTERM'));
  const w = await world(t);
  await w.gateway.stop();
  const common = { login: 'alex', password: '123', retry, balance_every: '6s', limits: { flood_messages: 0 } };
  Object.assign(w.gateway.overrides, {
    upstreams: [
      { name: 'smsc', urls: [w.simulator.url], ...common },
      { name: 'other', urls: [second.url], ...common, login: 'ALEX' },
    ],
    routes: [{ upstream: 'smsc' }, { upstream: 'other', weight: 0 }],
  });
  await w.gateway.start();
  return { w, second };
}

test('nothing is refused while a route leads to an upstream that works; one that is back is used again', async (t) => {
  const { w, second } = await withReserve(t);
  const esme = await w.esme();
  await w.simulator.kill();
  for (let i = 0; i < 20; i++) assert.equal(await status(esme, { destination_addr: `7999000010${i % 10}`, short_message: `no ${i}` }), ROK);
  await until('all went the other way', async () => (await second.accepted()).accepted === 20);
  await w.simulator.start({ port: w.simulator.port, callback: w.gateway.callbackUrl });
  await upstreamIs(w, ['up']); // no message has asked: its balance did
  assert.equal(await status(esme, { destination_addr: '79990000200' }), ROK);
  await until('the first carries again', async () => (await w.simulator.accepted()).accepted === 1);
  await esme.close();
});

test('the gateway is leaving: a submit is answered RSYSERR, and nothing of it is kept', async (t) => {
  const w = await world(t);
  const esme = await w.esme();
  const answered = new Promise((resolve, reject) =>
    esme.session.on('unbind', (unbind) =>
      esme.submit({ destination_addr: '79990000009' }).then((answer) => {
        esme.session.send(unbind.response());
        resolve(answer);
      }, reject),
    ),
  );
  const stopped = w.gateway.stop();
  assert.equal((await answered).command_status, RSYSERR);
  assert.equal((await stopped).code, 0);
  await w.gateway.start();
  assert.equal((await w.gateway.admin('GET', '/v1/messages?phone=79990000009')).json.items.length, 0);
});
