// descriptors.test.mjs - more connections than the process may have files: some are turned away or wait, those that are
// bound are served, requests and callbacks still go through, no processor time is burnt, and all is well when it is over.
import assert from 'node:assert/strict';
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { test } from 'node:test';
import { cpuSeconds, metric } from './lib/faults.mjs';
import { Esme, Gateway, receiptOf, Simulator, until } from './lib/world.mjs';

const FILES = 200;

async function start(t, descriptors, overrides = {}) {
  const gateway = await new Gateway(overrides).prepare();
  gateway.descriptors = descriptors;
  const simulator = await new Simulator().start({ callback: gateway.callbackUrl });
  await simulator.behave({ delay_min_ms: 10, delay_max_ms: 30, callback_repeat_s: 1, callback_timeout_ms: 2000 });
  await gateway.start(simulator.url);
  const sockets = new Set();
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await gateway.stop();
    await simulator.kill('SIGTERM');
    gateway.clean();
  });
  return {
    gateway,
    simulator,
    /** Opens `count` connections that say nothing. How many are open is `held()`. */
    async flood(port, count) {
      const mine = [];
      for (let i = 0; i < count; i++) {
        const socket = net.connect(port, '127.0.0.1');
        sockets.add(socket);
        mine.push(socket);
        socket.on('error', () => {}).on('close', () => sockets.delete(socket));
        socket.resume();
      }
      await Promise.all(mine.map((socket) => new Promise((resolve) => (socket.connecting ? socket.once('connect', resolve).once('close', resolve) : resolve()))));
      return {
        held: () => mine.filter((socket) => !socket.destroyed).length,
        end: () => mine.forEach((socket) => socket.destroy()),
      };
    },
    async esme() {
      const esme = new Esme().connect(gateway.port);
      assert.equal((await esme.bind()).command_status, 0);
      return esme;
    },
  };
}

let serial = 300000;
async function goesRound(esme, count = 20) {
  const answers = await Promise.all(Array.from({ length: count }, () => esme.submit({ destination_addr: `79990${serial++}` })));
  for (const { command_status, message_id } of answers) {
    assert.equal(command_status, 0);
    await esme.delivery((pdu) => receiptOf(pdu).id === message_id);
  }
}

/** A loop that spins takes what processor time it gets; an idle gateway takes about a hundredth of a second in one. */
async function isCalm(gateway) {
  const before = cpuSeconds(gateway.child.pid);
  await pause(2000);
  const used = cpuSeconds(gateway.child.pid) - before;
  assert.ok(used < 0.3, `${used} s of processor time in two quiet seconds`);
}

test('three times as many SMPP connections as files', async (t) => {
  const world = await start(t, FILES);
  const esme = await world.esme();
  await goesRound(esme);
  const flood = await world.flood(world.gateway.port, 3 * FILES);
  await until('some are turned away', () => flood.held() < FILES);
  await goesRound(esme, 50);
  await isCalm(world.gateway);
  assert.equal((await world.gateway.admin('GET', '/readyz')).status, 200);
  assert.equal(await metric(world.gateway, 'process_max_fds'), FILES);
  assert.ok((await metric(world.gateway, 'smppbridge_smpp_trouble_total{what="too many connections"}')) > 0);
  await world.gateway.line(/fewer file descriptors than/);
  flood.end();
  await until('there is room again', async () => (await world.gateway.admin('GET', '/v1/status')).status === 200);
  const next = await until('a new bind', async () => {
    const esme2 = new Esme().connect(world.gateway.port);
    return esme2.bind().then(() => esme2).catch(() => null);
  });
  await esme.close();
  await goesRound(next);
  await next.close();
});

test('three times as many connections to the callbacks listener as files', async (t) => {
  const world = await start(t, FILES);
  const esme = await world.esme();
  const flood = await world.flood(world.gateway.callbackPort, 3 * FILES);
  const answers = await Promise.all(Array.from({ length: 20 }, () => esme.submit({ destination_addr: `79990${serial++}` })));
  for (const { command_status } of answers) assert.equal(command_status, 0);
  await until('requests still leave', async () => (await world.simulator.accepted()).accepted === 20);
  const other = await world.esme();
  assert.equal((await world.gateway.admin('GET', '/readyz')).status, 200, 'the administration has descriptors of its own');
  await isCalm(world.gateway);
  flood.end();
  for (const { message_id } of answers)
    await until('its receipt has come', () => [...esme.delivered, ...other.delivered].some((pdu) => receiptOf(pdu).id === message_id));
  await esme.close();
  await goesRound(other);
  await other.close();
});

test('so few files that none is left at all: nothing spins, nothing is lost, and it recovers', async (t) => {
  const world = await start(t, 60, { upstream: { connections: 4, status_connections: 2, retry: { first: '200ms', max: '1s' } } });
  const esme = await world.esme();
  await goesRound(esme);
  const floods = [
    await world.flood(world.gateway.port, 100),
    await world.flood(world.gateway.callbackPort, 100),
    await world.flood(world.gateway.adminPort, 100),
  ];
  const answers = await Promise.all(Array.from({ length: 20 }, () => esme.submit({ destination_addr: `79990${serial++}` })));
  for (const { command_status } of answers) assert.equal(command_status, 0);
  await isCalm(world.gateway);
  for (const flood of floods) flood.end();
  for (const { message_id } of answers) await esme.delivery((pdu) => receiptOf(pdu).id === message_id, 60000);
  await goesRound(esme);
  await esme.close();
});
