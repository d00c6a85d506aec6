// main_job.test.mjs - the main job with a client nobody here wrote: submit_sm out over HTTP, the receipt back.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { receiptOf, startWorld, textOf } from './lib/world.mjs';

let world;
before(async () => {
  world = await startWorld();
});
after(() => world?.end());

test('a submit_sm is acknowledged, sent and its receipt comes back once', async () => {
  const esme = await world.esme();
  assert.equal(esme.bindResponse.command_status, 0);
  assert.equal(esme.bindResponse.system_id, 'smppbridge');

  const answer = await esme.submit({ destination_addr: '79990000001', short_message: 'Hello world' });
  assert.equal(answer.command_status, 0);
  assert.match(answer.message_id, /^[1-9]\d{17,18}$/);

  const receipt = await esme.delivery((pdu) => textOf(pdu).includes(answer.message_id));
  assert.equal(receipt.esm_class & 0x3c, 0x04);
  assert.equal(receipt.source_addr, '79990000001');
  assert.equal(receipt.destination_addr, 'ivan');
  const fields = receiptOf(receipt);
  assert.equal(fields.id, answer.message_id);
  assert.equal(fields.stat, 'DELIVRD');
  assert.equal(fields.err, '000');
  assert.equal(receipt.receipted_message_id, answer.message_id);
  assert.equal(receipt.message_state, 2);
  await esme.close();
});

test('each of two hundred messages in a window gets an id of its own and one receipt', async () => {
  const esme = await world.esme();
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, i) =>
      esme.submit({ destination_addr: `7999100${String(i).padStart(4, '0')}`, short_message: `number ${i}` }),
    ),
  );
  const ids = answers.map((a) => a.message_id);
  assert.equal(new Set(ids).size, 200);
  for (const id of ids) await esme.delivery((pdu) => receiptOf(pdu).id === id);
  assert.equal(esme.delivered.length, 200);
  await esme.close();
});

test('text of data_coding 8 reaches the aggregator as it was written', async () => {
  const esme = await world.esme();
  const answer = await esme.submit({ destination_addr: '79990000003', data_coding: 8, short_message: 'Привет, мир' });
  await esme.delivery((pdu) => receiptOf(pdu).id === answer.message_id);
  const { items } = await world.simulator.get('/lab/messages?phone=79990000003');
  assert.equal(items[0].text, 'Привет, мир');
  await esme.close();
});

test('a receipt waits for an ESME that is away and is delivered when it binds', async () => {
  const sender = await world.esme('bind_transmitter');
  const answer = await sender.submit({ destination_addr: '79990000004' });
  assert.equal(answer.command_status, 0);
  await sender.close();
  const receiver = await world.esme('bind_receiver');
  await receiver.delivery((pdu) => receiptOf(pdu).id === answer.message_id);
  await receiver.close();
});

test('an incoming message reaches the configured account', async () => {
  const esme = await world.esme('bind_receiver');
  await world.simulator.incoming({ phone: '79995556677', to: '79030000000', text: 'Ответ' });
  const pdu = await esme.delivery((p) => (p.esm_class & 0x3c) === 0 && p.source_addr === '79995556677');
  assert.equal(pdu.destination_addr, '79030000000');
  assert.equal(textOf(pdu), 'Ответ');
  await esme.close();
});
