// faults.test.mjs - a fault at every step of a request: what the simulated aggregator accepted is counted, exactly one
// of each message, and each has exactly one receipt. The aggregator's minute is shortened on both sides alike.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { receiptOf, startWorld, textOf, until } from './lib/world.mjs';

const kind = process.env.UPSTREAM_KIND ?? 'smsc-http';
const WINDOW_MS = 600; // the gateway's minute; the simulator's is 60 s / 120
const overrides = {
  upstream: {
    kind,
    timeout: '1s',
    connect_timeout: '1s',
    batch: { max: 20, linger: '30ms' },
    retry: { first: '50ms', factor: 2, max: '400ms', give_up: '1h' },
    limits: { repeat: '200ms', window: `${WINDOW_MS}ms`, flood_messages: 0 },
  },
};
const simulated = { time_factor: 120, delay_min_ms: 10, delay_max_ms: 30, delivered: 1 };

let world;
let esme;
before(async () => {
  world = await startWorld(overrides);
  await world.simulator.behave(simulated);
  esme = await world.esme();
});
after(async () => {
  await esme?.close();
  await world?.end();
});

/** Submits to all these numbers at once and waits for a receipt of each; then nothing may be there twice. */
async function submitAll(numbers, during = async () => {}) {
  const before = await world.simulator.accepted();
  const seen = esme.delivered.length;
  const answers = await Promise.all(
    numbers.map((number, i) => esme.submit({ destination_addr: number, short_message: `text ${i} for ${number}` })),
  );
  for (const answer of answers) assert.equal(answer.command_status, 0);
  await during();
  for (const answer of answers) await esme.delivery((pdu) => receiptOf(pdu).id === answer.message_id, 60000);
  const after = await world.simulator.accepted();
  assert.equal(after.accepted - before.accepted, numbers.length, 'accepted upstream');
  assert.equal(after.duplicates, before.duplicates, `twice upstream: ${JSON.stringify(after.duplicate_messages)}`);
  assert.equal(after.not_watched, before.not_watched);
  const receipts = esme.delivered.slice(seen).map((pdu) => receiptOf(pdu).id);
  assert.equal(new Set(receipts).size, receipts.length, 'a receipt came twice');
  assert.equal(receipts.length, numbers.length);
  return answers;
}

let serial = 0;
const plain = (n) => Array.from({ length: n }, () => `7999${String(++serial).padStart(7, '0')}`);

const faults = {
  'connection closed before acceptance': '79000006000',
  'connection closed after acceptance': '79000006001',
  'empty body after acceptance': '79000006002',
  'half of the body after acceptance': '79000006003',
  'no answer after acceptance': '79000006004',
  'HTTP 500 before acceptance': '79000006500',
  'HTTP 500 after acceptance': '79000006501',
};

for (const [name, number] of Object.entries(faults)) {
  test(`single, fresh connection: ${name}`, async () => {
    await submitAll([number]);
  });
  test(`single, reused connection: ${name}`, async () => {
    await submitAll(plain(1));
    await submitAll([number]);
  });
  test(`in a batch: ${name}`, async () => {
    await world.simulator.behave({ latency_min_ms: 60, latency_max_ms: 60 });
    try {
      await submitAll([...plain(1), ...plain(5), number, ...plain(6)]);
    } finally {
      await world.simulator.behave({ latency_min_ms: 0, latency_max_ms: 0 });
    }
  });
}

for (const fault of ['drop_before', 'drop_after', 'http_500', 'empty', 'cut', 'hang']) {
  test(`a storm: ${fault} hits a third of all requests, status requests too`, async () => {
    await world.simulator.behave({ [fault]: 0.33 });
    try {
      await submitAll(plain(60), () => new Promise((resolve) => setTimeout(resolve, 1500)).then(() => world.simulator.behave({ [fault]: 0.1 })));
    } finally {
      await world.simulator.behave({ [fault]: 0 });
    }
  });
}

test('gateway killed between a request and its reply: asked about on start, not sent twice', async () => {
  await world.simulator.behave({ latency_min_ms: 700, latency_max_ms: 700 });
  const before = await world.simulator.accepted();
  const numbers = plain(12);
  const answers = await Promise.all(numbers.map((n) => esme.submit({ destination_addr: n, short_message: `before the kill ${n}` })));
  await until('some request was accepted and not answered', async () => (await world.simulator.accepted()).accepted > before.accepted);
  await world.gateway.kill('SIGKILL');
  await world.simulator.behave({ latency_min_ms: 0, latency_max_ms: 0 });
  await world.gateway.start();
  esme = await world.esme();
  for (const answer of answers) await esme.delivery((pdu) => receiptOf(pdu).id === answer.message_id, 60000);
  const after = await world.simulator.accepted();
  assert.equal(after.accepted - before.accepted, numbers.length);
  assert.equal(after.duplicates, before.duplicates);
});

test('gateway killed before a request reaches anybody: sent once after the start', async () => {
  await world.simulator.behave({ drop_before: 1 });
  const before = await world.simulator.accepted();
  const numbers = plain(5);
  const answers = await Promise.all(numbers.map((n) => esme.submit({ destination_addr: n })));
  await until('a request was dropped', async () => (await world.simulator.accepted()).faults > before.faults);
  await world.gateway.kill('SIGKILL');
  await world.simulator.behave({ drop_before: 0 });
  await world.gateway.start();
  esme = await world.esme();
  for (const answer of answers) await esme.delivery((pdu) => receiptOf(pdu).id === answer.message_id, 60000);
  const after = await world.simulator.accepted();
  assert.equal(after.accepted - before.accepted, numbers.length);
  assert.equal(after.duplicates, before.duplicates);
});

test('the aggregator was never asked against its rules: no error 9 on the way', async () => {
  const { errors } = await world.simulator.accepted();
  assert.equal(errors['4'], 0);
  assert.equal(errors['2'], 0);
  if (process.env.SHOW) console.error(JSON.stringify(errors));
});
