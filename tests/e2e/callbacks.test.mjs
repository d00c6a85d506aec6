// callbacks.test.mjs - the way back in every documented form, and what a stranger, a repeat or nonsense gets.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import https from 'node:https';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { callBack, now, signed, written } from './lib/callback.mjs';
import { Gateway, Simulator, Esme, freePort, receiptOf, startWorld, textOf, until } from './lib/world.mjs';

const forms = [
  { format: 'form', charset: 'utf-8', hash: 'sha1', fmt: '' },
  { format: 'form', charset: 'windows-1251', hash: 'md5', fmt: '' },
  { format: 'form', charset: 'koi8-r', hash: 'crc32', fmt: '' },
  { format: 'xml', charset: 'windows-1251', hash: 'sha1', fmt: '&fmt=2' },
  { format: 'xml', charset: 'utf-8', hash: 'crc32', fmt: '&fmt=2' },
  { format: 'json', charset: 'utf-8', hash: 'md5', fmt: '&fmt=3' },
  { format: 'json', charset: 'windows-1251', hash: 'sha1', fmt: '&fmt=3' },
];

let world, esme, plain, narrow, tls;
let nextNumber = 1000000;
const phone = () => `7999${nextNumber++}`;

before(async () => {
  for (const form of forms) form.port = await freePort();
  plain = { port: await freePort() };
  narrow = { port: await freePort() };
  tls = { port: await freePort() };
  const listener = (port, more) => ({ listen: [`127.0.0.1:${port}`], upstream: 'smsc', secret: 'secret', ...more });
  world = await startWorld({
    callbacks: [
      ...forms.map(({ port, format, charset, hash }) => listener(port, { format, charset, hash })),
      listener(plain.port, { hash: 'none', secret: '', max_body: '1KiB' }),
      listener(narrow.port, { allow_from: ['10.0.0.0/8'] }),
      listener(tls.port, { tls: certificate() }),
    ],
  });
  for (const form of forms) form.url = `http://127.0.0.1:${form.port}/smsc/callback`;
  plain.url = `http://127.0.0.1:${plain.port}/smsc/callback`;
  await world.simulator.behave({ callback_url: '' });
  esme = await world.esme();
});
after(async () => {
  await esme?.close();
  await world?.end();
});

let directory;
function certificate() {
  directory ??= execFileSync('mktemp', ['-d']).toString().trim();
  const key_file = path.join(directory, 'key.pem');
  const certificate_file = path.join(directory, 'cert.pem');
  const subject = ['-subj', '/CN=localhost', '-days', '2'];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key_file, '-out', certificate_file, ...subject], { stdio: 'ignore' });
  return { certificate_file, key_file };
}
after(() => directory && execFileSync('rm', ['-r', directory]));

/** Submits a message the simulator keeps to itself; its id here and upstream. */
async function submitted(fields = {}) {
  const to = phone();
  const answer = await esme.submit({ destination_addr: to, ...fields });
  assert.equal(answer.command_status, 0);
  const upstream = await until('accepted upstream', async () => {
    const { items } = await world.simulator.get(`/lab/messages?phone=${to}`);
    return items[0]?.id;
  });
  return { id: answer.message_id, upstream, phone: to };
}

const receiptsOf = (id) => esme.delivered.filter((pdu) => receiptOf(pdu).id === id);

/** Everything stored before this has been delivered when the marker arrives. */
async function settled() {
  const marker = `marker ${nextNumber++}`;
  assert.equal(await callBack(forms[0].url, { id: String(nextNumber++), phone: '79001112233', mes: marker, to: '1' }, forms[0]), 200);
  await esme.delivery((pdu) => textOf(pdu) === marker);
}

for (const form of forms) {
  test(`${form.format}, ${form.charset}, ${form.hash}: status, incoming message and confirming call`, async () => {
    const m = await submitted();
    const status = { id: m.upstream, phone: m.phone, status: 1, time: '18.10.26 15:34:12', ts: now(), cnt: 1, cost: '1.5' };
    assert.equal(await callBack(form.url, status, form), 200);
    const receipt = await esme.delivery((pdu) => receiptOf(pdu).id === m.id);
    assert.equal(receiptOf(receipt).stat, 'DELIVRD');

    const id = String(nextNumber++);
    const text = `Ответ ${id} + & = "é"`.replace('é', form.charset === 'utf-8' ? 'é' : 'e');
    const incoming = { id, phone: '79161112233', mes: text, to: '79037672215', smsc: '7900', sent: now(), time: now() };
    assert.equal(await callBack(form.url, incoming, form), 200);
    await esme.delivery((pdu) => textOf(pdu) === text && pdu.source_addr === '79161112233');

    const caller = phone();
    assert.equal(await callBack(form.url, { waitcall: 1, phone: caller, ts: now() }, form), 200);
    const call = await esme.delivery((pdu) => pdu.source_addr === caller);
    assert.equal(textOf(call), '[waitcall]');
  });

  test(`${form.format}, ${form.charset}, ${form.hash}: as the simulated aggregator writes it`, async () => {
    const url = `${form.url}?charset=${form.charset}${form.fmt}&${form.hash}=secret&shop=7`;
    await world.simulator.behave({ callback_url: url });
    const answer = await esme.submit({ destination_addr: phone(), data_coding: 8, short_message: 'Проверка' });
    await esme.delivery((pdu) => receiptOf(pdu).id === answer.message_id);
    const text = `Слово ${nextNumber++}`;
    await world.simulator.incoming({ phone: '79995556677', to: '79030000000', text });
    await esme.delivery((pdu) => textOf(pdu) === text);
    await world.simulator.behave({ callback_url: '' });
  });
}

test('parameters behind "!" come by GET and belong to the event', async () => {
  const m = await submitted();
  const url = `${forms[0].url}?shop=7&region=north`;
  assert.equal(await callBack(url, { id: m.upstream, phone: m.phone, status: 1, ts: now() }, forms[0]), 200);
  await esme.delivery((pdu) => receiptOf(pdu).id === m.id);
});

test('a repeat is answered 200 and gives no second receipt', async () => {
  const m = await submitted();
  const status = { id: m.upstream, phone: m.phone, status: 1, ts: now() };
  const answers = await Promise.all(Array.from({ length: 5 }, () => callBack(forms[0].url, status, forms[0])));
  answers.push(await callBack(forms[1].url, status, forms[1]));
  assert.deepEqual(answers, [200, 200, 200, 200, 200, 200]);
  await esme.delivery((pdu) => receiptOf(pdu).id === m.id);
  await settled();
  assert.equal(receiptsOf(m.id).length, 1);
});

test('an incoming message and a confirming call that are repeated reach the ESME once', async () => {
  const id = String(nextNumber++);
  const text = `once ${id}`;
  const incoming = { id, phone: '79161112233', mes: text, to: '1' };
  const call = { waitcall: 1, phone: phone(), ts: now() };
  for (let i = 0; i < 3; i++) {
    assert.equal(await callBack(forms[0].url, incoming, forms[0]), 200);
    assert.equal(await callBack(forms[0].url, call, forms[0]), 200);
  }
  await settled();
  assert.equal(esme.delivered.filter((pdu) => textOf(pdu) === text).length, 1);
  assert.equal(esme.delivered.filter((pdu) => pdu.source_addr === call.phone).length, 1);
});

test('statuses after the final one change nothing: 1 then 2, 4, 0 and 20', async () => {
  const m = await submitted();
  for (const status of [0, 1, 2, 4, 0, 20])
    assert.equal(await callBack(forms[0].url, { id: m.upstream, phone: m.phone, status, ts: now() }, forms[0]), 200);
  await settled();
  assert.deepEqual(receiptsOf(m.id).map((pdu) => receiptOf(pdu).stat), ['DELIVRD']);
});

const timeline = async (id) => (await world.gateway.admin('GET', `/v1/messages/${id}`)).json.timeline;

test('a late status is recorded, and what a callback tells beside the status: keys pressed, the voice menu, its meaning', async () => {
  const m = await submitted();
  const voice = { dtmf: '12#', calltime: '17', callmenu: '1>3', ringtime: '5', err: 6 };
  assert.equal(await callBack(forms[0].url, { id: m.upstream, phone: m.phone, status: 20, ts: now(), ...voice }, forms[0]), 200);
  assert.equal(await callBack(forms[0].url, { id: m.upstream, phone: m.phone, status: 1, ts: now() }, forms[0]), 200);
  const events = await until('both are in its story', async () => {
    const found = await timeline(m.id);
    return found.some((e) => /^late status 1/.test(e.text)) && found;
  });
  const note = events.find((e) => /dtmf=/.test(e.text ?? ''));
  assert.equal(note?.text, 'status 20 dtmf=12# calltime=17 callmenu=1>3 ringtime=5');
  const final = events.find((e) => e.event === 'final');
  assert.deepEqual([final.status, final.err, final.means], [20, 6, 'impossible to deliver: subscriber offline']);
  await settled();
  assert.deepEqual(receiptsOf(m.id).map((pdu) => receiptOf(pdu).stat), ['UNDELIV']);
});

/** A simulator, and a gateway to be configured before it is started. */
async function pair(t) {
  const simulator = await new Simulator().start();
  const gateway = await new Gateway().prepare();
  t.after(async () => {
    await gateway.stop();
    await simulator.kill();
    gateway.clean();
  });
  return { simulator, gateway };
}

test('a listener speaks for its own upstream account and for no other', async (t) => {
  const { simulator, gateway } = await pair(t);
  const second = await freePort();
  const [listenA, listenB] = [gateway.callbackPort, second].map((port) => [`127.0.0.1:${port}`]);
  gateway.overrides = {
    upstreams: [['smsc', 'alex'], ['other', 'maria']].map(([name, login]) => ({ name, urls: [simulator.url], login, password: '123' })),
    callbacks: [
      { listen: listenA, upstream: 'smsc', hash: 'sha1', secret: 'of smsc' },
      { listen: listenB, upstream: 'other', hash: 'sha1', secret: 'of other' },
    ],
  };
  await gateway.start(simulator.url);
  const sender = new Esme().connect(gateway.port);
  await sender.bind();
  const to = phone();
  const answer = await sender.submit({ destination_addr: to });
  const id = await until('accepted upstream', async () => (await simulator.get(`/lab/messages?phone=${to}`)).items[0]?.id);
  const urls = [gateway.callbackPort, second].map((port) => `http://127.0.0.1:${port}/smsc/callback`);
  const status = (code) => ({ id, phone: to, status: code, ts: now() });
  assert.equal(await callBack(urls[0], status(20), { secret: 'of other' }), 403);
  assert.equal(await callBack(urls[1], status(20), { secret: 'of other' }), 200, 'never 404: counted as unknown');
  assert.equal(await callBack(urls[0], status(1), { secret: 'of smsc' }), 200);
  await sender.delivery((pdu) => receiptOf(pdu).id === answer.message_id);
  assert.deepEqual(sender.delivered.map((pdu) => receiptOf(pdu).stat), ['DELIVRD']);
  assert.match((await gateway.admin('GET', '/metrics')).text, /smppbridge_callbacks_total\{kind="status",outcome="unknown_id"\} 1/);
  await sender.close();
});

test('one account under two names calls back to one listener, for both', async (t) => {
  const { simulator, gateway } = await pair(t);
  gateway.overrides = {
    esmes: [{ system_id: 'demo', password: 'demo', upstream: 'translit' }],
    upstreams: ['smsc', 'translit'].map((name) => ({ name, urls: [simulator.url], login: 'alex', password: '123' })),
    callbacks: [{ listen: [`127.0.0.1:${gateway.callbackPort}`], upstream: 'smsc', hash: 'sha1', secret: 'of alex' }],
  };
  await gateway.start(simulator.url);
  const sender = new Esme().connect(gateway.port);
  await sender.bind();
  const to = phone();
  const answer = await sender.submit({ destination_addr: to });
  const id = await until('accepted upstream', async () => (await simulator.get(`/lab/messages?phone=${to}`)).items[0]?.id);
  const told = await callBack(`http://127.0.0.1:${gateway.callbackPort}/smsc/callback`, { id, phone: to, status: 1, ts: now() }, { secret: 'of alex' });
  assert.equal(told, 200);
  await sender.delivery((pdu) => receiptOf(pdu).id === answer.message_id);
  await sender.close();
});

test('incoming messages of several aggregator accounts may share an id; of one account only once', async (t) => {
  const { simulator, gateway } = await pair(t);
  const ports = [gateway.callbackPort, await freePort(), await freePort()];
  const logins = ['alex', 'maria', 'alex']; // the third is the first account by another name
  const names = ['smsc', 'other', 'again'];
  gateway.overrides = {
    upstreams: names.map((name, i) => ({ name, urls: [simulator.url], login: logins[i], password: '123' })),
    callbacks: ports.map((port, i) => ({ listen: [`127.0.0.1:${port}`], upstream: names[i], hash: 'none' })),
    incoming: [{ to: '*', system_id: 'demo' }],
  };
  gateway.overrides.esmes = ['demo', 'asker'].map((system_id) => ({ system_id, password: 'demo', upstream: 'smsc' }));
  await gateway.start(simulator.url);
  const receiver = new Esme().connect(gateway.port);
  await receiver.bind();
  const told = (i, mes, id = '77') => callBack(`http://127.0.0.1:${ports[i]}/smsc/callback`, { id, phone: '79161112233', mes, to: '7903' });
  for (const i of [0, 1, 2, 0, 1]) assert.equal(await told(i, `by ${logins[i]}`), 200);
  assert.equal(await told(0, 'marker', '78'), 200);
  await receiver.delivery((pdu) => textOf(pdu) === 'marker');
  assert.deepEqual(receiver.delivered.map(textOf).sort(), ['by alex', 'by maria', 'marker']);
  // a reply through another account's handler is no reply to a message of this one
  const asker = new Esme().connect(gateway.port);
  await asker.bind('bind_transceiver', { system_id: 'asker' });
  await asker.submit({ destination_addr: '79161112233' });
  const sms_id = await until('accepted upstream', async () => (await simulator.get('/lab/messages?phone=79161112233')).items[0]?.id);
  const replied = (i, id) => callBack(`http://127.0.0.1:${ports[i]}/smsc/callback`, { id, phone: '79161112233', mes: `reply ${id}`, to: '7903', sms_id });
  for (const [i, id] of [[1, '91'], [0, '92'], [2, '93']]) assert.equal(await replied(i, id), 200);
  await receiver.delivery((pdu) => textOf(pdu) === 'reply 91');
  for (const id of ['92', '93']) await asker.delivery((pdu) => textOf(pdu) === `reply ${id}`);
  await asker.close();
  await receiver.close();
});

test('a callback answered 200 is kept: killed at once, its receipt comes after the restart', async (t) => {
  const kept = await startWorld();
  t.after(() => kept.end());
  await kept.simulator.behave({ callback_url: '' });
  const sender = await kept.esme('bind_transmitter');
  const url = `http://127.0.0.1:${kept.gateway.callbackPort}/smsc/callback`;
  const answers = await Promise.all(Array.from({ length: 20 }, () => phone()).map((to) => sender.submit({ destination_addr: to })));
  const items = await until('all upstream', async () => {
    const found = (await kept.simulator.get('/lab/messages?limit=100')).items;
    return found.length === 20 && found;
  });
  const statuses = await Promise.all(items.map(({ id, phone: to }) => callBack(url, { id, phone: to, status: 1, ts: now() })));
  assert.ok(statuses.every((s) => s === 200));
  await kept.gateway.kill();
  await kept.gateway.start();
  const receiver = await kept.esme('bind_receiver');
  for (const { message_id } of answers) await receiver.delivery((pdu) => receiptOf(pdu).id === message_id);
  assert.equal(receiver.delivered.length, 20);
  await receiver.close();
});

test('each final status has its word and its three-digit error', async () => {
  for (const [status, err, stat, state] of [
    [1, 0, 'DELIVRD', 2],
    [2, 0, 'DELIVRD', 2],
    [3, 6, 'EXPIRED', 3],
    [4, 0, 'DELIVRD', 2],
    [20, 1, 'UNDELIV', 5],
    [22, 249, 'REJECTD', 8],
    [23, 253, 'REJECTD', 8],
    [24, 0, 'REJECTD', 8],
    [25, 248, 'UNDELIV', 5],
  ]) {
    const m = await submitted();
    assert.equal(await callBack(forms[0].url, { id: m.upstream, phone: m.phone, status, err, ts: now() }, forms[0]), 200);
    const receipt = await esme.delivery((pdu) => receiptOf(pdu).id === m.id);
    assert.deepEqual([receiptOf(receipt).stat, receiptOf(receipt).err, receipt.message_state], [stat, String(err).padStart(3, '0'), state]);
  }
});

test('a forged callback is 403, nonsense 400, an unknown id 200; none of them makes a receipt', async () => {
  const m = await submitted();
  const status = { id: m.upstream, phone: m.phone, status: 1, ts: now() };
  const { url } = forms[0];
  assert.equal(await callBack(url, { ...status, sha1: '0'.repeat(40) }, { ...forms[0], unsigned: true }), 403);
  assert.equal(await callBack(url, status, { ...forms[0], unsigned: true }), 403);
  assert.equal(await callBack(url, status, { ...forms[0], secret: 'other' }), 403);
  assert.equal(await callBack(url, { ...signed(status, forms[0]), status: 20 }, { ...forms[0], unsigned: true }), 403);
  assert.equal(await callBack(url, { ...status, status: 77 }, forms[0]), 400);
  assert.equal(await callBack(url, { ...status, status: 'delivered' }, forms[0]), 400);
  assert.equal(await callBack(url, { ...status, id: 's1234567890123456789' }, forms[0]), 200);
  assert.equal(await callBack(url, { ...status, id: '4711' }, forms[0]), 200);
  assert.equal(await callBack(plain.url, {}, { hash: 'none' }), 400);
  await settled();
  assert.equal(receiptsOf(m.id).length, 0);
  assert.equal(await callBack(url, status, forms[0]), 200);
  await esme.delivery((pdu) => receiptOf(pdu).id === m.id);
});

test('without a configured hash any callback counts; a body over the limit is 413', async () => {
  const m = await submitted();
  assert.equal(await callBack(plain.url, { id: m.upstream, phone: m.phone, status: 1 }, { hash: 'none' }), 200);
  await esme.delivery((pdu) => receiptOf(pdu).id === m.id);
  const long = { id: '1', phone: '1', mes: 'x'.repeat(2000), to: '1' };
  assert.equal(await callBack(plain.url, long, { hash: 'none' }), 413);
});

test('an address outside allow_from is 403; another path and another method are no callbacks', async () => {
  const status = { id: 's1', phone: '1', status: 1 };
  assert.equal(await callBack(`http://127.0.0.1:${narrow.port}/smsc/callback`, status), 403);
  assert.equal(await callBack(`http://127.0.0.1:${forms[0].port}/elsewhere`, status), 404);
  assert.equal((await fetch(forms[0].url)).status, 405);
});

test('XML brings no entities from elsewhere', async () => {
  const body = '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]><request><id>9</id><phone>1</phone><mes>&x;</mes><to>1</to></request>';
  const reply = await fetch(plain.url, { method: 'POST', body, headers: { 'Content-Type': 'text/xml' } });
  assert.equal(reply.status, 400);
});

test('callbacks over TLS', async () => {
  const m = await submitted();
  const { body, type } = written(signed({ id: m.upstream, phone: m.phone, status: 1, ts: now() }));
  const status = await new Promise((resolve, reject) => {
    const request = https.request(
      { host: '127.0.0.1', port: tls.port, path: '/smsc/callback', method: 'POST', rejectUnauthorized: false, headers: { 'Content-Type': type, 'Content-Length': body.length } },
      (reply) => {
        reply.resume();
        resolve(reply.statusCode);
      },
    );
    request.on('error', reject);
    request.end(body);
  });
  assert.equal(status, 200);
  await esme.delivery((pdu) => receiptOf(pdu).id === m.id);
});

test('an HLR answer has the form of the aggregator\'s own SMPP service', async () => {
  const m = await submitted();
  const hlr = { imsi: '250023012345678', msc: '79110000000', mcc: '250', mnc: '02', cn: 'Россия', net: 'МегаФон', rcn: '', rnet: '' };
  assert.equal(await callBack(forms[0].url, { id: m.upstream, phone: m.phone, status: 1, ts: now(), type: 4, ...hlr }, forms[0]), 200);
  const receipt = await esme.delivery((pdu) => textOf(pdu).includes(m.id));
  const found = /^id:(\d+) stat:(\w+) err:(\d+) imsi:(\d*) msc:(\d*) mcc:(\d*) mnc:(\d*) cn:([^ ]*) net:([^ ]*) rcn:([^ ]*) rnet:([^ ]*)$/.exec(textOf(receipt));
  assert.ok(found, textOf(receipt));
  assert.deepEqual([found[1], found[2], found[3], found[4], decodeURIComponent(found[8]), decodeURIComponent(found[9])], [m.id, 'DELIVRD', '000', hlr.imsi, hlr.cn, hlr.net]);
});

test('503 while the store cannot take it, 200 for the repeat, each event delivered once', async (t) => {
  const full = await startWorld();
  t.after(() => full.end());
  await full.simulator.behave({ callback_url: '' });
  const listener = await full.esme();
  const url = `http://127.0.0.1:${full.gateway.callbackPort}/smsc/callback`;
  const limit = (bytes) => execFileSync('prlimit', ['--pid', String(full.gateway.child.pid), `--fsize=${bytes}:unlimited`]);
  const event = (i) => ({ id: `full${i}`, phone: '79161112233', mes: `full ${i}`, to: '1' });

  limit(8192); // as good as a full disk: no file may grow (SIGXFSZ is ignored)
  const statuses = [];
  for (let i = 0; i < 20; i++) statuses.push(await callBack(url, event(i)));
  assert.ok(statuses.includes(503), statuses.join(' '));
  assert.ok(statuses.every((status) => status === 200 || status === 503));
  limit('unlimited');
  for (let i = 0; i < 20; i++) await until(`event ${i} is taken`, async () => (await callBack(url, event(i))) === 200);
  for (let i = 0; i < 20; i++) await listener.delivery((pdu) => textOf(pdu) === `full ${i}`);
  assert.equal(await callBack(url, event('last')), 200);
  await listener.delivery((pdu) => textOf(pdu) === 'full last');
  assert.equal(listener.delivered.length, 21);
  await listener.close();
});

test('after a restart a repeated status of a message that has ended is not taken for the other of its request', async (t) => {
  const w = await startWorld({ upstream: { batch: { max: 100, linger: '200ms' } } });
  t.after(() => w.end());
  await w.simulator.behave({ callback_url: '', latency_min_ms: 60, latency_max_ms: 60 });
  let peer = await w.esme();
  const submits = await Promise.all(Array.from({ length: 12 }, (_, i) => peer.submit({ destination_addr: `7999${String(4000000 + i)}`, short_message: `no ${i}` })));
  await until('all sent', async () => (await w.simulator.accepted()).accepted === 12);
  const { items } = await w.simulator.get('/lab/messages?limit=100');
  const id = items.map((m) => m.id).find((one) => items.filter((m) => m.id === one).length > 1);
  const [open, ...ended] = items.filter((m) => m.id === id);
  const url = `http://127.0.0.1:${w.gateway.callbackPort}/smsc/callback`;
  const status = (m, value) => callBack(url, { id, phone: m.phone, status: value, ts: now(), cnt: 1, ...(value === 20 ? { err: 6 } : {}) }, {});
  for (const m of ended) assert.equal(await status(m, 1), 200);
  for (const m of ended) await peer.delivery((pdu) => pdu.source_addr === m.phone);
  await w.gateway.stop();
  await w.gateway.start();
  peer = await w.esme();
  assert.equal(await status(ended[0], 20), 200); // the aggregator says it again, and worse
  assert.equal(await status(open, 1), 200);
  const pdu = await peer.delivery((p) => p.source_addr === open.phone);
  assert.equal(receiptOf(pdu).stat, 'DELIVRD');
  assert.ok(submits.some((a) => a.message_id === receiptOf(pdu).id));
  assert.equal(peer.delivered.length, 1);
  await peer.close();
});
