// face_long.test.mjs - long messages: parts by UDH, SAR and payload become one text upstream and one receipt per part.
// Lines of the compatibility list: A.1 "receipts after a long message", A.6 "joining key", "parts answered one by one".
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { receiptOf, smpp, startWorld, textOf, until } from './lib/world.mjs';

const account = (system_id, more = {}) => ({ system_id, password: 'demo', upstream: 'smsc', ...more });
let world;
before(async () => {
  world = await startWorld({
    esmes: [
      account('demo'),
      account('last', { receipts: 'last' }),
      account('short', { reassemble: '300ms' }),
      account('strict', { reassemble: '300ms', reassemble_policy: 'fail' }),
      account('apart', { reassemble: 'off' }),
    ],
  });
});
after(() => world?.end());

const bind = (system_id) => world.esme('bind_transceiver', { system_id });
const upstream = async (phone) => (await world.simulator.get(`/lab/messages?phone=${phone}`)).items.reverse();
const udh8 = (reference, total, number) => Buffer.from([5, 0, 3, reference, total, number]);
const udh16 = (reference, total, number) => Buffer.from([6, 8, 4, reference >> 8, reference & 255, total, number]);
const part = (esme, phone, udh, message, fields = {}) =>
  esme.submit({ destination_addr: phone, esm_class: 0x40, short_message: { udh, message }, ...fields });
const receipts = (esme, ids) => Promise.all(ids.map((id) => esme.delivery((pdu) => receiptOf(pdu).id === id)));
const statOf = async (esme, id) => receiptOf((await receipts(esme, [id]))[0]).stat;

test('parts by 8-bit UDH, out of order, are one message upstream; each part has its id and its receipt', async () => {
  const esme = await bind('demo');
  const phone = '79991110001';
  const answers = [];
  for (const [number, text] of [[3, 'three'], [1, 'one '], [2, 'two ']])
    answers.push(await part(esme, phone, udh8(7, 3, number), text));
  assert.deepEqual(answers.map((a) => a.command_status), [0, 0, 0]);
  const ids = answers.map((a) => a.message_id);
  assert.equal(new Set(ids).size, 3);
  for (const pdu of await receipts(esme, ids)) assert.equal(receiptOf(pdu).stat, 'DELIVRD');
  assert.deepEqual((await upstream(phone)).map((m) => m.text), ['one two three']);
  assert.equal(esme.delivered.length, 3);
  // each part's story tells of it: that of the first goes on upstream, the others lead there
  const stories = await Promise.all(ids.map((id) => world.gateway.admin('GET', `/v1/messages/${id}`).then(({ json }) => json.timeline)));
  const joined = stories.map((story) => story.find((l) => l.event === 'joined'));
  assert.deepEqual(joined.map((l) => l?.parts), [3, 3, 3]);
  const [leader] = joined.map((l, i) => !l.part_of && ids[i]).filter(Boolean);
  assert.deepEqual(joined.map((l) => l.part_of ?? leader), [leader, leader, leader]);
  const events = stories[ids.indexOf(leader)].map((l) => l.event);
  assert.ok(events.indexOf('joined') < events.indexOf('http_request'), events);
  await esme.close();
});

test('parts by 16-bit UDH in UCS-2 from two binds; a character cut in two comes out whole', async () => {
  const [a, b] = [await bind('demo'), await bind('demo')];
  const phone = '79991110002';
  const bytes = Buffer.from('Привет 😀 мир', 'utf16le').swap16();
  const cut = 16; // inside the surrogate pair
  const first = await part(a, phone, udh16(0x1234, 2, 1), bytes.subarray(0, cut), { data_coding: 8 });
  const second = await part(b, phone, udh16(0x1234, 2, 2), bytes.subarray(cut), { data_coding: 8 });
  assert.notEqual(first.message_id, second.message_id);
  await until('the joined message', async () => (await upstream(phone)).length > 0);
  assert.deepEqual((await upstream(phone)).map((m) => m.text), ['Привет 😀 мир']);
  const everything = () => [...a.delivered, ...b.delivered].map((pdu) => receiptOf(pdu).id);
  await until('both receipts', () => everything().length === 2);
  assert.deepEqual(everything().sort(), [first.message_id, second.message_id].sort());
  await a.close();
  await b.close();
});

test('parts by SAR TLVs', async () => {
  const esme = await bind('demo');
  const phone = '79991110003';
  const sar = (n, text) =>
    esme.submit({ destination_addr: phone, short_message: text, sar_msg_ref_num: 77, sar_total_segments: 2, sar_segment_seqnum: n });
  const answers = [await sar(2, 'world'), await sar(1, 'hello ')];
  await receipts(esme, answers.map((a) => a.message_id));
  assert.deepEqual((await upstream(phone)).map((m) => m.text), ['hello world']);
  await esme.close();
});

test('parts of different data_coding', async () => {
  const esme = await bind('demo');
  const phone = '79991110004';
  const answers = [
    await part(esme, phone, udh8(9, 2, 1), Buffer.from('latin '), { data_coding: 0 }),
    await part(esme, phone, udh8(9, 2, 2), Buffer.from('кириллица', 'utf16le').swap16(), { data_coding: 8 }),
  ];
  await receipts(esme, answers.map((a) => a.message_id));
  assert.deepEqual((await upstream(phone)).map((m) => m.text), ['latin кириллица']);
  await esme.close();
});

test('a repeated part gets an id and a receipt of its own, and the text is sent once', async () => {
  const esme = await bind('demo');
  const phone = '79991110005';
  const answers = [
    await part(esme, phone, udh8(11, 2, 1), 'again '),
    await part(esme, phone, udh8(11, 2, 1), 'again '),
    await part(esme, phone, udh8(11, 2, 2), 'and on'),
    await part(esme, phone, udh8(11, 2, 2), 'and on'),
  ];
  const ids = answers.map((a) => a.message_id);
  assert.equal(new Set(ids).size, 4);
  for (const pdu of await receipts(esme, ids)) assert.equal(receiptOf(pdu).stat, 'DELIVRD');
  assert.deepEqual((await upstream(phone)).map((m) => m.text), ['again and on']);
  await esme.close();
});

test('the same reference used again at once starts another message', async () => {
  const esme = await bind('demo');
  const phone = '79991110006';
  for (const text of ['first', 'other'])
    for (const n of [1, 2]) assert.equal((await part(esme, phone, udh8(0, 2, n), `${text}${n}`)).command_status, 0);
  await until('both messages', async () => (await upstream(phone)).length === 2);
  assert.deepEqual((await upstream(phone)).map((m) => m.text), ['first1first2', 'other1other2']);
  await esme.close();
});

test('with receipts "last" only the last part speaks', async () => {
  const esme = await bind('last');
  const phone = '79991110007';
  const answers = [];
  for (const n of [2, 1]) answers.push(await part(esme, phone, udh8(13, 2, n), `part ${n}`));
  assert.equal(await statOf(esme, answers[0].message_id), 'DELIVRD');
  const other = await esme.submit({ destination_addr: '79991110008' });
  await receipts(esme, [other.message_id]);
  assert.equal(esme.delivered.length, 2);
  await esme.close();
});

test('a part whose companion never comes is sent as it is', async () => {
  const esme = await bind('short');
  const phone = '79991110009';
  const answer = await part(esme, phone, udh8(15, 2, 1), 'alone');
  assert.equal(await statOf(esme, answer.message_id), 'DELIVRD');
  const [message] = await upstream(phone);
  assert.equal(message.type, 2);
  assert.equal(message.text.toUpperCase(), `0500030F0201${Buffer.from('alone').toString('hex')}`.toUpperCase());
  await esme.close();
});

test('or it fails, where the account wants that; never silence', async () => {
  const esme = await bind('strict');
  const phone = '79991110010';
  const answer = await part(esme, phone, udh8(17, 3, 1), 'alone');
  const other = await part(esme, phone, udh8(17, 3, 2), 'still alone');
  assert.equal(await statOf(esme, answer.message_id), 'UNDELIV');
  assert.equal(await statOf(esme, other.message_id), 'UNDELIV');
  assert.deepEqual(await upstream(phone), []);
  await esme.close();
});

test('without reassembly and with ports in the header parts go out one by one', async () => {
  const esme = await bind('apart');
  const phone = '79991110011';
  await part(esme, phone, udh8(19, 2, 1), 'x');
  const ports = Buffer.from([11, 5, 4, 0x0b, 0x84, 0x23, 0xf0, 0, 3, 1, 2, 1]);
  await part(esme, phone, ports, Buffer.from([1, 6, 4]), { data_coding: 4 });
  await until('both parts', async () => (await upstream(phone)).length === 2);
  const [first, second] = (await upstream(phone)).map((m) => m.text.toUpperCase());
  assert.equal(first, '05000313020178');
  assert.equal(second, `${ports.toString('hex')}010604`.toUpperCase());
  await esme.close();
});

test('message_payload above 1000 characters goes out in several sends with one receipt', async () => {
  const esme = await bind('demo');
  const phone = '79991110012';
  const text = Array.from({ length: 300 }, (_, i) => `слово ${i} `).join('');
  const answer = await esme.submit({
    destination_addr: phone, data_coding: 8, short_message: '', message_payload: Buffer.from(text, 'utf16le').swap16(),
  });
  assert.equal(answer.command_status, 0);
  assert.equal(await statOf(esme, answer.message_id), 'DELIVRD');
  const sent = await upstream(phone);
  assert.equal(sent.length, Math.ceil(text.length / 1000));
  assert.equal(sent.map((m) => m.text).join(''), text);
  for (const m of sent) assert.ok(m.text.length <= 1000);
  assert.equal(new Set(sent.map((m) => m.id)).size, sent.length);
  const state = await esme.request(new smpp.PDU('query_sm', { message_id: answer.message_id, source_addr: 'ivan' }));
  assert.equal(state.command_status, 0);
  assert.equal(state.message_state, 2);
  assert.equal(esme.delivered.filter((pdu) => textOf(pdu).includes(answer.message_id)).length, 1);
  await esme.close();
});

test('parts wait for each other over a restart, and so do the pieces of a text', async () => {
  let esme = await bind('demo');
  const phone = '79991110013', other = '79991110014';
  await world.simulator.behave({ delay_min_ms: 1500, delay_max_ms: 1500 });
  const first = await part(esme, phone, udh8(21, 2, 1), 'before ');
  const long = await esme.submit({ destination_addr: other, short_message: '', message_payload: Buffer.from('x'.repeat(2500)) });
  const three = [];
  for (const n of [1, 2, 3]) three.push(await part(esme, '79991110015', udh8(23, 3, n), `p${n}`));
  await until('the joined message', async () => (await upstream('79991110015')).length === 1);
  const closed = esme.close();
  await world.gateway.kill('SIGKILL');
  await closed;
  await world.gateway.start();
  await world.simulator.behave({ delay_min_ms: 50, delay_max_ms: 300 });
  esme = await bind('demo');
  const second = await part(esme, phone, udh8(21, 2, 2), 'after');
  const ids = [first, second, long, ...three].map((a) => a.message_id);
  for (const pdu of await receipts(esme, ids)) assert.equal(receiptOf(pdu).stat, 'DELIVRD');
  assert.deepEqual((await upstream(phone)).map((m) => m.text), ['before after']);
  assert.equal((await upstream(other)).map((m) => m.text).join(''), 'x'.repeat(2500));
  assert.deepEqual((await upstream('79991110015')).map((m) => m.text), ['p1p2p3']);
  for (const id of ids) assert.equal(esme.delivered.filter((pdu) => textOf(pdu).includes(id)).length, 1);
  await esme.close();
});
