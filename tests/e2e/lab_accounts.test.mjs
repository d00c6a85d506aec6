// lab_accounts.test.mjs - one account of a production gateway answered by the simulated network inside, without any upstream.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Daemon } from './lib/daemon.mjs';
import { Esme, Gateway, Simulator, binary, freePort, receiptOf, textOf, until } from './lib/world.mjs';

let gateway;
let simulator;
let admin;

const bound = async (system_id) => {
  const esme = new Esme().connect(gateway.port);
  const response = await esme.bind('bind_transceiver', { system_id, password: 'demo' });
  assert.equal(response.command_status, 0);
  return esme;
};
const esmes = (...modes) => modes.map((mode) => ({ system_id: mode, password: 'demo', mode, rate: 0, upstream: 'smsc' }));

before(async () => {
  const port = await freePort();
  admin = `http://127.0.0.1:${port}`;
  gateway = await new Gateway({ esmes: esmes('live', 'lab'), admin: { listen: [`127.0.0.1:${port}`], token: 't' }, incoming: [] }).prepare();
  simulator = await new Simulator().start({ callback: gateway.callbackUrl });
  await gateway.start(simulator.url);
});
after(async () => {
  await gateway?.stop();
  await simulator?.kill('SIGTERM');
  gateway?.clean();
});

test('a lab account gets its receipts, and the upstream sees nothing', async () => {
  const esme = await bound('lab');
  const sent = await esme.submit({ destination_addr: '79990000001', short_message: 'Hello' });
  assert.equal(sent.command_status, 0);
  const receipt = await esme.delivery((pdu) => receiptOf(pdu).id === sent.message_id);
  assert.equal(receiptOf(receipt).stat, 'DELIVRD');
  const failed = await esme.submit({ destination_addr: '79000001006', short_message: 'Hello' });
  const other = await esme.delivery((pdu) => receiptOf(pdu).id === failed.message_id);
  assert.deepEqual([receiptOf(other).stat, receiptOf(other).err], ['UNDELIV', '006']);
  const echo = await esme.submit({ destination_addr: '79000005001', short_message: 'Hello?' });
  assert.equal(echo.command_status, 0);
  const reply = await esme.delivery((pdu) => textOf(pdu) === 'Hello?' && pdu.esm_class === 0);
  assert.equal(reply.source_addr, '79000005001');
  await esme.close();
  assert.equal((await simulator.accepted()).requests, 0);
});

test('a live account beside it goes to its upstream', async () => {
  const esme = await bound('live');
  const sent = await esme.submit({ destination_addr: '79990000002', short_message: 'Hello' });
  await esme.delivery((pdu) => receiptOf(pdu).id === sent.message_id);
  assert.equal((await simulator.accepted()).accepted, 1);
  await esme.close();
});

test('behaviour is changed over the administration API', async () => {
  const headers = { Authorization: 'Bearer t' };
  const reply = await fetch(`${admin}/v1/lab/behaviour`, { method: 'PUT', headers, body: '{"delivered": 0, "failures": "3/0"}' });
  assert.equal(reply.status, 200);
  const esme = await bound('lab');
  const sent = await esme.submit({ destination_addr: '79990000003', short_message: 'Hello' });
  const receipt = await esme.delivery((pdu) => receiptOf(pdu).id === sent.message_id);
  assert.equal(receiptOf(receipt).stat, 'EXPIRED');
  await esme.close();
});

test('a reload makes a live account a lab account, a restart keeps it so', async () => {
  gateway.overrides.esmes = esmes('live', 'lab').map((e) => ({ ...e, mode: 'lab' }));
  writeFileSync(gateway.file, JSON.stringify(gateway.config(simulator.url)));
  gateway.child.kill('SIGHUP');
  await gateway.line(/configuration reloaded/);
  const before = (await simulator.accepted()).accepted;
  for (const round of [1, 2]) {
    const esme = await bound('live');
    const sent = await esme.submit({ destination_addr: '79990000004', short_message: `round ${round}` });
    await esme.delivery((pdu) => receiptOf(pdu).id === sent.message_id);
    await esme.close();
    if (round === 1) {
      await gateway.stop();
      await gateway.start();
    }
  }
  assert.equal((await simulator.accepted()).accepted, before);
});

const api = async (method, where, body) => {
  const reply = await fetch(`${admin}/v1/${where}`, { method, headers: { Authorization: 'Bearer t' }, body: body && JSON.stringify(body) });
  return { status: reply.status, json: await reply.json() };
};

for (const [how, end] of [['kill -9', (g) => g.kill('SIGKILL')], ['SIGTERM', (g) => g.stop()]])
  test(`what was under way in the simulated network ends in one receipt after a restart by ${how}`, async () => {
    assert.equal((await api('PUT', 'lab/behaviour', { delivered: 1 })).status, 200);
    const esme = await bound('lab');
    const late = await esme.submit({ destination_addr: '79000003004', short_message: `under way ${how}` }); // 4 s
    const ended = await esme.submit({ destination_addr: '79000001006', short_message: `ended ${how}` });
    await esme.delivery((pdu) => receiptOf(pdu).id === ended.message_id);
    const story = (id) => api('GET', `messages/${id}`);
    await until('the network has it', async () => (await story(late.message_id)).json.timeline.some(({ event, result }) => event === 'http_reply' && result === 'accepted'));
    await end(gateway);
    assert.ok(!esme.delivered.some((pdu) => receiptOf(pdu).id === late.message_id), 'it was still under way');
    await gateway.start();
    const again = await bound('lab');
    const receipt = await again.delivery((pdu) => receiptOf(pdu).id === late.message_id);
    assert.equal(receiptOf(receipt).stat, 'DELIVRD');
    // whatever else had to come has come before the receipt of a later message
    const last = await again.submit({ destination_addr: '79990000005', short_message: `last ${how}` });
    await again.delivery((pdu) => receiptOf(pdu).id === last.message_id);
    const ids = again.delivered.map((pdu) => receiptOf(pdu).id);
    assert.equal(ids.filter((id) => id === late.message_id).length, 1);
    assert.ok(!ids.includes(ended.message_id));
    await again.close();
  });

test('what its subscribers send reaches lab accounts only: the one named, the one the rules lead to, else the first', async () => {
  gateway.overrides.esmes = esmes('live', 'lab').concat({ ...esmes('lab')[0], system_id: 'lab2' });
  gateway.overrides.incoming = [{ to: '*', keyword: 'two', system_id: 'lab2' }, { to: '*', system_id: 'live' }];
  writeFileSync(gateway.file, JSON.stringify(gateway.config(simulator.url)));
  const from = gateway.lines.length;
  gateway.child.kill('SIGHUP');
  await gateway.line(/configuration reloaded/, from);
  const [live, one, two] = await Promise.all(['live', 'lab', 'lab2'].map(bound));
  const write = (body) => api('POST', 'lab/incoming', { from: '79995550001', to: '79030000000', ...body });
  assert.equal((await write({ text: 'to the second', account: 'lab2' })).status, 202);
  await two.delivery((pdu) => textOf(pdu) === 'to the second');
  assert.equal((await write({ text: 'two by its word' })).status, 202);
  await two.delivery((pdu) => textOf(pdu) === 'two by its word');
  assert.equal((await write({ text: 'to nobody' })).status, 202);
  await one.delivery((pdu) => textOf(pdu) === 'to nobody');
  const refused = await write({ text: 'to a live one', account: 'live' });
  assert.equal(refused.status, 400);
  assert.match(JSON.stringify(refused.json), /no account of this lab/);
  assert.equal((await write({ text: 'x', account: 'nobody' })).status, 400);
  assert.equal((await write({})).status, 400);
  // after a restart the network counts from the beginning; what it tells is new all the same
  await gateway.stop();
  await gateway.start();
  const after = await bound('lab');
  assert.equal((await write({ text: 'after the restart' })).status, 202);
  await after.delivery((pdu) => textOf(pdu) === 'after the restart');
  assert.deepEqual(live.delivered, []);
  await Promise.all([after.close()]);
});

test('smppbridge lab -c FILE: accounts of both modes are answered, each by its own account of the simulator', async () => {
  const own = await new Gateway({ esmes: esmes('live', 'lab'), callbacks: { hash: 'md5', format: 'json', path: '/here' }, incoming: [{ to: '*', system_id: 'live' }] }).prepare();
  const port = await freePort();
  writeFileSync(own.file = `${own.directory}/lab.json`, JSON.stringify(own.config(`http://127.0.0.1:${port}`)), { mode: 0o600 });
  const program = new Daemon('lab', binary, ['lab', '-c', own.file, '--simulator-port', String(port)]);
  try {
    await program.line(/^try/);
    for (const system_id of ['live', 'lab']) {
      const esme = new Esme().connect(own.port);
      assert.equal((await esme.bind('bind_transceiver', { system_id, password: 'demo' })).command_status, 0);
      const sent = await esme.submit({ destination_addr: '79990000006', short_message: `from ${system_id}` });
      assert.equal(receiptOf(await esme.delivery((pdu) => receiptOf(pdu).id === sent.message_id)).stat, 'DELIVRD');
      const reply = await own.admin('POST', '/v1/lab/incoming', { from: '79995550002', text: `for ${system_id}`, account: system_id });
      assert.equal(reply.status, 202, reply.text);
      await esme.delivery((pdu) => textOf(pdu) === `for ${system_id}`);
      await esme.close();
    }
    const texts = async (account) =>
      (await (await fetch(`http://127.0.0.1:${port}/lab/messages?account=${account}`)).json()).items.map(({ text }) => text);
    assert.deepEqual(await texts('alex'), ['from live']);
    assert.deepEqual(await texts('lab-accounts'), ['from lab']);
    // a change without an account is for both, one with is for it alone
    const behaviour = async (query = '') => (await own.admin('GET', `/v1/lab/behaviour${query}`)).json;
    assert.equal((await own.admin('PUT', '/v1/lab/behaviour', { delivered: 0.5, balance: '7' })).status, 200);
    assert.deepEqual([(await behaviour()).balance, (await behaviour('?account=lab-accounts')).delivered], ['7', 0.5]);
    assert.equal((await own.admin('PUT', '/v1/lab/behaviour?account=lab-accounts', { delivered: 0 })).status, 200);
    assert.deepEqual([(await behaviour()).delivered, (await behaviour('?account=lab-accounts')).delivered], [0.5, 0]);
    assert.equal((await own.admin('GET', '/v1/lab/behaviour?account=eve')).status, 404);
  } finally {
    await program.stop();
    own.clean();
  }
});
