// questions.test.mjs - the questions about sends whose outcome is unknown have a way of their own: while status.php does
// not answer, what is new is sent all the same, and nobody is ever asked for ever.
import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';
import { Faults } from './lib/faults.mjs';
import { Esme, Gateway, receiptOf, Simulator, until } from './lib/world.mjs';

const LATE_MS = 20 * 3600 * 1000; // of callbacks: in time for nobody here

/** Stands before the simulated aggregator. `status` is what becomes of questions: 'hang', 'close', 500, or null: passed
 * on. `lose`: so many sends are accepted and their answers lost. */
class Front {
  constructor(target) {
    this.target = new URL(target);
    this.status = null;
    this.lose = 0;
    this.asked = 0;
    this.server = http.createServer((request, reply) => this.#take(request, reply));
  }

  async listen() {
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }

  #take(request, reply) {
    if (request.url.includes('/status.php')) {
      this.asked++;
      if (this.status === 'hang') return request.resume();
      if (this.status === 'close') return request.socket.destroy();
      if (this.status) return request.resume().on('end', () => reply.writeHead(this.status).end('sorry'));
    }
    const lost = request.url.includes('/send.php') && this.lose > 0;
    if (lost) this.lose--;
    const { hostname, port } = this.target;
    const onward = http.request({ hostname, port, path: request.url, method: request.method, headers: request.headers }, (answer) => {
      if (lost) return answer.resume().on('end', () => request.socket.destroy());
      reply.writeHead(answer.statusCode, answer.headers);
      answer.pipe(reply);
    });
    onward.on('error', () => request.socket.destroy());
    request.pipe(onward);
  }

  close() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

/** One pause would outlast a test: `retry.first` is longer than it may take. */
const upstream = {
  timeout: '1s',
  connect_timeout: '1s',
  batch: { max: 1 },
  retry: { first: '2m', factor: 2, max: '5m', give_up: '24h' },
  limits: { repeat: '200ms', window: '600ms', flood_messages: 0 },
};

async function start(t, overrides = {}) {
  const gateway = await new Gateway({ ...overrides, upstream: { ...upstream, ...overrides.upstream } }).prepare();
  const simulator = await new Simulator().start({ callback: gateway.callbackUrl });
  await simulator.behave({ delay_min_ms: LATE_MS, delay_max_ms: LATE_MS, time_factor: 120 });
  const front = await new Front(simulator.url).listen();
  await gateway.start(front.url);
  t.after(async () => {
    await gateway.stop();
    await simulator.kill('SIGTERM');
    await front.close();
    gateway.clean();
  });
  return { gateway, simulator, front };
}

async function bind(gateway) {
  const esme = new Esme().connect(gateway.port);
  assert.equal((await esme.bind()).command_status, 0);
  return esme;
}

let serial = 0;
const submitAll = async (esme, count) => {
  const answers = await Promise.all(Array.from({ length: count }, () => esme.submit({ destination_addr: `7999${String(++serial).padStart(7, '0')}` })));
  for (const answer of answers) assert.equal(answer.command_status, 0);
  return answers;
};
const stateOf = async (gateway, name = 'smsc') => (await gateway.admin('GET', '/v1/upstreams')).json.items.find((u) => u.name === name);

for (const fault of ['hang', 'close', 500]) {
  test(`status.php does not work (${fault}): sending goes on, also after a crash, and the unclear are settled when it does`, async (t) => {
    const { gateway, simulator, front } = await start(t);
    let esme = await bind(gateway);
    const accepted = (n) => until(`${n} accepted`, async () => (await simulator.accepted()).accepted === n, 30000);

    front.status = fault;
    front.lose = 2; // one more in a row would rightly stop the sends themselves
    await submitAll(esme, 2);
    await accepted(2);
    await until('questions have failed', () => front.asked >= 3);
    await submitAll(esme, 20);
    await accepted(22);
    assert.equal((await stateOf(gateway)).state, 'up');

    await gateway.kill('SIGKILL');
    await esme.close().catch(() => {});
    await gateway.start();
    const before = front.asked;
    await until('questions have failed again', () => front.asked >= before + 3);
    esme = await bind(gateway);
    await submitAll(esme, 20);
    await accepted(42);
    assert.equal((await stateOf(gateway)).state, 'up');
    await esme.close();
    await gateway.kill('SIGKILL');

    front.status = null;
    const from = gateway.lines.length;
    await gateway.start(); // a new start asks at once
    await gateway.line(/unclear send was accepted/, from); // twice, unless the log has folded them
    await until('both are settled', async () => (await stateOf(gateway)).unclear === 0);
    const { accepted: total, duplicates } = await simulator.accepted();
    assert.deepEqual([total, duplicates], [42, 0]);
  });
}

test('of two addresses one answers questions: it is asked, and the sends stay where they are', async (t) => {
  const { gateway, simulator, front } = await start(t);
  const second = await new Front(simulator.url).listen();
  t.after(() => second.close());
  await gateway.stop();
  gateway.overrides.upstream.urls = [front.url, second.url];
  await gateway.start();
  const esme = await bind(gateway);
  front.status = 500;
  front.lose = 1;
  await submitAll(esme, 1);
  await gateway.line(/unclear send was accepted/);
  assert.ok(second.asked > 0);
  assert.equal((await stateOf(gateway)).state, 'up');
  assert.equal(gateway.lines.filter((l) => /upstream address changed/.test(l)).length, 0);
  await esme.close();
});

test('an upstream gone from the configuration: after give_up its unclear sends end, and what waits behind them', async (t) => {
  const { gateway, simulator, front } = await start(t);
  const faults = new Faults();
  t.after(() => faults.end());
  let esme = await bind(gateway);
  front.status = 500;
  front.lose = 1;
  const destination_addr = '79998000001';
  const first = await esme.submit({ destination_addr, short_message: 'its answer is lost' });
  await until('accepted', async () => (await simulator.accepted()).accepted === 1);
  await until('unclear', async () => (await stateOf(gateway)).unclear === 1);
  const second = await esme.submit({ destination_addr, short_message: 'waits behind it' });
  await gateway.kill('SIGKILL');

  // a day later, in a process that knows only another upstream
  Object.assign(gateway.overrides, { esme: { upstream: 'other' }, upstream: { ...upstream, name: 'other' }, callbacks: { upstream: 'other' } });
  gateway.env = faults.env(gateway.directory);
  faults.jump(25 * 3600 * 1000);
  await gateway.start(simulator.url);
  esme = await bind(gateway);
  assert.equal(receiptOf(await esme.delivery((pdu) => receiptOf(pdu).id === first.message_id)).stat, 'UNKNOWN');
  assert.equal(receiptOf(await esme.delivery((pdu) => receiptOf(pdu).id === second.message_id)).stat, 'EXPIRED');
  assert.equal((await simulator.accepted()).accepted, 1);
  await esme.close();
});
