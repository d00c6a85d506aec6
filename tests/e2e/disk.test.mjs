// disk.test.mjs - a disk that is full, or whose fsync fails, under the real gateway: it promises nothing it cannot keep,
// delivers what it has, loses and doubles nothing, and goes on by itself. And a store that cannot be opened at all.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { callBack, now } from './lib/callback.mjs';
import { Faults, metric } from './lib/faults.mjs';
import { binary, Esme, Gateway, receiptOf, Simulator, until } from './lib/world.mjs';

const SYSERR = 0x08;
const NOBODY = 65534;

/** A world whose gateway has faults. Its simulator keeps statuses to itself: the tests call back themselves. */
async function start(t, overrides = {}) {
  const faults = new Faults();
  const gateway = await new Gateway(overrides).prepare();
  gateway.env = faults.env(gateway.directory);
  const simulator = await new Simulator().start();
  await gateway.start(simulator.url);
  t.after(async () => {
    faults.diskFull(false);
    faults.syncFails(false);
    await gateway.stop();
    await simulator.kill('SIGTERM');
    gateway.clean();
    faults.end();
  });
  const esmes = [];
  t.after(() => Promise.all(esmes.map((esme) => esme.close())));
  return {
    faults,
    gateway,
    simulator,
    async esme(command) {
      const esme = new Esme().connect(gateway.port);
      esmes.push(esme);
      assert.equal((await esme.bind(command)).command_status, 0);
      return esme;
    },
    ready: async () => (await gateway.admin('GET', '/readyz')).status === 200,
    deliver: ({ upstream, phone }) =>
      callBack(`http://127.0.0.1:${gateway.callbackPort}/smsc/callback`, { id: upstream, phone, status: '1', time: '22.11.2026 10:00:00', ts: String(now()) }),
    upstreamOf: (phone) =>
      until(`${phone} is accepted upstream`, async () => (await simulator.get(`/lab/messages?phone=${phone}`)).items[0]?.id),
  };
}

let serial = 100000;
const phones = (n) => Array.from({ length: n }, () => `79990${serial++}`);

/** Submits to each; the answers with their phones. */
const submitAll = (esme, list) =>
  Promise.all(list.map(async (phone) => ({ phone, ...(await esme.submit({ destination_addr: phone })) })));

const kinds = {
  'a full disk': (faults, is) => faults.diskFull(is),
  'an I/O error on fsync': (faults, is) => faults.syncFails(is),
};

for (const [what, breaks] of Object.entries(kinds)) {
  test(`${what}: nothing is promised, held receipts still leave, callbacks are 503, and it recovers by itself`, async (t) => {
    const world = await start(t);
    const { faults, gateway, simulator } = world;
    const sender = await world.esme('bind_transmitter');
    const good = await submitAll(sender, phones(20));
    for (const { command_status } of good) assert.equal(command_status, 0);
    for (const message of good) message.upstream = await world.upstreamOf(message.phone);
    const [held, open] = [good.slice(0, 10), good.slice(10)];
    for (const message of held) assert.equal(await world.deliver(message), 200);

    breaks(faults, true);
    const refused = await submitAll(sender, phones(50));
    assert.deepEqual([...new Set(refused.map((a) => a.command_status))], [SYSERR], 'each is refused, none promised');
    for (const message of open) assert.equal(await world.deliver(message), 503, 'a callback that cannot be stored');
    assert.ok(!(await world.ready()), 'not ready');
    await gateway.line(/the store cannot be written/);
    assert.ok((await metric(gateway, 'smppbridge_store_failures_total')) > 0);
    assert.equal(await metric(gateway, 'smppbridge_store_writable'), 0);
    assert.equal((await gateway.admin('GET', `/v1/messages/${held[0].message_id}`)).status, 200, 'can still be asked');

    const receiver = await world.esme('bind_receiver');
    for (const { message_id } of held) await receiver.delivery((pdu) => receiptOf(pdu).id === message_id);
    assert.ok(faults.failed() > 0);

    breaks(faults, false);
    await until('it is ready again without being asked for anything', world.ready);
    await gateway.line(/the store can be written again/);
    assert.equal(await metric(gateway, 'smppbridge_store_writable'), 1);
    for (const message of open) assert.equal(await world.deliver(message), 200);
    const later = await submitAll(sender, phones(20));
    for (const message of later) {
      assert.equal(message.command_status, 0);
      message.upstream = await world.upstreamOf(message.phone);
      assert.equal(await world.deliver(message), 200);
    }
    const promised = [...good, ...later];
    for (const { message_id } of promised) await receiver.delivery((pdu) => receiptOf(pdu).id === message_id);

    // once more from the disk: what it says now is what was promised
    await gateway.stop();
    await gateway.start();
    const again = await world.esme('bind_transceiver');
    const [last] = await submitAll(again, phones(1));
    last.upstream = await world.upstreamOf(last.phone);
    assert.equal(await world.deliver(last), 200);
    await again.delivery((pdu) => receiptOf(pdu).id === last.message_id);
    assert.equal(again.delivered.length, 1, 'no receipt came twice');
    assert.equal(receiver.delivered.length, promised.length, 'each receipt once');
    const upstream = await simulator.accepted();
    assert.equal(upstream.accepted, promised.length + 1, 'what was refused never left');
    assert.equal(upstream.duplicates, 0);
  });
}

test('an incoming message of several parts on a full disk is refused like a short one, and brought again', async (t) => {
  const { faults, gateway, ...world } = await start(t, { esme: { incoming_long: 'udh' } });
  const url = `http://127.0.0.1:${gateway.callbackPort}/smsc/callback`;
  const long = { id: '77001', phone: '79161234567', to: '79037672215', mes: 'слово '.repeat(60), smsc: '', sms_id: '' };
  const esme = await world.esme();
  const bring = () => callBack(url, long, { signal: AbortSignal.timeout(15000) });
  faults.diskFull();
  for (let i = 0; i < 3; i++) assert.equal(await bring(), 503);
  faults.diskFull(false);
  await until('it is ready again', world.ready);
  assert.equal(await bring(), 200);
  assert.equal(await bring(), 200, 'a repeat');
  await until('all its parts', () => esme.delivered.length >= 6);
  await (await world.esme('bind_transmitter')).submit({}); // what came twice would be here by its answer
  assert.equal(esme.delivered.length, 6);
});

test('the disk fills while requests are under way: what the upstream took is remembered, and killed then, asked about', async (t) => {
  const world = await start(t, { upstream: { batch: { max: 1, linger: '0ms' }, limits: { repeat: '200ms', window: '600ms' } } });
  const { faults, gateway, simulator } = world;
  await simulator.behave({ time_factor: 100, latency_min_ms: 300, latency_max_ms: 300 });
  const esme = await world.esme();
  const answers = Promise.all(phones(60).map((phone) => esme.submit({ destination_addr: phone })));
  await until('the first request is under way', async () => (await metric(gateway, 'smppbridge_queue_messages{queue="in_flight",system_id="",upstream="smsc"}')) > 0);
  faults.diskFull();
  const promised = (await answers).filter((a) => a.command_status === 0);
  assert.ok(promised.length > 0);
  await until('replies have come that cannot be stored', async () => (await simulator.accepted()).accepted > 0 && faults.failed() > 0);
  await gateway.kill('SIGKILL');
  assert.equal(await refuses(gateway, /not started.*(disk is full|make room)/), 1);
  faults.diskFull(false);
  await gateway.start();
  await until('every promised message is upstream', async () => (await simulator.accepted()).accepted >= promised.length, 60000);
  const after = await simulator.accepted();
  assert.equal(after.duplicates, 0, `twice upstream: ${JSON.stringify(after.duplicate_messages)}`);
});

/** Runs the gateway on this configuration until it ends by itself. */
async function refuses(gateway, why) {
  const from = gateway.lines.length;
  await assert.rejects(gateway.start(gateway.upstreamUrl ?? 'http://127.0.0.1:9'), why);
  const { code } = await gateway.exited;
  assert.match(gateway.lines.slice(from).join('\n'), why);
  return code;
}

test('a store that another gateway has is refused with a sentence; the other goes on', async (t) => {
  const world = await start(t);
  const second = await new Gateway({ store: { url: `sqlite:${world.gateway.directory}/gateway.db` } }).prepare();
  t.after(() => second.clean());
  assert.equal(await refuses(second, /in use by another gateway: stop it first/), 1);
  const esme = await world.esme();
  assert.equal((await esme.submit({})).command_status, 0);
});

test('a damaged store is refused with a sentence and left as it is', async (t) => {
  const world = await start(t);
  const esme = await world.esme();
  for (const { command_status } of await submitAll(esme, phones(200))) assert.equal(command_status, 0);
  await world.gateway.stop();
  const file = `${world.gateway.directory}/gateway.db`;
  copyFileSync(file, `${file}.good`);

  const garbage = Buffer.alloc(8192, 0x5a);
  const damages = {
    'no database at all': () => writeFileSync(file, garbage),
    'its first page is gone': () => writeFileSync(file, Buffer.concat([garbage.subarray(0, 4096), readFileSync(`${file}.good`).subarray(4096)])),
    'cut short': () => truncateSync(file, 4096 * 3),
  };
  for (const [what, damage] of Object.entries(damages)) {
    copyFileSync(`${file}.good`, file);
    damage();
    const before = readFileSync(file);
    assert.equal(await refuses(world.gateway, /not started.*(malformed|not a database|damaged).*restore a backup/), 2, what);
    assert.deepEqual(readFileSync(file), before, `${what}: untouched`);
  }
  copyFileSync(`${file}.good`, file);
  await world.gateway.start(world.simulator.url);
  assert.equal((await (await world.esme()).submit({})).command_status, 0, 'the copy is as good as the original');
});

test('a store that may not be written is refused with a sentence', async (t) => {
  const gateway = await new Gateway().prepare();
  t.after(() => gateway.clean());
  const inside = `${gateway.directory}/store`;
  gateway.overrides.store = { url: `sqlite:${inside}/gateway.db` };
  assert.equal(await refuses(gateway, /the directory .* does not exist: create it/), 1);
  mkdirSync(inside);
  writeFileSync(`${inside}/gateway.db`, '');
  chmodSync(`${inside}/gateway.db`, 0o400);
  chmodSync(inside, 0o500);
  if (process.getuid() === 0) {
    gateway.uid = NOBODY; // root may write everything
    for (const file of ['', '/gateway.json', '/store', '/store/gateway.db']) chownSync(`${gateway.directory}${file}`, NOBODY, NOBODY);
    if (spawnSync(binary, ['--version'], { uid: NOBODY, gid: NOBODY }).status !== 0) return t.diagnostic('only root can run this program');
  }
  assert.equal(await refuses(gateway, /cannot open the database .*: Permission denied/), 1);
});
