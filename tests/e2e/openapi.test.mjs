// openapi.test.mjs - the description of the administration API held against the running server: each route is described
// and each description is a route; every answer seen here has a described status, type and shape, and every status
// described is seen, but for those that take luck, an overload or a failing disk (UNSEEN).
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import Ajv2020 from 'ajv/dist/2020.js';
import { Process, receiptOf, smpp, startWorld, until } from './lib/world.mjs';

const root = new URL('../..', import.meta.url).pathname;
const UNSEEN = [/ 503$/, /^backup 409$/, /^reload 409$/, /^upgrade 202$/]; // the last ends the process: upgrade.test.mjs
let world, gateway, doc, ajv, lab, labPort;
const seen = new Set(); // "operationId status"

const resolve = (node) =>
  node?.$ref ? node.$ref.slice(2).split('/').reduce((at, key) => at[key], doc) : node;

function* operations() {
  for (const [where, methods] of Object.entries(doc.paths))
    for (const [method, operation] of Object.entries(methods)) yield { where, method: method.toUpperCase(), ...operation };
}

/** One request to `operationId`, its answer held against the description. `wrong`: it is meant to break it. */
async function call(operationId, { args = {}, query, body, headers = { Authorization: 'Bearer token' }, wrong = false, port } = {}) {
  const operation = [...operations()].find((o) => o.operationId === operationId);
  assert.ok(operation, operationId);
  const where = operation.where.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(args[name]));
  for (const [, name] of operation.where.matchAll(/\{(\w+)\}/g))
    assert.ok(operation.parameters?.some((p) => p.in === 'path' && p.name === name && p.required), `${operation.where}: ${name}`);
  const search = query ? `?${new URLSearchParams(query)}` : '';
  if (!wrong) {
    for (const name of Object.keys(query ?? {}))
      if (operationId !== 'smsc') assert.ok(operation.parameters?.some((p) => p.name === name), `${operationId}: ${name} is not described`);
    if (body !== undefined) {
      const { schema } = operation.requestBody.content['application/json'];
      assert.ok(ajv.validate(schemaOf(schema), body), `${operationId}: ${ajv.errorsText()}`);
    }
  }
  const reply = await fetch(`http://127.0.0.1:${port ?? gateway.adminPort}${where}${search}`, {
    method: operation.method, headers, body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
  });
  const name = `${operation.method} ${where}${search}: ${reply.status}`;
  const described = resolve(operation.responses[String(reply.status)]);
  if (!described) assert.fail(`${name} is not described; ${await reply.text()}`);
  seen.add(`${operationId} ${reply.status}`);
  for (const header of Object.keys(described.headers ?? {})) assert.ok(reply.headers.has(header), `${name}: ${header}`);
  const type = reply.headers.get('content-type').split(';')[0];
  const content = described.content[type] ?? described.content['*/*'];
  assert.ok(content, `${name}: ${type} is not described`);
  if (type === 'text/event-stream') return { status: reply.status, reply };
  const text = await reply.text();
  if (type !== 'application/json') return { status: reply.status, text };
  const json = JSON.parse(text);
  assert.ok(ajv.validate(schemaOf(content.schema), json), `${name}: ${ajv.errorsText()}\n${text}`);
  return { status: reply.status, json };
}

/** The status of a request that says its body has `bytes`, and sends none of them. */
function announce({ method, where }, bytes) {
  return new Promise((resolve, reject) => {
    const request = http.request({ port: gateway.adminPort, method, path: where.replace(/\{\w+\}/g, '1'),
      headers: { Authorization: 'Bearer token', 'Content-Length': bytes } }, (reply) => {
      resolve(reply.statusCode);
      request.destroy();
    });
    request.on('error', reject);
    request.flushHeaders();
  });
}

/** A schema of the description with its $refs where ajv finds them. */
const schemaOf = (schema) => JSON.parse(JSON.stringify(schema).replaceAll('"#/components/schemas/', '"'));

before(async () => {
  world = await startWorld({ esmes: [
    { system_id: 'demo', password: 'demo', upstream: 'smsc', rate: 0 },
    { system_id: 'slow', password: 'slow', upstream: 'smsc', rate: 1, burst: 1, delay_budget: '0s', sources: ['Shop'] },
  ] });
  gateway = world.gateway;
  doc = (await gateway.admin('GET', '/v1/openapi.json', undefined, {})).json;
  ajv = new Ajv2020({ strict: true, strictTypes: 'log', allowUnionTypes: true, allErrors: true, formats: { binary: true } });
  for (const [name, schema] of Object.entries(doc.components.schemas)) ajv.addSchema({ $id: name, ...schemaOf(schema) });
});
after(async () => {
  await world?.end();
  await lab?.kill('SIGTERM');
});

test('the description is the file of the repository, and whole in itself', () => {
  assert.deepEqual(doc, JSON.parse(readFileSync(path.join(root, 'http/web/openapi.json'), 'utf8')));
  assert.match(doc.openapi, /^3\.1\./);
  const ids = new Set();
  for (const o of operations()) {
    assert.ok(o.summary && !ids.has(o.operationId), o.operationId);
    ids.add(o.operationId);
    assert.ok(doc.tags.some((t) => t.name === o.tags[0]));
    for (const response of Object.values(o.responses)) {
      assert.ok(resolve(response)?.description, o.operationId);
      for (const { schema } of Object.values(resolve(response).content)) ajv.compile(schemaOf(schema));
    }
  }
  const text = JSON.stringify(doc);
  for (const [, kind, name] of text.matchAll(/#\/components\/(\w+)\/(\w+)/g)) assert.ok(doc.components[kind][name], name);
  for (const name of Object.keys(doc.components.schemas)) assert.ok(text.includes(`"#/components/schemas/${name}"`), `${name} is used nowhere`);
});

test('every route of the server is described, and nothing else is', async () => {
  const source = readFileSync(path.join(root, 'gateway/admin.c'), 'utf8').match(/routes\[\] = \{([\s\S]*?)\n\};/)[1];
  const routes = [...source.matchAll(/\{ "(\w+)", "([^"]+)", \w+, (OPEN|TOKEN) \}/g)].map(([, method, where, access]) => `${method} ${where} ${access}`);
  assert.equal(routes.length, source.trim().split('\n').length);
  const described = [...operations()].map((o) => `${o.method} ${o.where.replace(/\{\w+\}/g, '*')} ${o.security?.length === 0 ? 'OPEN' : 'TOKEN'}`);
  assert.deepEqual(described.sort(), routes.sort());
  for (const where of Object.keys(doc.paths)) { // the running program says the same
    const reply = await gateway.admin('PATCH', where.replace(/\{\w+\}/g, '1'));
    assert.equal(reply.status, 405, where);
    assert.deepEqual(reply.headers.get('allow').split(', ').sort(), Object.keys(doc.paths[where]).map((m) => m.toUpperCase()).sort());
  }
  assert.equal((await fetch(`http://127.0.0.1:${gateway.adminPort}/healthz`, { method: 'HEAD' })).status, 200);
});

test('without a token nothing but what is described as open answers', async () => {
  for (const o of operations()) {
    if (o.security?.length === 0) continue;
    const args = Object.fromEntries([...o.where.matchAll(/\{(\w+)\}/g)].map(([, name]) => [name, '1']));
    for (const headers of [{}, { Authorization: 'Bearer wrong' }])
      assert.equal((await call(o.operationId, { args, headers, wrong: true })).status, 401, o.operationId);
    assert.equal((await call(o.operationId, { args, headers: { Origin: 'http://elsewhere.example' }, wrong: true })).status, 403);
  }
});

test('the process and the dashboard', async () => {
  for (const id of ['health', 'ready', 'metrics', 'dashboard', 'openapi', 'status']) assert.equal((await call(id)).status, 200, id);
  assert.equal((await call('dashboardFile', { args: { file: 'app.js' } })).status, 200);
  assert.equal((await call('dashboardFile', { args: { file: 'none' } })).status, 404);
  assert.equal((await call('login', { body: { token: 'token' }, headers: {} })).status, 200);
  assert.equal((await call('logout', { headers: {} })).status, 200);
  for (let i = 0; i < 10; i++) assert.equal((await call('login', { body: { token: 'wrong' }, headers: {} })).status, 401);
  assert.equal((await call('login', { body: { token: 'token' }, headers: {} })).status, 429);
  const { reply } = await call('events');
  const reader = reply.body.getReader();
  let text = '';
  while (!text.includes('\n\n')) text += new TextDecoder().decode((await reader.read()).value);
  await reader.cancel();
  assert.ok(ajv.validate(schemaOf({ $ref: '#/components/schemas/Status' }), JSON.parse(text.match(/^data: (.*)$/m)[1])), ajv.errorsText());

  assert.equal((await call('backup', { body: { file: path.join(gateway.directory, 'copy.db') } })).status, 200);
  assert.equal((await call('backup', { body: { file: 'here' }, wrong: true })).status, 400);
  assert.equal((await call('backup', { body: { file: '/nowhere/copy.db' } })).status, 500);
  const both = await Promise.all(['a', 'b', 'c', 'd'].map((name) => call('backup', { body: { file: path.join(gateway.directory, name) } })));
  assert.ok(both.some(({ status }) => status === 200));
  assert.equal((await call('reload')).status, 200);
  const config = readFileSync(gateway.file, 'utf8');
  writeFileSync(gateway.file, '{');
  assert.equal((await call('reload')).status, 422);
  assert.equal((await call('upgrade')).status, 422);
  assert.equal((await call('status')).status, 200, 'with why the upgrade failed');
  writeFileSync(gateway.file, config);
  for (const o of operations()) {
    if (!o.requestBody) continue;
    assert.equal(await announce(o, (1 << 20) + 1), 413, o.operationId);
    seen.add(`${o.operationId} 413`);
  }
});

test('messages: sent, found by page and by filter, told, cancelled, delivered again', async () => {
  const esme = await world.esme();
  const message = { system_id: 'demo', from: 'Shop', to: '79993330001', text: 'Привет', registered_delivery: 1 };
  const { status, json } = await call('sendMessage', { body: message });
  assert.equal(status, 202);
  await esme.delivery((pdu) => receiptOf(pdu).id === json.id);
  const args = { id: json.id };
  await until('the answer is in the story', async () => (await call('message', { args })).json.timeline.some((l) => l.event === 'deliver_sm_resp'));
  assert.equal((await call('message', { args: { id: '79993330001' } })).json.id, json.id);
  assert.equal((await call('message', { args: { id: '1795000000000000000' } })).status, 404);
  await call('sendMessage', { body: { ...message, text: undefined, short_message_hex: '00FF', data_coding: 4 } });
  for (const [, query] of [
    'phone=79993330001', 'system_id=demo', 'state=delivered', 'state=DELIVRD', 'since=2026-01-01', 'until=2020-01-01T00:00:00Z', 'limit=1',
  ].entries())
    assert.equal((await call('findMessages', { query: Object.fromEntries(new URLSearchParams(query)) })).status, 200, query);
  for (const state of doc.paths['/v1/messages'].get.parameters.find((p) => p.name === 'state').schema.enum)
    assert.equal((await call('findMessages', { query: { state } })).status, 200, state);
  const page = (await call('findMessages', { query: { limit: '1', phone: '79993330001' } })).json;
  assert.equal(page.items.length, 1);
  const rest = (await call('findMessages', { query: { limit: '50', phone: '79993330001', after: page.next } })).json;
  assert.deepEqual([rest.items.length, rest.next], [1, null]);
  for (const query of [{ limit: '0' }, { limit: '1001' }, { after: 'x' }, { state: 'odd' }, { colour: 'red' }])
    assert.equal((await call('findMessages', { query, wrong: true })).status, 400);

  assert.equal((await call('redeliver', { args })).status, 202);
  assert.equal((await call('redeliver', { args: { id: '1795000000000000000' } })).status, 404);
  assert.equal((await call('explain', { body: message })).json.alphabet, 'ucs2');
  assert.equal((await call('explain', { body: { system_id: 'nobody' } })).status, 400);
  assert.equal((await call('sendMessage', { body: { ...message, colour: 'red' }, wrong: true })).status, 400);
  const slow = { ...message, system_id: 'slow' };
  assert.equal((await call('sendMessage', { body: { ...slow, from: 'Other' } })).status, 403);
  let throttled;
  for (let i = 0; i < 20 && throttled?.status !== 429; i++) throttled = await call('sendMessage', { body: slow });
  assert.equal(throttled.status, 429);
  const later = (await call('sendMessage', { body: { ...message, schedule_delivery_time: '000000010000000R' } })).json;
  assert.equal((await call('cancelMessage', { args: later })).status, 200);
  assert.equal((await call('cancelMessage', { args: later })).status, 409);
  assert.equal((await call('cancelMessage', { args: { id: '1795000000000000000' } })).status, 404);

  esme.answerDelivery = false; // its receipt is on its way from now on
  const stuck = (await call('sendMessage', { body: message })).json;
  await esme.delivery((pdu) => receiptOf(pdu).id === stuck.id);
  assert.equal((await call('redeliver', { args: stuck })).status, 409);
  await esme.close();
  await until('it waits', async () => (await call('deliveries')).json.items[0].waiting + (await call('deliveries')).json.items[0].postponed > 0);
  assert.ok((await call('dropDeliveries', { args: { system_id: 'demo' } })).json.dropped > 0);
  assert.equal((await call('dropDeliveries', { args: { system_id: 'nobody' } })).status, 404);
});

test('sessions: listed, captured, judged, told, called, ended', async (t) => {
  const esme = await world.esme();
  esme.session.on('unbind', (pdu) => {
    esme.session.send(pdu.response());
    esme.session.close();
  });
  const { items } = (await call('sessions', { query: { system_id: 'demo' } })).json;
  const args = { n: items.at(-1).n };
  for (const id of ['capture', 'conformance', 'alert']) {
    const body = id === 'alert' ? { source: '79991234567', ms_availability_status: 0 } : undefined;
    assert.equal((await call(id, { args, body })).status, id === 'alert' ? 202 : 200);
    assert.equal((await call(id, { args: { n: 999999 }, body })).status, 404);
  }
  assert.equal((await call('capture', { args, query: { text: '1' } })).status, 200);
  assert.equal((await call('alert', { args, body: {}, wrong: true })).status, 400);
  const sender = await world.esme('bind_transmitter');
  const transmitter = (await call('sessions')).json.items.find((s) => s.type === 'transmitter');
  assert.equal((await call('alert', { args: transmitter, body: { source: '79991234567' } })).status, 409);
  await sender.close();
  esme.session.send(new smpp.PDU('enquire_link', { sequence_number: 1 })); // the number of its bind: something to find
  await until('it is found', async () => (await call('conformance', { args })).json.findings.length > 0);
  assert.equal((await call('unbind', { args })).status, 202);
  await esme.closed;
  assert.equal((await call('unbind', { args: { n: 999999 } })).status, 404);
  const listener = net.createServer((socket) => socket.destroy());
  t.after(() => listener.close());
  await new Promise((done) => listener.listen(0, '127.0.0.1', done));
  assert.equal((await call('outbind', { body: { address: `127.0.0.1:${listener.address().port}`, system_id: 'smsc', password: 'x' } })).status, 202);
  assert.equal((await call('outbind', { body: {}, wrong: true })).status, 400);
});

test('upstreams: paused, resumed, and their own methods', async () => {
  const args = { name: 'smsc' };
  assert.equal((await call('pauseUpstream', { args })).json.state, 'paused');
  assert.equal((await call('upstreams')).json.items[0].paused, true);
  assert.equal((await call('resumeUpstream', { args })).json.paused, false);
  for (const id of ['pauseUpstream', 'resumeUpstream']) assert.equal((await call(id, { args: { name: 'none' } })).status, 404);
  const ask = (method, query, wrong) => call('smsc', { args: { upstream: 'smsc', method }, query, wrong });
  const methods = { balance: {}, cost: { phones: '79991234567', mes: 'x' }, history: { cnt: '1' }, incoming: {}, prices: {}, operator: { phone: '79991234567' } };
  assert.ok(Object.keys(methods).every((m) => doc.paths['/v1/smsc/{upstream}/{method}'].get.parameters[1].schema.enum.includes(m)));
  for (const [method, query] of Object.entries(methods)) assert.equal((await ask(method, query)).status, 200, method);
  assert.equal((await ask('nothing', {}, true)).status, 404);
  assert.equal((await ask('cost', { odd: '1' }, true)).status, 400);
  assert.equal((await ask('tinyurl', { id: '98' })).status, 422);
  let limited;
  for (let i = 0; i < 10 && limited?.status !== 429; i++) limited = await ask('megafon', {});
  assert.equal(limited.status, 429);
  await world.simulator.kill();
  assert.equal((await ask('operator', { phone: '79991234567' })).status, 502);
});

test('an upstream that is no longer configured cannot be resumed, an address outside the list is not let in', async () => {
  const config = JSON.parse(readFileSync(gateway.file, 'utf8'));
  const changed = { ...config, upstreams: [{ ...config.upstreams[0], name: 'other' }], esmes: [{ ...config.esmes[0], upstream: 'other' }],
    callbacks: { ...config.callbacks, upstream: 'other' }, admin: { ...config.admin, allow_from: ['127.0.0.1'] } };
  writeFileSync(gateway.file, JSON.stringify(changed));
  assert.equal((await call('reload')).status, 200);
  assert.equal((await call('resumeUpstream', { args: { name: 'smsc' } })).status, 409);
  writeFileSync(gateway.file, JSON.stringify({ ...changed, admin: { ...config.admin, allow_from: ['192.0.2.1'] } }));
  assert.equal((await call('reload')).status, 200);
  for (const o of operations()) {
    const args = Object.fromEntries([...o.where.matchAll(/\{(\w+)\}/g)].map(([, name]) => [name, '1']));
    assert.equal((await call(o.operationId, { args, wrong: true })).status, 403, o.operationId);
  }
  writeFileSync(gateway.file, JSON.stringify(config));
  gateway.child.kill('SIGHUP');
  await until('it is let in again', async () => (await gateway.admin('GET', '/healthz')).status === 200);
});

test('the lab: a subscriber writes, the network changes', async () => {
  for (const id of ['labBehaviour', 'labIncoming', 'setLabBehaviour'])
    assert.equal((await call(id, { body: id === 'labBehaviour' ? undefined : { text: 'x' } })).status, 404);
  lab = new Process('lab');
  lab.spawn(['lab', '--smpp-port', '0', '--admin-port', '0', '--callback-port', '0', '--simulator-port', '0']);
  labPort = (await lab.line(/^dashboard/)).match(/:(\d+)\/$/)[1];
  await lab.line(/^try/);
  const here = { port: labPort, headers: {} };
  assert.equal((await call('upgrade', here)).status, 409);
  const behaviour = (await call('labBehaviour', here)).json;
  assert.equal((await call('setLabBehaviour', { ...here, body: { delivered: behaviour.delivered } })).status, 200);
  assert.equal((await call('setLabBehaviour', { ...here, body: { odd: 1 } })).status, 400);
  assert.equal((await call('labIncoming', { ...here, body: { from: '79991234567', to: '79030000000', text: 'Hello' } })).status, 202);
  assert.equal((await call('labIncoming', { ...here, body: {}, wrong: true })).status, 400);
});

test('draining is said, and everything that is described has been seen', async () => {
  assert.equal((await call('drain')).status, 202);
  await gateway.exited;
  const missing = [];
  for (const o of operations())
    for (const status of Object.keys(o.responses))
      if (!seen.has(`${o.operationId} ${status}`)) missing.push(`${o.operationId} ${status}`);
  assert.deepEqual(missing.filter((name) => !UNSEEN.some((pattern) => pattern.test(name))), []);
});
