// incoming.test.mjs - what subscribers send: to whom, in which alphabet and form, and what nobody is configured for.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startWorld, textOf, until } from './lib/world.mjs';

const account = (system_id, more = {}) => ({ system_id, password: 'demo', upstream: 'smsc', ...more });
const incoming = [
  { to: '79030000001', system_id: 'number' },
  { to: '7904*', keyword: 'Заказ', system_id: 'keyword' },
  { to: '7904*', system_id: 'prefix' },
  { to: '79050000000', system_id: 'parts' },
];
const names = ['number', 'keyword', 'prefix', 'parts', 'calls', 'asker', 'late'];

let world;
const esmes = {};
const bindAll = async () => {
  for (const name of names) esmes[name] = await world.esme('bind_transceiver', { system_id: name });
};
before(async () => {
  world = await startWorld({
    esmes: names.map((name) => account(name, name === 'parts' ? { incoming_long: 'udh' } : {})),
    incoming,
  });
  await bindAll();
});
after(async () => {
  for (const esme of Object.values(esmes)) await esme.close();
  await world?.end();
});

const send = (to, text, more = {}) => world.simulator.incoming({ phone: '79161112233', to, text, ...more });
const raw = (pdu) => Buffer.from(pdu.short_message.message ?? pdu.short_message);

test('by number, by prefix, by keyword in any case', async () => {
  await send('79030000001', 'to a number');
  await send('79040000001', 'ЗАКАЗ 5 роз');
  await send('79040000001', 'заказ');
  await send('79040000002', 'Заказать 5 роз'); // another word
  await esmes.number.delivery((pdu) => textOf(pdu) === 'to a number');
  await esmes.keyword.delivery((pdu) => textOf(pdu) === 'ЗАКАЗ 5 роз');
  await esmes.keyword.delivery((pdu) => textOf(pdu) === 'заказ');
  await esmes.prefix.delivery((pdu) => textOf(pdu) === 'Заказать 5 роз');
  assert.deepEqual(names.map((name) => esmes[name].delivered.length), [1, 2, 1, 0, 0, 0, 0]);
});

test('a reply goes to the account whose message it answers, whatever the rules say', async () => {
  const answer = await esmes.asker.submit({ destination_addr: '79161112233' });
  const { items } = await until('it is upstream', async () => {
    const found = await world.simulator.get('/lab/messages?phone=79161112233');
    return found.items.length > 0 && found;
  });
  await send('79030000001', 'my reply', { sms_id: items[0].id });
  const pdu = await esmes.asker.delivery((p) => textOf(p) === 'my reply');
  assert.equal(pdu.source_addr, '79161112233');
  assert.equal(esmes.number.delivered.length, 1);
  assert.ok(answer.message_id);
  // an answer to a message we do not know goes by the rules
  await send('79030000001', 'stray reply', { sms_id: 's1795000000000000000' });
  await esmes.number.delivery((p) => textOf(p) === 'stray reply');
});

test('the alphabet follows the text', async () => {
  await send('79030000001', 'plain {GSM} €');
  await send('79030000001', 'кириллица 😀');
  const gsm = await esmes.number.delivery((pdu) => pdu.data_coding === 0 && textOf(pdu).includes('GSM'));
  assert.equal(textOf(gsm), 'plain {GSM} €');
  const ucs2 = await esmes.number.delivery((pdu) => pdu.data_coding === 8);
  assert.equal(textOf(ucs2), 'кириллица 😀');
});

test('a long one comes whole in message_payload', async () => {
  const text = 'длинный текст '.repeat(30).trim();
  await send('79030000001', text);
  const pdu = await esmes.number.delivery((p) => p.message_payload !== undefined);
  const payload = pdu.message_payload.message ?? pdu.message_payload;
  assert.equal(Buffer.isBuffer(payload) ? Buffer.from(payload).swap16().toString('utf16le') : payload, text);
});

test('or in parts with a user data header, one alphabet for all', async () => {
  const text = `${'latin only '.repeat(10)}${'и кириллица '.repeat(8)}`.trim();
  await send('79050000000', text);
  const parts = await until('all parts', () => {
    const { delivered } = esmes.parts;
    return delivered.length >= 4 && delivered;
  });
  const joined = parts
    .map((pdu) => {
      assert.equal(pdu.esm_class & 0x40, 0x40);
      assert.equal(pdu.data_coding, 8);
      const udh = pdu.short_message.udh?.[0] ?? pdu.short_message.udh;
      const header = Buffer.isBuffer(udh) ? udh : raw(pdu).subarray(0, 6);
      const message = pdu.short_message.message;
      return { number: header.at(-1), total: header.at(-2), message };
    })
    .sort((a, b) => a.number - b.number);
  assert.deepEqual(joined.map((p) => [p.number, p.total]), [[1, 4], [2, 4], [3, 4], [4, 4]]);
  assert.equal(joined.map((p) => p.message).join(''), text);
});

test('without a route it is kept, and delivered when there is one', async () => {
  const from = world.gateway.lines.length;
  await send('79990000000', 'nobody listens');
  await world.simulator.send('POST', '/lab/waitcall', { phone: '79167778899' });
  await world.gateway.line(/without a route is kept/, from);
  await until('both are kept', () => world.gateway.lines.slice(from).filter((l) => /without a route is kept/.test(l)).length === 2);
  await world.gateway.stop();
  world.gateway.overrides.incoming = [...incoming, { to: '7999*', system_id: 'late' }, { to: '*', keyword: '[waitcall]', system_id: 'calls' }];
  await world.gateway.start();
  await bindAll();
  await esmes.late.delivery((pdu) => textOf(pdu) === 'nobody listens');
  const call = await esmes.calls.delivery((pdu) => textOf(pdu) === '[waitcall]');
  assert.equal(call.source_addr, '79167778899');
});

test('incoming messages wait for their account', async () => {
  await esmes.number.close();
  await send('79030000001', 'wait for me');
  esmes.number = await world.esme('bind_receiver', { system_id: 'number' });
  await esmes.number.delivery((pdu) => textOf(pdu) === 'wait for me');
  assert.equal(esmes.number.delivered.length, 1);
});
