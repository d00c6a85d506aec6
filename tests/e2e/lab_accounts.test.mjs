// lab_accounts.test.mjs - one account of a production gateway answered by the simulated network inside, without any upstream.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Esme, Gateway, Simulator, freePort, receiptOf, textOf, until } from './lib/world.mjs';

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
