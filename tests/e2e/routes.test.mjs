// routes.test.mjs - several upstreams: by account, destination and sender, by weight, and around one that fails.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { Simulator, receiptOf, smpp, startWorld, until } from './lib/world.mjs';

/** A second aggregator behind the same gateway; the first is world.simulator. */
async function twoUpstreams(t, routes, more = {}) {
  const w = await startWorld({});
  t.after(() => w.end());
  await w.gateway.stop();
  const second = await new Simulator().start({ callback: w.gateway.callbackUrl });
  t.after(() => second.kill('SIGTERM'));
  for (const s of [w.simulator, second]) await s.behave({ delay_min_ms: 10, delay_max_ms: 20, delivered: 1 });
  const common = { login: 'alex', password: '123', retry: { first: '100ms', max: '500ms' }, limits: { flood_messages: 0 } };
  w.gateway.overrides = {
    ...w.gateway.overrides,
    upstreams: [
      { name: 'smsc', urls: [w.simulator.url], ...common },
      { name: 'other', urls: [second.url], ...common, login: 'ALEX' },
    ],
    routes,
    ...more,
  };
  await w.gateway.start();
  return { w, second, esme: await w.esme() };
}

const many = (n, prefix) => Array.from({ length: n }, (_, i) => `${prefix}${String(i).padStart(6, '0')}`);
const phones = async (simulator) => (await simulator.get('/lab/messages?limit=1000')).items.map((m) => m.phone);

test('the first match by destination and sender wins; the rest goes to the account\'s upstream', async (t) => {
  const { w, second, esme } = await twoUpstreams(t, [
    { to: '7901*', upstream: 'other' },
    { from: 'petr', upstream: 'other' },
  ]);
  await esme.submit({ destination_addr: '79010000001' });
  await esme.submit({ destination_addr: '79020000001' });
  await esme.submit({ destination_addr: '79020000002', source_addr: 'petr' });
  await until('all sent', async () => (await phones(w.simulator)).length === 1 && (await phones(second)).length === 2);
  assert.deepEqual(await phones(w.simulator), ['79020000001']);
  await esme.close();
});

test('by operator: the longest prefix of all operators decides, for each destination of a set as well', async (t) => {
  const { w, second, esme } = await twoUpstreams(t, [{ operator: 'two', upstream: 'other' }], {
    operators: [
      { name: 'one', prefixes: ['79', '7902000'] },
      { name: 'two', prefixes: ['7902', '79100000001'] }, // a ported number stands there whole
    ],
  });
  const there = ['79020010001', '+79020010002', '79100000001'];
  const here = ['79010000001', '79020000001', '79100000002', '441111111111'];
  for (const number of [...there, ...here]) assert.equal((await esme.submit({ destination_addr: number })).command_status, 0);
  const set = await esme.request(
    new smpp.PDU('submit_multi', {
      source_addr: 'ivan', short_message: 'all of you',
      dest_address: [...there, ...here].map((n) => ({ dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: n })),
    }),
  );
  assert.equal(set.command_status, 0);
  await until('all sent', async () => (await phones(w.simulator)).length + (await phones(second)).length === 14);
  const twice = (list) => [...list, ...list].map((n) => n.replace('+', '')).sort();
  assert.deepEqual((await phones(second)).sort(), twice(there));
  assert.deepEqual((await phones(w.simulator)).sort(), twice(here));
  const explain = await w.gateway.admin('POST', '/v1/explain', { system_id: 'demo', from: 'ivan', to: '79020010001', text: 'Hello' });
  assert.deepEqual([explain.json.operator, explain.json.route], ['two', 'other']);
  await esme.close();
});

test('weights share the messages; a number keeps its way', async (t) => {
  const { w, second, esme } = await twoUpstreams(t, [
    { upstream: 'smsc', weight: 3 },
    { upstream: 'other', weight: 1 },
  ]);
  const numbers = many(200, '79991');
  await Promise.all([...numbers, ...numbers].map((n, i) => esme.submit({ destination_addr: n, short_message: `text ${i}` })));
  await until('all sent', async () => (await phones(w.simulator)).length + (await phones(second)).length === 400);
  const there = new Set(await phones(second));
  assert.ok(there.size > 20 && there.size < 90, `${there.size} of 200`);
  for (const phone of await phones(w.simulator)) assert.ok(!there.has(phone));
  await esme.close();
});

test('what waits for an upstream that fails goes another way, once', async (t) => {
  const { w, second, esme } = await twoUpstreams(t, [
    { upstream: 'smsc', weight: 1 },
    { upstream: 'other', weight: 0 },
  ]);
  const before = await esme.submit({ destination_addr: '79991000001' });
  await esme.delivery((pdu) => receiptOf(pdu).id === before.message_id);
  await w.simulator.kill('SIGTERM');
  const answers = await Promise.all(many(50, '79992').map((n) => esme.submit({ destination_addr: n })));
  assert.ok(answers.every((a) => a.command_status === 0));
  await until('all went the other way', async () => (await second.accepted()).accepted >= 50);
  const { accepted, duplicates } = await second.accepted();
  assert.deepEqual({ accepted, duplicates }, { accepted: 50, duplicates: 0 });
  await esme.close();
});

/** Submits to all of these, some hundreds at a time. */
async function submitAll(esme, numbers) {
  for (let i = 0; i < numbers.length; i += 500) {
    const answers = await Promise.all(numbers.slice(i, i + 500).map((n) => esme.submit({ destination_addr: n, registered_delivery: 0 })));
    assert.ok(answers.every((a) => a.command_status === 0));
  }
}

/** 2,500 messages wait in the store, none of them in memory, for an upstream that nobody can reach. */
async function waitingCold(t) {
  const { w, second, esme } = await twoUpstreams(t, []);
  await w.simulator.kill('SIGTERM');
  const numbers = many(2500, '79993');
  await submitAll(esme, numbers);
  await esme.close();
  await w.gateway.stop(); // not by a kill: what it had claimed would have to be asked about where nobody answers
  return { w, second, numbers };
}

async function allOnce(second, numbers) {
  await until('all went the other way', async () => (await second.accepted()).accepted >= numbers.length, 60000);
  const { accepted, duplicates } = await second.accepted();
  assert.deepEqual({ accepted, duplicates }, { accepted: numbers.length, duplicates: 0 });
}

test('what waits cold in the store for an upstream that fails goes another way too', async (t) => {
  const { w, second, numbers } = await waitingCold(t);
  w.gateway.overrides.routes = [{ upstream: 'smsc', weight: 1 }, { upstream: 'other', weight: 0 }];
  await w.gateway.start();
  await allOnce(second, numbers);
});

test('the same when its upstream is paused, and the new routes come by a reload', async (t) => {
  const { w, second, numbers } = await waitingCold(t);
  await w.gateway.start();
  assert.equal((await w.gateway.admin('POST', '/v1/upstreams/smsc/pause')).status, 200);
  w.gateway.overrides.routes = [{ upstream: 'smsc', weight: 1 }, { upstream: 'other', weight: 0 }];
  writeFileSync(w.gateway.file, JSON.stringify(w.gateway.config()), { mode: 0o600 });
  w.gateway.child.kill('SIGHUP');
  await allOnce(second, numbers);
});

test('the same when its upstream stands in the configuration no more', async (t) => {
  const { w, second, numbers } = await waitingCold(t);
  w.gateway.overrides.upstreams = w.gateway.overrides.upstreams.slice(1);
  w.gateway.overrides.esme = { upstream: 'other' };
  w.gateway.overrides.callbacks = { upstream: 'other' };
  await w.gateway.start();
  await allOnce(second, numbers);
});

test('what has no other way holds up nobody behind it, and goes its own when that works again', async (t) => {
  const { w, second, esme } = await twoUpstreams(t, [
    { to: '7901*', upstream: 'smsc' },
    { to: '7902*', upstream: 'smsc', weight: 1 },
    { to: '7902*', upstream: 'other', weight: 0 },
  ]);
  await w.simulator.kill('SIGTERM');
  const stays = many(5, '79010');
  const goes = many(50, '79020');
  await submitAll(esme, [...stays, ...goes]);
  await allOnce(second, goes);
  const again = await new Simulator().start({ port: w.simulator.port });
  t.after(() => again.kill('SIGTERM'));
  await allOnce(again, stays);
  assert.equal((await second.accepted()).accepted, goes.length);
  await esme.close();
});

test('a message whose outcome is unknown is never moved, nor is one behind it to the same phone', async (t) => {
  const { w, second } = await twoUpstreams(t, [{ upstream: 'smsc', weight: 1 }, { upstream: 'other', weight: 0 }]);
  await w.gateway.stop();
  const [first, ...rest] = w.gateway.overrides.upstreams;
  w.gateway.overrides.upstreams = [{ ...first, timeout: '500ms', batch: { max: 1 }, limits: { window: '2s', flood_messages: 0 } }, ...rest];
  await w.gateway.start();
  const peer = await w.esme();
  await w.simulator.behave({ hang: 1 });
  const [unknown] = await Promise.all([
    peer.submit({ destination_addr: '79994000001', short_message: 'first' }),
    peer.submit({ destination_addr: '79994000001', short_message: 'second' }),
    peer.submit({ destination_addr: '79994000002' }), // three unanswered requests make an upstream that fails
    peer.submit({ destination_addr: '79994000003' }),
  ]);
  await until('three unknown outcomes', () => w.gateway.lines.filter((l) => /outcome of a send unknown/.test(l)).length >= 3);
  const others = many(20, '79995');
  await submitAll(peer, others);
  await until('the others went the other way', async () => {
    const there = new Set(await phones(second));
    return others.every((n) => there.has(n));
  }, 60000);
  // the second to the same phone may have followed, once a callback has told that the first was accepted
  const there = (await second.get('/lab/messages?limit=1000')).items.filter((m) => !others.includes(m.phone));
  assert.ok(there.every((m) => m.phone === '79994000001' && m.text === 'second'), JSON.stringify(there));
  await w.simulator.behave({ hang: 0 });
  await peer.delivery((pdu) => receiptOf(pdu).id === unknown.message_id, 60000);
  const at = async (simulator) => (await simulator.get('/lab/messages?phone=79994000001')).items.map((m) => m.text).reverse();
  const both = async () => [...(await at(w.simulator)), ...(await at(second))];
  await until('the second has gone', async () => (await both()).length === 2);
  assert.deepEqual(await both(), ['first', 'second']);
  assert.equal((await at(w.simulator))[0], 'first');
  assert.equal((await w.simulator.accepted()).duplicates, 0);
  await peer.close();
});
