// admin.test.mjs - the administration API against the running gateway: who is let in, every route, live changes.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { binary, receiptOf, startWorld, textOf, until } from './lib/world.mjs';

let world, gateway;
const has = (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

before(async () => {
  world = await startWorld();
  gateway = world.gateway;
});
after(() => world?.end());

async function delivered(esme, fields = {}) {
  const answer = await esme.submit(fields);
  await esme.delivery((pdu) => receiptOf(pdu).id === answer.message_id);
  return answer.message_id;
}

/** Unbinds when asked to, which the library leaves to its user. */
function polite(esme) {
  esme.session.on('unbind', (pdu) => {
    esme.session.send(pdu.response());
    esme.session.close();
  });
  return esme;
}

const shell = (...args) =>
  spawnSync(binary, args, {
    encoding: 'utf8',
    env: { ...process.env, SMPPBRIDGE_URL: `http://127.0.0.1:${gateway.adminPort}`, SMPPBRIDGE_TOKEN: 'token' },
  });

test('health, readiness and metrics need no token, everything else does', async () => {
  for (const where of ['/healthz', '/readyz', '/metrics', '/'])
    assert.equal((await gateway.admin('GET', where, undefined, {})).status, 200, where);
  for (const [method, where] of [
    ['GET', '/v1/status'], ['GET', '/v1/messages'], ['POST', '/v1/messages'], ['DELETE', '/v1/messages/1'], ['GET', '/v1/sessions'],
    ['GET', '/v1/sessions/1/capture'], ['GET', '/v1/upstreams'], ['POST', '/v1/upstreams/smsc/pause'], ['POST', '/v1/reload'],
    ['POST', '/v1/drain'], ['POST', '/v1/backup'], ['POST', '/v1/explain'], ['GET', '/v1/events'], ['GET', '/v1/smsc/smsc/balance'],
  ]) {
    for (const headers of [{}, { Authorization: 'Bearer wrong' }, { Authorization: 'Bearer ' }, { Cookie: `smppbridge=${'0'.repeat(64)}` }]) {
      const reply = await gateway.admin(method, where, undefined, headers);
      assert.equal(reply.status, 401, `${method} ${where}`);
      assert.ok(reply.json.error && reply.json.hint);
    }
  }
  assert.equal((await gateway.admin('GET', '/v1/nothing')).status, 404);
  assert.equal((await gateway.admin('PUT', '/v1/status')).status, 405);
});

test('a browser session is got with the token, by cookie only, and ends', async () => {
  assert.equal((await gateway.admin('POST', '/login', { token: 'wrong' }, {})).status, 401);
  const reply = await gateway.admin('POST', '/login', { token: 'token' }, {});
  assert.equal(reply.status, 200);
  const cookie = reply.headers.get('set-cookie');
  assert.match(cookie, /HttpOnly/);
  assert.match(cookie, /SameSite=Strict/);
  const headers = { Cookie: cookie.split(';')[0] };
  assert.equal((await gateway.admin('GET', '/v1/status', undefined, headers)).status, 200);
  assert.equal((await gateway.admin('GET', '/v1/status', undefined, { ...headers, Origin: 'http://evil.example' })).status, 403);
  await gateway.admin('POST', '/logout', undefined, headers);
  assert.equal((await gateway.admin('GET', '/v1/status', undefined, headers)).status, 401);
});

test('a message is found by id, by phone and by upstream id, with its whole story in order', async () => {
  const esme = await world.esme();
  const id = await delivered(esme, { destination_addr: '79991110001', short_message: 'story' });
  const message = (await gateway.admin('GET', `/v1/messages/${id}`)).json;
  for (const key of ['id', 'upstream_id', 'system_id', 'from', 'to', 'state', 'accepted_at', 'done_at', 'parts', 'cost'])
    assert.ok(message[key] !== undefined && message[key] !== null, key);
  assert.equal(message.state, 'delivered');
  assert.match(message.accepted_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const story = await until('the answer to deliver_sm is in the story', async () => {
    const { timeline } = (await gateway.admin('GET', `/v1/messages/${id}`)).json;
    return timeline.some((l) => l.event === 'deliver_sm_resp') && timeline;
  });
  assert.deepEqual(
    story.map((l) => l.event),
    ['received', 'stored', 'answered', 'http_request', 'http_reply', 'callback', 'final', 'deliver_sm', 'deliver_sm_resp'],
  );
  for (let i = 1; i < story.length; i++) assert.ok(story[i].at >= story[i - 1].at);
  assert.equal((await gateway.admin('GET', '/v1/messages/79991110001')).json.id, id);
  assert.equal((await gateway.admin('GET', `/v1/messages/${message.upstream_id}`)).json.id, id);
  assert.equal((await gateway.admin('GET', '/v1/messages/1234567890123456789')).status, 404);
  assert.match(shell('message', id).stdout, /deliver_sm_resp/);
  await esme.close();
});

test('a request that was never answered, and the question about it, are in the story', async () => {
  const esme = await world.esme();
  await world.simulator.behave({ http_500: 1 });
  const { message_id } = await esme.submit({ destination_addr: '79991110020' });
  const events = () => gateway.admin('GET', `/v1/messages/${message_id}`).then(({ json }) => json.timeline.map((l) => (l.result ? `${l.event} ${l.result}` : l.event)));
  await until('it is asked about', async () => (await events()).includes('status_reply no answer')).finally(() => world.simulator.behave({ http_500: 0 }));
  await esme.delivery((pdu) => receiptOf(pdu).id === message_id, 60000);
  const story = await events();
  assert.ok(story.includes('http_reply outcome unknown'), story);
  assert.ok(story.indexOf('http_reply outcome unknown') < story.indexOf('status_request'), story);
  assert.ok(story.indexOf('status_reply') < story.lastIndexOf('http_request'), story); // not known there: once more
  assert.ok(story.includes('http_reply accepted'), story);
  await esme.close();
});

test('lists are paged newest first and filtered; a bad filter is named', async () => {
  const esme = await world.esme();
  const ids = [];
  for (let i = 0; i < 7; i++) ids.push((await esme.submit({ destination_addr: '79991110002', short_message: `p${i}` })).message_id);
  const seen = [];
  let after = '';
  do {
    const { json } = await gateway.admin('GET', `/v1/messages?phone=79991110002&limit=3${after && `&after=${after}`}`);
    assert.ok(json.items.length <= 3);
    seen.push(...json.items.map((m) => m.id));
    after = json.next;
  } while (after);
  assert.deepEqual(seen, ids.reverse());
  await until('all are delivered', async () => {
    const { json } = await gateway.admin('GET', '/v1/messages?phone=79991110002&state=delivered&system_id=demo');
    return json.items.length === 7;
  });
  const { json } = await gateway.admin('GET', '/v1/messages?phone=79991110002&until=2001-01-01T00:00:00Z');
  assert.deepEqual(json, { items: [], next: null });
  for (const bad of ['state=bogus', 'limit=0', 'limit=x', 'since=yesterday', 'system_id=nobody', 'color=red']) {
    const reply = await gateway.admin('GET', `/v1/messages?${bad}`);
    assert.equal(reply.status, 400, bad);
    assert.ok(reply.json.hint);
  }
  await esme.close();
});

test('a message over HTTP takes the way of one over SMPP; explain sends nothing and masks secrets', async () => {
  const message = { system_id: 'demo', from: 'Shop', to: '79991110003', text: 'Привет, мир' };
  const before = await world.simulator.accepted();
  const explained = (await gateway.admin('POST', '/v1/explain', message)).json;
  assert.equal(explained.alphabet, 'ucs2');
  assert.equal(explained.parts, 1);
  assert.equal(explained.route, 'smsc');
  assert.equal(explained.requests[0].parameters.mes, 'Привет, мир');
  assert.equal(explained.requests[0].parameters.phones, '79991110003');
  assert.equal(explained.requests[0].parameters.psw, '***');
  assert.ok(!JSON.stringify(explained).includes('"123"'));
  assert.deepEqual(await world.simulator.accepted(), before);
  const long = (await gateway.admin('POST', '/v1/explain', { ...message, text: 'a'.repeat(161) })).json;
  assert.deepEqual([long.alphabet, long.parts], ['gsm7', 2]);
  const binaryOne = (await gateway.admin('POST', '/v1/explain', { ...message, text: undefined, data_coding: 4, short_message_hex: '00ff' })).json;
  assert.equal(binaryOne.alphabet, 'binary');

  const esme = await world.esme('bind_receiver');
  const reply = await gateway.admin('POST', '/v1/messages', { ...message, registered_delivery: 1 });
  assert.equal(reply.status, 202);
  const receipt = await esme.delivery((pdu) => receiptOf(pdu).id === reply.json.id);
  assert.equal(receiptOf(receipt).stat, 'DELIVRD');
  const { items } = await world.simulator.get('/lab/messages?phone=79991110003');
  assert.equal(items[0].text, 'Привет, мир');
  for (const [bad, hint] of [
    [{ ...message, system_id: 'nobody' }, /system_id/], [{ ...message, to: undefined }, /to/], [{ ...message, colour: 'red' }, /colour/],
    [{ ...message, esm_class: 256 }, /esm_class/], [{ ...message, text: undefined, short_message_hex: 'abc' }, /hexadecimal/],
    [{ ...message, validity_period: 'soon' }, /validity/], ['[]', /./], ['{', /./],
  ]) {
    const refused = await gateway.admin('POST', '/v1/messages', bad);
    assert.equal(refused.status, 400, JSON.stringify(bad));
    assert.match(refused.json.hint, hint);
  }
  await esme.close();
});

test('a message that waits can be cancelled, one that has gone cannot', async () => {
  const { json } = await gateway.admin('POST', '/v1/messages', {
    system_id: 'demo', to: '79991110004', text: 'later', schedule_delivery_time: '000000010000000R',
  });
  assert.equal((await gateway.admin('GET', `/v1/messages/${json.id}`)).json.state, 'scheduled');
  assert.equal((await gateway.admin('DELETE', `/v1/messages/${json.id}`)).status, 200);
  assert.equal((await gateway.admin('GET', `/v1/messages/${json.id}`)).json.state, 'deleted');
  assert.equal((await gateway.admin('DELETE', `/v1/messages/${json.id}`)).status, 409);
  assert.equal((await gateway.admin('DELETE', '/v1/messages/1234567890123456789')).status, 404);
});

test('sessions are listed, captured without secrets as tshark reads it, and ended', async () => {
  const esme = polite(await world.esme());
  await delivered(esme, { destination_addr: '79991110005', short_message: 'the hidden text' });
  const { items } = (await gateway.admin('GET', '/v1/sessions')).json;
  const session = items.find((s) => s.system_id === 'demo');
  for (const key of ['n', 'system_id', 'type', 'version', 'address', 'since']) assert.ok(session[key], key);
  assert.equal(session.type, 'transceiver');
  const directory = mkdtempSync(path.join(os.tmpdir(), 'smppbridge-capture-'));
  const file = path.join(directory, 'a.pcap');
  assert.equal(shell('capture', String(session.n), '-o', file).status, 0);
  const bytes = readFileSync(file);
  assert.ok(!bytes.includes('the hidden text') && !bytes.includes('demo\0demo\0'));
  assert.equal(shell('capture', String(session.n), '--text', '-o', `${file}.text`).status, 0);
  assert.ok(readFileSync(`${file}.text`).includes('the hidden text'));
  if (has('tshark')) {
    const out = execFileSync('tshark', ['-r', file, '-T', 'fields', '-e', 'smpp.command_id', '-e', '_ws.malformed'], {
      encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'],
    });
    for (const command of ['0x00000009', '0x80000009', '0x00000004', '0x80000004', '0x00000005']) assert.ok(out.includes(command), command);
  }
  rmSync(directory, { recursive: true });
  assert.equal((await gateway.admin('DELETE', `/v1/sessions/${session.n}`)).status, 202);
  await esme.closed;
  assert.equal((await gateway.admin('DELETE', '/v1/sessions/999999')).status, 404);
});

test('a paused upstream sends nothing until it is resumed', async () => {
  const esme = await world.esme();
  assert.equal((await gateway.admin('POST', '/v1/upstreams/smsc/pause')).json.state, 'paused');
  const answer = await esme.submit({ destination_addr: '79991110006' });
  assert.equal(answer.command_status, 0);
  assert.equal((await gateway.admin('GET', `/v1/messages/${answer.message_id}`)).json.state, 'queued');
  assert.equal(shell('upstreams', 'resume', 'smsc').status, 0);
  await esme.delivery((pdu) => receiptOf(pdu).id === answer.message_id);
  assert.equal((await gateway.admin('POST', '/v1/upstreams/none/pause')).status, 404);
  await esme.close();
});

test('metrics are what Prometheus reads and hold the names promised', async () => {
  const { text } = await gateway.admin('GET', '/metrics', undefined, {});
  for (const name of [
    'sessions', 'pdus_total', 'submit_seconds_bucket', 'messages_total', 'queue_messages', 'upstream_requests_total',
    'upstream_seconds_bucket', 'upstream_batch_messages_bucket', 'upstream_balance', 'callbacks_total', 'receipts_total',
    'throttled_total', 'store_commit_seconds_bucket', 'build_info',
  ])
    assert.match(text, new RegExp(`^(# TYPE )?smppbridge_${name.replace('_bucket', '(_bucket)?')}`, 'm'), name);
  assert.match(text, /smppbridge_submit_seconds_count [1-9]/);
  assert.match(text, /smppbridge_build_info\{version="[^"]+"\} 1/);
  if (has('promtool')) {
    const checked = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
    assert.equal(checked.status, 0, checked.stdout + checked.stderr);
  }
});

test('events bring the state every second', async () => {
  const reply = await fetch(`http://127.0.0.1:${gateway.adminPort}/v1/events`, { headers: { Authorization: 'Bearer token' } });
  assert.equal(reply.headers.get('content-type').split(';')[0], 'text/event-stream');
  const reader = reply.body.getReader();
  let text = '';
  while (text.split('event: status').length < 3) text += new TextDecoder().decode((await reader.read()).value);
  assert.equal(JSON.parse(text.match(/^data: (.*)$/m)[1]).lab, false);
  await reader.cancel();
});

test('a reload changes accounts without dropping a bind that may stay; a bad file changes nothing', async () => {
  const config = JSON.parse(readFileSync(gateway.file, 'utf8'));
  const write = (changed) => writeFileSync(gateway.file, JSON.stringify(changed));
  const esme = await world.esme();

  write({ ...config, esmes: [...config.esmes, { system_id: 'second', password: 'pw2', upstream: 'smsc' }] });
  assert.deepEqual((await gateway.admin('POST', '/v1/reload')).json, { reloaded: true, restart_needed: [] });
  const second = polite(await world.esme('bind_transceiver', { system_id: 'second', password: 'pw2' }));
  assert.equal(second.bindResponse.command_status, 0);

  write({ ...config, esmes: [{ ...config.esmes[0], max_binds: 'many' }] });
  const refused = await gateway.admin('POST', '/v1/reload');
  assert.equal(refused.status, 422);
  assert.match(refused.json.error, /max_binds/);
  assert.equal((await second.submit({ destination_addr: '79991110007' })).command_status, 0);

  write({ ...config, smpp: { listen: ['127.0.0.1:1'] } });
  const from = gateway.lines.length;
  gateway.child.kill('SIGHUP');
  await gateway.line(/reloaded.*smpp\.listen|smpp\.listen/, from);
  await second.closed; // no longer an account
  assert.equal((await esme.submit({ destination_addr: '79991110008' })).command_status, 0); // its bind has stayed
  assert.match((await gateway.admin('GET', '/v1/status')).json.restart_needed, /smpp\.listen/);
  assert.match(shell('reload').stdout, /reloaded/);
  write({ ...config, esmes: [{ ...config.esmes[0], upstream: 'other' }], upstreams: [{ ...config.upstreams[0], name: 'other' }],
    callbacks: { ...config.callbacks, upstream: 'other' } });
  assert.equal((await gateway.admin('POST', '/v1/reload')).status, 200);
  const { items } = (await gateway.admin('GET', '/v1/upstreams')).json;
  assert.equal(items.find((u) => u.name === 'smsc').state, 'not_configured');
  assert.equal((await gateway.admin('POST', '/v1/upstreams/smsc/resume')).status, 409);
  await delivered(esme, { destination_addr: '79991110009' });
  write(config);
  await gateway.admin('POST', '/v1/reload');
  await delivered(esme, { destination_addr: '79991110010' });
  await esme.close();
});

test('texts are removed when the configuration says so, the records stay', async () => {
  const config = JSON.parse(readFileSync(gateway.file, 'utf8'));
  const reload = async (keep_text) => {
    writeFileSync(gateway.file, JSON.stringify({ ...config, store: { ...config.store, keep_text } }));
    assert.equal((await gateway.admin('POST', '/v1/reload')).status, 200);
  };
  const esme = await world.esme();
  const id = await delivered(esme, { destination_addr: '79991110011', short_message: 'for a while' });
  const closed = await until('its receipt is answered', async () => {
    const m = (await gateway.admin('GET', `/v1/messages/${id}`)).json;
    return m.receipt === 'delivered' && m;
  });
  assert.equal(closed.text, 'for a while');
  await reload('1m'); // it is younger
  const later = await delivered(esme, { destination_addr: '79991110012', short_message: 'later' });
  assert.equal((await gateway.admin('GET', `/v1/messages/${id}`)).json.text, 'for a while');
  await reload(false);
  for (const one of [id, later]) {
    const emptied = await until('its text is gone', async () => {
      const m = (await gateway.admin('GET', `/v1/messages/${one}`)).json;
      return m.text === '' && m;
    });
    assert.equal(emptied.state, 'delivered');
    assert.ok(emptied.timeline.length > 0);
  }
  writeFileSync(gateway.file, JSON.stringify(config));
  assert.equal((await gateway.admin('POST', '/v1/reload')).status, 200);
  await esme.close();
});

test('the store is copied while it runs', async () => {
  const file = path.join(gateway.directory, 'copy.db');
  assert.equal(shell('backup', file).status, 0);
  assert.equal(readFileSync(file).subarray(0, 15).toString(), 'SQLite format 3');
  assert.equal(shell('backup', '/nowhere/copy.db').status, 1);
});

test('drain over the API ends the process with status 0', async () => {
  const own = await startWorld();
  const esme = await own.esme();
  assert.equal((await own.gateway.admin('POST', '/v1/drain')).status, 202);
  assert.deepEqual(await own.gateway.exited, { code: 0, signal: null });
  await esme.closed;
  await own.end();
});
