// account.test.mjs - the upstream account's own methods: from the shell, over the administration API, wait-call over SMPP.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { binary, freePort, startWorld, textOf, until } from './lib/world.mjs';

let world;
let admin;

before(async () => {
  const port = await freePort();
  admin = `http://127.0.0.1:${port}`;
  world = await startWorld({ admin: { listen: [`127.0.0.1:${port}`], token: 'open sesame' } });
});
after(() => world?.end());

/** Runs `smppbridge smsc …` with the gateway's configuration. */
function smsc(...args) {
  return new Promise((resolve) =>
    execFile(binary, ['smsc', ...args, '-c', world.gateway.file], (error, stdout, stderr) =>
      resolve({ status: error ? error.code : 0, stdout, stderr })));
}

const get = (where) => fetch(`${admin}/v1/smsc/${where}`, { headers: { Authorization: 'Bearer open sesame' } });

test('the shell asks the running gateway, tables and JSON', async () => {
  const table = await smsc('operator', '79161234567');
  assert.equal(table.stderr, '');
  assert.match(table.stdout, /^operator +МТС$/m);
  const json = await smsc('balance', '--json');
  assert.ok(Number(JSON.parse(json.stdout).balance) > 0);
  const cost = await smsc('cost', '79161234567', 'Привет', '--json');
  assert.equal(JSON.parse(cost.stdout).cost, '1.65');
});

test('without a file the environment says where, as it does for the other commands', async () => {
  let asked = 0; // a number each: identical questions are limited
  const ask = (env, ...args) => new Promise((resolve) =>
    execFile(binary, ['smsc', 'operator', `7916123400${asked++}`, '--upstream', 'smsc', ...args], { env: { ...process.env, ...env } },
      (error, stdout, stderr) => resolve({ status: error ? error.code : 0, stdout, stderr })));
  const there = { SMPPBRIDGE_URL: `${admin}/`, SMPPBRIDGE_TOKEN: 'open sesame' };
  const found = await ask(there);
  assert.equal(found.status, 0, found.stderr);
  assert.match(found.stdout, /^operator +МТС$/m);
  const nowhere = `http://127.0.0.1:${await freePort()}`;
  assert.equal((await ask({ ...there, SMPPBRIDGE_URL: nowhere }, '--url', admin)).status, 0); // what is given goes first
  assert.equal((await ask({ ...there, SMPPBRIDGE_URL: nowhere }, '-c', world.gateway.file)).status, 1); // before the file
  assert.equal((await ask({ SMPPBRIDGE_URL: '', SMPPBRIDGE_TOKEN: '' }, '-c', world.gateway.file)).status, 0);
});

test('--direct asks the aggregator itself', async () => {
  const { stdout, status } = await smsc('wait-call', '79161234567', '--direct', '--json');
  assert.equal(status, 0);
  assert.match(JSON.parse(stdout).phone, /^7495/);
});

test('errors are words, mistakes cost no request', async () => {
  const before = (await world.simulator.accepted()).requests;
  assert.equal((await smsc('operator')).status, 2);
  assert.equal((await smsc('history', '--cnt', '1000')).status, 2);
  assert.equal((await get('smsc/operator')).status, 400);
  assert.equal((await get('nowhere/balance')).status, 404);
  assert.equal((await get('smsc/send')).status, 404);
  assert.equal((await fetch(`${admin}/v1/smsc/smsc/balance`)).status, 401);
  assert.equal((await world.simulator.accepted()).requests, before);
  const none = await smsc('tinyurl', '--id', '99');
  assert.equal(none.status, 1);
  assert.match(none.stderr, /no such link/);
  const reply = await get('smsc/tinyurl?id=98');
  assert.equal(reply.status, 422);
  assert.equal((await reply.json()).error_code, 3);
});

test('the limits of the aggregator are kept before it has to refuse', async () => {
  for (let i = 0; i < 3; i++) assert.equal((await get('smsc/megafon')).status, 200);
  const before = (await world.simulator.accepted()).requests;
  const fourth = await get('smsc/megafon');
  assert.equal(fourth.status, 429);
  assert.ok(Number(fourth.headers.get('retry-after')) > 50);
  assert.equal((await smsc('megafon')).status, 1);
  assert.equal((await world.simulator.accepted()).requests, before);
});

test('history, status and deletion of a message sent over SMPP', async () => {
  const esme = await world.esme();
  await esme.submit({ destination_addr: '79000003060', short_message: 'later', registered_delivery: 0 });
  const sent = await until('it is upstream', async () =>
    (await world.simulator.get('/lab/messages?phone=79000003060')).items[0]?.id);
  const history = await (await get('smsc/history?phone=79000003060')).json();
  assert.equal(history[0].message, 'later');
  const status = await (await get(`smsc/status?phone=79000003060&id=${sent}`)).json();
  assert.equal(status.status, 0);
  const deleted = await smsc('delete', '79000003060', sent);
  assert.match(deleted.stdout, /OK/);
  await esme.close();
});

test('every method of the account, as a table and as JSON', async () => {
  const esme = await world.esme();
  const sent = await esme.submit({ destination_addr: '79161230077', short_message: 'see http://example.org/long', registered_delivery: 1 });
  await esme.delivery((pdu) => textOf(pdu).includes(sent.message_id));
  await world.simulator.incoming({ phone: '79161230077', text: 'Спасибо' });
  await esme.delivery((pdu) => textOf(pdu).length > 0 && pdu.source_addr === '79161230077' && pdu.esm_class === 0);
  await esme.close();
  const { id } = (await world.simulator.get('/lab/messages?phone=79161230077')).items[0];
  const methods = [
    [['balance'], (r) => Number(r.balance) > 0 && r.currency === 'RUR', /^balance/m],
    [['cost', '79161234567', 'Hello'], (r) => r.cost === '1.65' && r.cnt === 1, /1\.65/],
    [['status', '79161230077', id], (r) => r.status === 1 && r.phone === '79161230077', /Delivered/],
    [['history', '--phone', '79161230077'], (r) => r[0].id == id, /79161230077/],
    [['incoming'], (r) => r.some((m) => m.message === 'Спасибо'), /Спасибо/],
    [['stat', '--mycur', '1'], (r) => r[0].login === 'alex' && Number(r[0].sms) > 0, /^alex/m],
    [['prices'], (r) => r.zones.some((z) => z.name === 'Россия') && r.codes[0].mccmnc === '25001', /Россия/],
    [['operator', '79141234567'], (r) => r.operator === 'МТС' && r.tz === '10', /Владивосток/],
  ];
  for (const [args, fits, table] of methods) {
    const json = await smsc(...args, '--json');
    assert.equal(json.status, 0, json.stderr);
    assert.ok(fits(JSON.parse(json.stdout)), `${args}: ${json.stdout}`);
    const text = await smsc(...args);
    assert.match(text.stdout, table, args.join(' '));
  }
});

test('with kind smsc-soap: balance, cost and status over SOAP, the others over HTTP', async () => {
  const soap = await startWorld({ upstream: { kind: 'smsc-soap' } });
  try {
    const ask = async (where) => (await soap.gateway.admin('GET', `/v1/smsc/smsc/${where}`)).json;
    const esme = await soap.esme();
    const sent = await esme.submit({ destination_addr: '79161230078', short_message: 'Hello' });
    await esme.delivery((pdu) => textOf(pdu).includes(sent.message_id));
    await esme.close();
    const { id } = (await soap.simulator.get('/lab/messages?phone=79161230078')).items[0];
    assert.ok(Number((await ask('balance')).balance) > 0);
    assert.equal((await ask('cost?phones=79161234567&mes=Hello')).cost, '1.65');
    assert.equal(String((await ask(`status?phone=79161230078&id=${id}`)).status), '1');
    assert.equal((await ask('history?phone=79161230078'))[0].message, 'Hello');
    assert.equal((await ask('operator?phone=79161234567')).operator, 'МТС');
    const none = await soap.gateway.admin('GET', '/v1/smsc/smsc/status?phone=79161230078&id=nobody');
    assert.equal(none.json.status, -3, none.text); // error 3 of SOAP is told as over HTTP
  } finally {
    await soap.end();
  }
});

test('wait-call over SMPP: the number to call comes back, the call as [waitcall]', async () => {
  const esme = await world.esme();
  const response = await esme.submit({ service_type: 'WCALL', destination_addr: '79161112233', source_addr: 'shop', short_message: '' });
  assert.equal(response.command_status, 0);
  assert.match(response.message_id, /^[1-9]\d{17,18}$/);
  const number = await esme.delivery((pdu) => pdu.source_addr === '79161112233');
  assert.equal(number.destination_addr, 'shop');
  assert.equal(number.esm_class, 0);
  assert.match(textOf(number), /^7495000000\d$/);
  assert.equal((await world.simulator.get('/lab/messages?phone=79161112233')).items.length, 0); // nothing was sent
  await world.simulator.send('POST', '/lab/waitcall', { phone: '79161112233' });
  const call = await esme.delivery((pdu) => textOf(pdu) === '[waitcall]');
  assert.equal(call.source_addr, '79161112233');
  await world.simulator.behave({ blocked: 1 });
  const refused = await esme.submit({ service_type: 'WCALL', destination_addr: '79161112234', short_message: '' });
  assert.equal(refused.command_status, 8);
  await world.simulator.behave({ blocked: 0 });
  await esme.close();
});

test('the conformance report names what a client does wrong, and nothing else', async () => {
  const report = async () => {
    const list = await fetch(`${admin}/v1/sessions`, { headers: { Authorization: 'Bearer open sesame' } });
    const { n } = (await list.json()).items.at(-1);
    const reply = await fetch(`${admin}/v1/sessions/${n}/conformance`, { headers: { Authorization: 'Bearer open sesame' } });
    return reply.json();
  };
  const esme = await world.esme();
  await esme.submit({ registered_delivery: 0, short_message: 'fine' });
  assert.deepEqual((await report()).findings, []);
  assert.equal((await report()).conforms, true);
  await esme.submit({ registered_delivery: 0, esm_class: 0x04, short_message: 'id:1' });
  const { findings, conforms, system_id } = await report();
  assert.equal(conforms, false);
  assert.equal(system_id, 'demo');
  assert.deepEqual(findings.map((f) => [f.finding, f.count]), [['wrong_esm_class', 1]]);
  const list = await (await fetch(`${admin}/v1/sessions`, { headers: { Authorization: 'Bearer open sesame' } })).json();
  const command = await new Promise((resolve) =>
    execFile(binary, ['conformance', String(list.items.at(-1).n), '-c', world.gateway.file], (error, stdout, stderr) =>
      resolve({ status: error ? error.code : 0, stdout, stderr })));
  assert.equal(command.status, 0, command.stderr);
  assert.match(command.stdout, /wrong_esm_class/);
  await esme.close();
});
