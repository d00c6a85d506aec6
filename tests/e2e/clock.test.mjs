// clock.test.mjs - the wall clock is set while the gateway runs, a day ahead, a day back, an hour back: nothing ends too
// early or waits too long for it, ids stay unique, and nothing is lost or doubled. The monotonic clock goes on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callBack } from './lib/callback.mjs';
import { Faults, metric } from './lib/faults.mjs';
import { Esme, Gateway, receiptOf, Simulator, until } from './lib/world.mjs';

const HOUR = 3600000;
const DAY = 24 * HOUR;
const jumps = { 'a day ahead': DAY, 'a day back': -DAY, 'an hour back': -HOUR };

async function start(t, overrides = {}) {
  const faults = new Faults();
  const gateway = await new Gateway(overrides).prepare();
  gateway.env = faults.env(gateway.directory);
  const simulator = await new Simulator().start({ callback: gateway.callbackUrl });
  await simulator.behave({ delay_min_ms: 10, delay_max_ms: 30 });
  await gateway.start(simulator.url);
  const esmes = [];
  t.after(async () => {
    await Promise.all(esmes.map((esme) => esme.close()));
    await gateway.stop();
    await simulator.kill('SIGTERM');
    gateway.clean();
    faults.end();
  });
  let offset = 0;
  return {
    faults,
    gateway,
    simulator,
    async jump(ms) {
      const before = await metric(gateway, 'smppbridge_clock_jumps_total');
      faults.jump((offset += ms));
      await until('the jump is noticed', async () => (await metric(gateway, 'smppbridge_clock_jumps_total')) > before);
    },
    async esme(command, fields) {
      const esme = new Esme().connect(gateway.port);
      esmes.push(esme);
      assert.equal((await esme.bind(command, fields)).command_status, 0);
      return esme;
    },
  };
}

let serial = 200000;
const phones = (n) => Array.from({ length: n }, () => `79990${serial++}`);
const submitAll = (esme, list, fields = {}) =>
  Promise.all(list.map(async (phone) => ({ phone, ...(await esme.submit({ destination_addr: phone, ...fields })) })));
const statOf = async (esme, { message_id }) => receiptOf(await esme.delivery((pdu) => receiptOf(pdu).id === message_id)).stat;

for (const [what, ms] of Object.entries(jumps)) {
  test(`${what}: what waits neither expires nor stays behind, sessions live on, ids are unique`, async (t) => {
    const world = await start(t, { esme: { reassemble: '2s', deliver_retry: '1s' }, upstream: { retry: { give_up: '20h' } } });
    const esme = await world.esme();
    const seen = [...(await submitAll(esme, phones(5)))];
    for (const message of seen) assert.equal(await statOf(esme, message), 'DELIVRD');

    // a line of messages that waits: an hour of validity, and none at all (give_up)
    assert.equal((await world.gateway.admin('POST', '/v1/upstreams/smsc/pause')).status, 200);
    const waiting = [
      ...(await submitAll(esme, phones(5), { validity_period: '000000010000000R' })),
      ...(await submitAll(esme, phones(5))),
      ...(await submitAll(esme, phones(1), { esm_class: 0x40, short_message: { udh: Buffer.from([5, 0, 3, 7, 2, 1]), message: 'half' } })), // no second part
    ];
    // and a receipt that is tried again in a second
    let refused = 0;
    esme.session.removeAllListeners('deliver_sm');
    esme.session.on('deliver_sm', (pdu) => {
      if (refused++ === 0) return esme.session.send(pdu.response({ command_status: 0x58 }));
      esme.delivered.push(pdu);
      esme.session.send(pdu.response());
      esme.wake();
    });
    const [again] = seen;
    assert.equal((await world.gateway.admin('POST', `/v1/messages/${again.message_id}/redeliver`)).status, 202);
    await until('it was refused once', () => refused > 0);
    await world.jump(ms);
    await esme.delivery((pdu) => receiptOf(pdu).id === again.message_id && refused === 2);

    assert.equal((await world.gateway.admin('POST', '/v1/upstreams/smsc/resume')).status, 200);
    for (const message of waiting) assert.equal(await statOf(esme, message), 'DELIVRD', `${message.phone} was only waiting`);

    const later = await submitAll(esme, phones(20));
    for (const message of later) assert.equal(await statOf(esme, message), 'DELIVRD');
    await world.gateway.line(/wall clock has jumped/);
    assert.ok((await metric(world.gateway, 'smppbridge_sessions{system_id="demo",type="transceiver"}')) === 1, 'the bind is the first one');

    // over a restart with the clock set back once more
    world.faults.jump(ms - 2 * DAY);
    await world.gateway.stop();
    await world.gateway.start();
    const next = await world.esme();
    const last = await submitAll(next, phones(20));
    for (const message of last) assert.equal(await statOf(next, message), 'DELIVRD');
    const ids = [...seen, ...waiting, ...later, ...last].map((m) => m.message_id);
    assert.equal(new Set(ids).size, ids.length, 'an id was given twice');
    assert.deepEqual(ids.slice(-20).map(BigInt).filter((id) => id <= BigInt(later[0].message_id)), [], 'ids go on upwards');
    const upstream = await world.simulator.accepted();
    assert.equal(upstream.accepted, ids.length);
    assert.equal(upstream.duplicates, 0);
  });
}

test('a validity goes on by the time that passes, whichever way the clock is set', async (t) => {
  const world = await start(t);
  const esme = await world.esme();
  assert.equal((await world.gateway.admin('POST', '/v1/upstreams/smsc/pause')).status, 200);
  const [short, long] = [
    (await submitAll(esme, phones(1), { validity_period: '000000000003000R' }))[0],
    (await submitAll(esme, phones(1), { validity_period: '000000010000000R' }))[0],
  ];
  await world.jump(-DAY);
  assert.equal(await statOf(esme, short), 'EXPIRED', 'three seconds are three seconds');
  await world.jump(2 * DAY);
  await world.gateway.admin('POST', '/v1/upstreams/smsc/resume');
  assert.equal(await statOf(esme, long), 'DELIVRD', 'an hour has not passed');
});

test('held receipts outlive a clock that is set ahead', async (t) => {
  const world = await start(t, { esme: { receipt_hold: '2h' } });
  const sender = await world.esme('bind_transmitter');
  const held = await submitAll(sender, phones(5));
  await until('their receipts wait', async () => (await metric(world.gateway, 'smppbridge_queue_messages{queue="deliver",system_id="demo",upstream=""}')) === 5);
  await world.jump(30 * DAY);
  held.push(...(await submitAll(sender, phones(5)))); // the line is looked at meanwhile
  await until('more receipts wait', async () => (await metric(world.gateway, 'smppbridge_queue_messages{queue="deliver",system_id="demo",upstream=""}')) === 10);
  const receiver = await world.esme('bind_receiver');
  for (const message of held) assert.equal(await statOf(receiver, message), 'DELIVRD');
});

test('an order to drop deliveries means those of then, also after the clock was set back', async (t) => {
  const world = await start(t);
  const sender = await world.esme('bind_transmitter');
  const queued = (n) => until(`${n} receipts wait`, async () => (await metric(world.gateway, 'smppbridge_queue_messages{queue="deliver",system_id="demo",upstream=""}')) === n);
  await submitAll(sender, phones(3));
  await queued(3);
  assert.equal((await world.gateway.admin('DELETE', '/v1/deliveries/demo')).status, 200);
  await queued(0);
  await world.jump(-HOUR);
  const kept = await submitAll(sender, phones(3));
  const receiver = await world.esme('bind_receiver');
  for (const message of kept) assert.equal(await statOf(receiver, message), 'DELIVRD');
});

test('rates and lock-outs are measured by the monotonic clock', async (t) => {
  const world = await start(t, { esme: { rate: 2, burst: 2, delay_budget: '0ms' }, smpp: { login_failures: 2, lockout: '1h' } });
  const esme = await world.esme();
  const bindAs = async (password) => {
    const stranger = new Esme().connect(world.gateway.port);
    const { command_status } = await stranger.bind('bind_transmitter', { system_id: 'nobody', password });
    await stranger.close();
    return command_status;
  };
  for (let i = 0; i < 2; i++) assert.equal(await bindAs('x'), 0x0f);
  assert.equal(await bindAs('x'), 0x0d, 'locked out');
  const before = await submitAll(esme, phones(4));
  assert.ok(before.filter((a) => a.command_status === 0x58).length >= 1);
  for (const ms of [DAY, -2 * DAY]) {
    await world.jump(ms);
    assert.equal(await bindAs('x'), 0x0d, 'still locked out');
    const burst = await submitAll(esme, phones(30));
    const passed = burst.filter((a) => a.command_status === 0).length;
    assert.ok(passed <= 10, `${passed} of 30 passed a rate of 2/s`);
    await until('the bucket fills', async () => (await submitAll(esme, phones(1)))[0].command_status === 0);
  }
});
