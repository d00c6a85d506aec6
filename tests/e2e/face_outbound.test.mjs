// face_outbound.test.mjs - what the SMSC says of its own accord, on the operator's request: alert_notification and
// outbind, against the npm package smpp. Lines of the compatibility list: A.4 (outbind).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { freePort, receiptOf, smpp, startWorld, until } from './lib/world.mjs';

let world;
before(async () => (world = await startWorld()));
after(() => world?.end());

const admin = (...call) => world.gateway.admin(...call);
const sessions = async () => (await admin('GET', '/v1/sessions')).json.items;

test('alert_notification reaches the session named, and needs no answer', async () => {
  const esme = await world.esme('bind_receiver');
  const [{ n }] = await sessions();
  const came = new Promise((resolve) => esme.session.once('alert_notification', resolve));
  const reply = await admin('POST', `/v1/sessions/${n}/alert`, {
    source: '79991234567', esme: 'demo', esme_ton: 5, ms_availability_status: 2,
  });
  assert.equal(reply.status, 202);
  assert.deepEqual(reply.json, { n, sent: true });
  const pdu = await came;
  assert.deepEqual(
    [pdu.source_addr_ton, pdu.source_addr_npi, pdu.source_addr, pdu.esme_addr_ton, pdu.esme_addr, pdu.ms_availability_status],
    [1, 1, '79991234567', 5, 'demo', 2],
  );

  const bare = new Promise((resolve) => esme.session.once('alert_notification', resolve));
  assert.equal((await admin('POST', `/v1/sessions/${n}/alert`, { source: '79991234568' })).status, 202);
  assert.equal((await bare).ms_availability_status, undefined);
  assert.equal((await esme.request(new smpp.PDU('enquire_link'))).command_status, 0);
  await esme.close();
});

test('an alert to nobody, to a transmitter or without a number is refused', async () => {
  const esme = await world.esme('bind_transmitter');
  const [{ n }] = await sessions();
  const status = async (session, body) => (await admin('POST', `/v1/sessions/${session}/alert`, body)).status;
  assert.equal(await status(n, { source: '79991234567' }), 409);
  assert.equal(await status(n, {}), 400);
  assert.equal(await status(n, { source: '79991234567', ms_availability_status: 256 }), 400);
  assert.equal(await status(n, '['), 400);
  assert.equal(await status(999999, { source: '79991234567' }), 404);
  await esme.close();
});

test('outbind: a listening ESME is called, binds on that connection, submits and gets its receipt', async () => {
  const port = await freePort();
  let told;
  const called = new Promise((resolve) => (told = resolve));
  const server = smpp.createServer((session) => {
    session.on('error', () => {});
    session.on('outbind', (pdu) => told({ session, pdu }));
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  const reply = await admin('POST', '/v1/outbind', { address: `127.0.0.1:${port}`, system_id: 'gateway', password: 'ours' });
  assert.equal(reply.status, 202);
  const { session, pdu } = await called;
  assert.deepEqual([pdu.system_id, pdu.password], ['gateway', 'ours']);

  const delivered = new Promise((resolve) =>
    session.on('deliver_sm', (delivery) => {
      session.send(delivery.response());
      resolve(delivery);
    }),
  );
  const ask = (command, fields) => new Promise((resolve) => session[command](fields, resolve));
  const bound = await ask('bind_transceiver', { system_id: 'demo', password: 'demo', interface_version: 0x34 });
  assert.equal(bound.command_status, 0);
  assert.equal((await sessions())[0].system_id, 'demo');
  const answer = await ask('submit_sm', {
    source_addr: 'ivan', destination_addr: '79990007001', short_message: 'called', registered_delivery: 1,
  });
  assert.equal(answer.command_status, 0);
  assert.equal(receiptOf(await delivered).id, answer.message_id);
  session.close();
  await new Promise((resolve) => server.close(resolve));
  await until('the session is gone', async () => (await sessions()).length === 0);
});

test('outbind without an address or a name is refused; to where nobody listens nothing binds', async () => {
  const status = async (body) => (await admin('POST', '/v1/outbind', body)).status;
  assert.equal(await status({ system_id: 'gateway' }), 400);
  assert.equal(await status({ address: 'nowhere', system_id: 'gateway' }), 400);
  assert.equal(await status({ address: '127.0.0.1:2775', system_id: 'x'.repeat(65) }), 400);
  assert.equal(await status({ address: `127.0.0.1:${await freePort()}`, system_id: 'gateway' }), 202);
  assert.equal((await admin('GET', '/healthz')).status, 200);
  assert.deepEqual(await sessions(), []);
});
