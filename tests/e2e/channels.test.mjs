// channels.test.mjs - the aggregator's channels by text prefix and service_type.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { receiptOf, startWorld } from './lib/world.mjs';

let world;
let esme;
before(async () => {
  world = await startWorld();
  esme = await world.esme();
});
after(async () => {
  await esme?.close();
  await world?.end();
});

const cases = [
  { short_message: Buffer.from('__HLR__'), data_coding: 3, type: 4, text: '' },
  { short_message: Buffer.from('__HLR__'), data_coding: 0, type: 4, text: '' },
  { short_message: '__HLR__', type: 4, text: '' },
  { short_message: '__PING__', type: 5, text: '' },
  { short_message: '__VIBER__ hello', type: 10, text: 'hello' },
  { short_message: '__CALL__your code', type: 7, text: 'your code' },
  { short_message: 'hello', service_type: 'SOC', type: 12, text: 'hello' },
  { short_message: 'flash', data_coding: 0x10, type: 1, text: 'flash' },
  { short_message: 'plain HLR', type: 0, text: 'plain HLR' },
];

for (const [i, { type, text, ...fields }] of cases.entries())
  test(`${fields.short_message} ${fields.service_type ?? ''} goes out as type ${type}`, async () => {
    const phone = `7999333000${i}`;
    const answer = await esme.submit({ destination_addr: phone, ...fields });
    assert.equal(answer.command_status, 0);
    await esme.delivery((pdu) => receiptOf(pdu).id === answer.message_id);
    const { items } = await world.simulator.get(`/lab/messages?phone=${phone}`);
    assert.equal(items.length, 1);
    assert.equal(items[0].type, type);
    assert.equal(items[0].text, text);
  });
