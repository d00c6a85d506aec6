// channels.test.mjs - the aggregator's channels by text prefix and service_type.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { receiptOf, startWorld, textOf } from './lib/world.mjs';

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

const HLR = /^id:(\d+) stat:(\w+) err:(\d+) imsi:(\d*) msc:(\d*) mcc:(\d*) mnc:(\d*) cn:([^ ]*) net:([^ ]*) rcn:([^ ]*) rnet:([^ ]*)$/; // the aggregator's own expression

for (const [way, overrides] of [
  ['called back', {}],
  ['polled', { callbacks: null, upstream: { poll: { status_after: '1s', every: '1s' } } }],
])
  test(`HLR and ping: receipts in the aggregator's own form, with its price and flag, ${way}`, async (t) => {
    const w = await startWorld({ esmes: ['plain', 'smsc.ru'].map((profile) => ({ system_id: profile.slice(0, 4), password: 'demo', upstream: 'smsc', profile: profile.replace('plain', 'default') })), incoming: [], ...overrides });
    t.after(() => w.end());
    await w.simulator.behave({ limits: 0 });
    const [plain, own] = [await w.esme(undefined, { system_id: 'plai' }), await w.esme(undefined, { system_id: 'smsc' })];
    for (const [i, [text, type]] of [['__HLR__', 4], ['__PING__', 5]].entries()) {
      for (const [j, account] of [plain, own].entries()) {
        const { message_id } = await account.submit({ destination_addr: `7999555${i}00${j}`, short_message: text });
        const pdu = await account.delivery((p) => textOf(p).startsWith(`id:${message_id} `));
        assert.deepEqual([pdu.receipted_message_id, pdu.message_state], [message_id, 2]);
        if (type === 4) {
          const [, id, stat, err, imsi, , mcc, , country] = HLR.exec(textOf(pdu));
          assert.deepEqual([id, stat, err, mcc, decodeURIComponent(country)], [message_id, 'DELIVRD', '000', '250', 'Россия']);
          assert.match(imsi, /^250\d+$/);
        } else {
          assert.equal(receiptOf(pdu).stat, 'DELIVRD');
        }
        if (account === plain) {
          assert.deepEqual([pdu[0x2000], pdu[0x2001]], [undefined, undefined], 'price and flag only where the profile has them');
        } else {
          assert.match(pdu[0x2000].toString(), /^\d\.\d{1,4}$/);
          assert.equal(pdu[0x2001].readUInt16BE(), type);
        }
      }
    }
    await plain.close();
    await own.close();
  });
