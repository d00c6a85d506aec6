// face_manage.test.mjs - submit_multi, query_sm, cancel_sm, replace_sm, data_sm and profiles with a client nobody here
// wrote. Lines of the compatibility list: A.2 (statuses), A.5 (addresses, TLVs), A.6 (data_coding, validity, schedule).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { cmd, pdu as rawPdu, Peer, response, smBody, tlv } from './lib/raw.mjs';
import { receiptOf, smpp, startWorld, textOf, until } from './lib/world.mjs';

const account = (system_id, more = {}) => ({ system_id, password: 'demo', upstream: 'smsc', ...more });
let world;
before(async () => {
  world = await startWorld({
    smpp: { login_failures: 0 },
    esmes: [
      account('demo', { national_prefix: { '8xxxxxxxxxx': '7' }, max_binds: 20 }),
      account('kannel', { profile: 'kannel' }),
      account('node', { profile: 'node-smpp' }),
      account('smsc', { profile: 'smsc.ru' }),
      account('old', { profile: 'smpp33' }),
      account('latin', { alphabet: 'latin1', receipt_variant: 'capital-text', date_digits: '12', tlvs: 'off' }),
      account('named', { sources: ['Shop', '7903*'], max_binds: 1 }),
      account('later', { schedule: 'upstream' }),
    ],
    upstream: { tlv_map: { '0x1400': 'subj' } },
  });
});
after(() => world?.end());

const bind = (system_id, fields = {}) => world.esme('bind_transceiver', { system_id, ...fields });
const upstream = async (phone) => (await world.simulator.get(`/lab/messages?phone=${phone}`)).items.reverse();
const sent = (phone) => until(`a message to ${phone}`, async () => (await upstream(phone))[0]);
const receipt = (esme, id) => esme.delivery((pdu) => receiptOf(pdu).id === id);
const ask = (esme, command, fields) => esme.request(new smpp.PDU(command, fields));
const query = (esme, message_id) => ask(esme, 'query_sm', { message_id, source_addr: 'ivan' });
const inAnHour = '000000010000000R';
const ucs2 = (text) => Buffer.from(text, 'utf16le').swap16();

test('submit_multi: one id, one record and one receipt per destination, the rest named', async () => {
  const esme = await bind('demo');
  const answer = await ask(esme, 'submit_multi', {
    source_addr: 'ivan', short_message: 'to all', registered_delivery: 1,
    dest_address: [
      { dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: '79992220001' },
      { dl_name: 'friends' },
      { dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: '79992220002' },
    ],
  });
  assert.equal(answer.command_status, 0);
  assert.match(answer.message_id, /^[1-9]\d{17,18}$/);
  assert.deepEqual(answer.unsuccess_sme.map((u) => [u.destination_addr, u.error_status_code]), [['friends', 0x34]]);
  const of = (phone) => esme.delivery((pdu) => pdu.source_addr === phone);
  for (const phone of ['79992220001', '79992220002']) {
    const pdu = await of(phone);
    assert.equal(receiptOf(pdu).id, answer.message_id);
    assert.deepEqual((await upstream(phone)).map((m) => m.text), ['to all']);
  }
  assert.equal((await query(esme, answer.message_id)).message_state, 2);
  await esme.close();
});

test('submit_multi: no destination, and none that can be taken', async () => {
  const esme = await bind('demo');
  assert.equal((await ask(esme, 'submit_multi', { dest_address: [], short_message: 'x' })).command_status, 0x33);
  assert.equal((await ask(esme, 'submit_multi', { dest_address: [{ dl_name: 'a' }], short_message: 'x' })).command_status, 0x34);
  await esme.close();
});

test('query_sm: on its way, delivered with its date, unknown, of another account', async () => {
  const [esme, other] = [await bind('demo'), await bind('node')];
  await world.simulator.behave({ delay_min_ms: 400, delay_max_ms: 400 });
  const { message_id } = await esme.submit({ destination_addr: '79992220003' });
  const early = await query(esme, message_id);
  assert.equal(early.command_status, 0);
  assert.equal(early.message_id, message_id);
  assert.equal(early.message_state, 1);
  assert.equal(early.final_date, '');
  await receipt(esme, message_id);
  await world.simulator.behave({ delay_min_ms: 50, delay_max_ms: 300 });
  const done = await query(esme, message_id);
  assert.equal(done.message_state, 2);
  assert.equal(done.error_code, 0);
  const date = done.final_date;
  assert.ok(date, 'a final date');
  assert.equal((await query(esme, '1795000000000000000')).command_status, 0x67);
  assert.equal((await query(esme, 'nonsense')).command_status, 0x67);
  assert.equal((await query(other, message_id)).command_status, 0x67);
  await esme.close();
  await other.close();
});

test('cancel_sm: a scheduled message ends as DELETED and is never sent', async () => {
  const esme = await bind('demo');
  const { message_id } = await esme.submit({ destination_addr: '79992220004', schedule_delivery_time: inAnHour });
  assert.equal((await query(esme, message_id)).message_state, 1);
  const answer = await ask(esme, 'cancel_sm', { message_id, source_addr: 'ivan', destination_addr: '79992220004' });
  assert.equal(answer.command_status, 0);
  assert.equal(receiptOf(await receipt(esme, message_id)).stat, 'DELETED');
  assert.equal((await query(esme, message_id)).message_state, 4);
  assert.equal((await ask(esme, 'cancel_sm', { message_id, source_addr: 'ivan' })).command_status, 0x11);
  assert.equal((await ask(esme, 'cancel_sm', { message_id: '1795000000000000000' })).command_status, 0x11);
  assert.deepEqual(await upstream('79992220004'), []);
  await esme.close();
});

test('cancel_sm without an id: all of one source and destination', async () => {
  const esme = await bind('demo');
  const ids = [];
  for (let i = 0; i < 3; i++)
    ids.push((await esme.submit({ destination_addr: '79992220005', schedule_delivery_time: inAnHour })).message_id);
  const other = await esme.submit({ source_addr: 'peter', destination_addr: '79992220005', schedule_delivery_time: inAnHour });
  const answer = await ask(esme, 'cancel_sm', { message_id: '', source_addr: 'ivan', destination_addr: '79992220005' });
  assert.equal(answer.command_status, 0);
  for (const id of ids) assert.equal(receiptOf(await receipt(esme, id)).stat, 'DELETED');
  assert.equal((await query(esme, other.message_id)).message_state, 1);
  assert.equal((await ask(esme, 'cancel_sm', { message_id: '', source_addr: 'ivan', destination_addr: '79992220005' })).command_status, 0x11);
  await esme.close();
});

test('cancel_sm reaches a message the aggregator has already', async () => {
  const esme = await bind('demo');
  await world.simulator.behave({ delay_min_ms: 60000, delay_max_ms: 60000 });
  const { message_id } = await esme.submit({ destination_addr: '79992220006' });
  await sent('79992220006');
  await until('it can be cancelled', async () =>
    (await ask(esme, 'cancel_sm', { message_id, source_addr: 'ivan', destination_addr: '79992220006' })).command_status === 0);
  assert.equal(receiptOf(await receipt(esme, message_id)).stat, 'DELETED');
  await world.simulator.behave({ delay_min_ms: 50, delay_max_ms: 300 });
  await esme.close();
});

test('replace_sm changes a message that is still here, and nothing else', async () => {
  const esme = await bind('demo');
  const { message_id } = await esme.submit({ destination_addr: '79992220007', schedule_delivery_time: inAnHour, short_message: 'old' });
  const replace = (fields) => ask(esme, 'replace_sm', { message_id, source_addr: 'ivan', registered_delivery: 1, ...fields });
  assert.equal((await replace({ source_addr: 'peter', short_message: 'not mine' })).command_status, 0x13);
  assert.equal((await replace({ short_message: 'new text', schedule_delivery_time: '000000000001000R' })).command_status, 0);
  assert.equal(receiptOf(await receipt(esme, message_id)).stat, 'DELIVRD');
  assert.deepEqual((await upstream('79992220007')).map((m) => m.text), ['new text']);
  assert.equal((await replace({ short_message: 'too late' })).command_status, 0x13);
  assert.equal((await ask(esme, 'replace_sm', { message_id: '1795000000000000000', short_message: 'x' })).command_status, 0x13);
  await esme.close();
});

test('data_sm is a submit_sm', async () => {
  const esme = await bind('demo');
  const answer = await ask(esme, 'data_sm', {
    source_addr: 'ivan', destination_addr: '79992220008', registered_delivery: 1, message_payload: Buffer.from('by data'),
  });
  assert.equal(answer.command_status, 0);
  assert.equal(receiptOf(await receipt(esme, answer.message_id)).stat, 'DELIVRD');
  assert.equal((await sent('79992220008')).text, 'by data');
  await esme.close();
});

test('the broadcasts of 5.0 are answered and the session is kept', async () => {
  const peer = new Peer(world.gateway.port);
  await peer.bind();
  for (const id of [cmd.broadcast_sm, cmd.query_broadcast_sm, cmd.cancel_broadcast_sm]) {
    peer.write(rawPdu(id, { seq: 5, body: Buffer.concat([Buffer.alloc(20), tlv(0x0606, Buffer.from([0, 0])), tlv(0x0601, Buffer.from([0, 0, 0])), tlv(0x0604, Buffer.from([0, 1])), tlv(0x0605, Buffer.from([8, 0, 1]))]) }));
    const answer = await peer.take((p) => p.seq === 5);
    assert.equal(answer.id, response(id));
    assert.notEqual(answer.status, 0);
  }
  await peer.fence();
  await peer.end();
});

test('numbers: 00 and national forms become international; TON and NPI never refuse', async () => {
  const esme = await bind('demo');
  await esme.submit({ dest_addr_ton: 0, destination_addr: '0079992220009' });
  await esme.submit({ dest_addr_ton: 2, destination_addr: '89992220010' });
  await esme.submit({ dest_addr_ton: 6, dest_addr_npi: 18, source_addr_ton: 9, destination_addr: '+79992220011' });
  for (const phone of ['79992220009', '79992220010', '79992220011']) assert.equal((await sent(phone)).text, 'Hello');
  await esme.close();
});

test('senders an account may not use are RINVSRCADR', async () => {
  const esme = await bind('named');
  assert.equal((await esme.submit({ source_addr: 'Shop', destination_addr: '79992220012' })).command_status, 0);
  assert.equal((await esme.submit({ source_addr: '79030000000', destination_addr: '79992220012' })).command_status, 0);
  assert.equal((await esme.submit({ source_addr: 'Bank', destination_addr: '79992220012' })).command_status, 0x0a);
  const second = await bind('named');
  assert.equal(second.bindResponse.command_status, 0x0d, 'above max_binds: RBINDFAIL, which Kannel repeats');
  await esme.close();
});

test('validity and schedule: malformed and past are refused', async () => {
  const esme = await bind('demo');
  const status = async (fields) => (await esme.submit({ destination_addr: '79992220013', ...fields })).command_status;
  const raw = new Peer(world.gateway.port);
  await raw.bind();
  const rawStatus = async (fields, seq) => {
    raw.write(rawPdu(cmd.submit_sm, { seq, body: smBody(fields) }));
    return (await raw.take((p) => p.seq === seq)).status;
  };
  assert.equal(await rawStatus({ validity: '240101000000000+' }, 2), 0x62, 'past');
  assert.equal(await rawStatus({ validity: 'tomorrow' }, 3), 0x62);
  assert.equal(await rawStatus({ schedule: 'tomorrow' }, 4), 0x61);
  assert.equal(await rawStatus({ schedule: '240101000000000+' }, 5), 0, 'a schedule that has passed is now');
  assert.equal(await status({ validity_period: inAnHour }), 0);
  await raw.end();
  await esme.close();
});

test('a validity that ends before the schedule is an EXPIRED receipt, and nothing is sent', async () => {
  const esme = await bind('demo');
  const { message_id } = await esme.submit({
    destination_addr: '79992220014', schedule_delivery_time: '000000000002000R', validity_period: '000000000001000R',
  });
  assert.equal(receiptOf(await receipt(esme, message_id)).stat, 'EXPIRED');
  assert.deepEqual(await upstream('79992220014'), []);
  await esme.close();
});

test('data_coding: binary with and without header, flash, 6, 0 under alphabets, odd UCS-2', async () => {
  const esme = await bind('demo'), latin = await bind('latin');
  const text = async (from, phone, data_coding, short_message, fields = {}) => {
    assert.equal((await from.submit({ destination_addr: phone, data_coding, short_message, ...fields })).command_status, 0);
    return sent(phone);
  };
  assert.equal((await text(esme, '79992220020', 4, Buffer.from([1, 2, 255]))).text.toUpperCase(), '000102FF');
  assert.equal((await upstream('79992220020'))[0].type, 2);
  const header = Buffer.from([6, 5, 4, 0x0b, 0x84, 0, 0]);
  assert.equal((await text(esme, '79992220021', 4, Buffer.concat([header, Buffer.from('x')]), { esm_class: 0x40 })).text.toUpperCase(), `${header.toString('hex')}78`.toUpperCase());
  assert.equal((await text(esme, '79992220022', 0x18, ucs2('вспышка'))).type, 1);
  assert.equal((await text(esme, '79992220023', 6, Buffer.from([0xbf, 0xe0]))).text, 'Пр'.slice(0, 2));
  assert.equal((await text(esme, '79992220024', 0, Buffer.from([0x80, 0x1b, 0x65]))).text.slice(-1), '€');
  assert.equal((await text(esme, '79992220025', 8, Buffer.concat([ucs2('нечёт'), Buffer.from([4])]))).text, 'нечёт');
  assert.equal((await text(latin, '79992220026', 0, Buffer.from([0xe9, 0x24]))).text, 'é$');
  const turkish = Buffer.from([3, 0x24, 1, 1]);
  assert.equal((await text(esme, '79992220027', 0, Buffer.concat([turkish, Buffer.from([0x1b, 0x47])]), { esm_class: 0x40 })).text, 'Ğ');
  await esme.close();
  await latin.close();
});

test('profiles: habits of receipts and ids', async () => {
  const [old, latin, smsc] = [await bind('old'), await bind('latin'), await bind('smsc')];
  const answer = await old.submit({ destination_addr: '79992220030' });
  assert.match(answer.message_id, /^[1-9a-f][0-9a-f]{7}$/);
  const first = await receipt(old, answer.message_id);
  assert.equal(first.receipted_message_id, undefined);
  assert.equal((await query(old, answer.message_id)).message_state, 2);
  const second = await receipt(latin, (await latin.submit({ destination_addr: '79992220031' })).message_id);
  assert.match(textOf(second), / submit date:\d{12} done date:\d{12} .* Text:Hello$/);
  assert.equal(second.message_state, undefined);
  const third = await receipt(smsc, (await smsc.submit({ destination_addr: '79992220032', user_message_reference: 77 })).message_id);
  assert.equal(third.message_state, 2);
  assert.equal(third.user_message_reference, 77);
  for (const esme of [old, latin, smsc]) await esme.close();
});

test('profiles: a bind of version 3.3 has room for 8 digits and gets no TLVs', async () => {
  const esme = await bind('demo', { interface_version: 0x33 });
  const ids = [];
  for (let i = 0; i < 3; i++) ids.push((await esme.submit({ destination_addr: `7999222004${i}` })).message_id);
  assert.equal(new Set(ids).size, 3);
  for (const id of ids) {
    assert.match(id, /^[1-9a-f][0-9a-f]{7}$/);
    assert.equal((await receipt(esme, id)).receipted_message_id, undefined);
  }
  await esme.close();
});

test('profiles: alphabets of 1 and 4, system_type ISO, login failures', async () => {
  const node = await bind('node'), smsc = await bind('smsc'), iso = await bind('smsc', { system_type: 'ISO' });
  await node.submit({ destination_addr: '79992220050', data_coding: 1, short_message: Buffer.from([0x02]) });
  assert.equal((await sent('79992220050')).text, '$'); // GSM 0x02
  await smsc.submit({ destination_addr: '79992220051', data_coding: 4, short_message: Buffer.from([0xe9]) });
  assert.equal((await sent('79992220051')).text, 'é');
  await iso.submit({ destination_addr: '79992220052', data_coding: 0, short_message: Buffer.from([0xe9]) });
  assert.equal((await sent('79992220052')).text, 'é');
  const refused = await bind('kannel', { password: 'wrong' });
  assert.equal(refused.bindResponse.command_status, 0x0d);
  const exact = await bind('demo', { password: 'wrong' });
  assert.equal(exact.bindResponse.command_status, 0x0e);
  for (const esme of [node, smsc, iso]) await esme.close();
});

test('a schedule given to the aggregator leaves at once', async () => {
  const esme = await bind('later');
  await esme.submit({ destination_addr: '79992220060', schedule_delivery_time: inAnHour });
  assert.equal((await sent('79992220060')).text, 'Hello');
  await esme.close();
});

test('any TLV is taken', async () => {
  const peer = new Peer(world.gateway.port);
  await peer.bind();
  peer.write(rawPdu(cmd.submit_sm, { seq: 9, body: smBody({ dest: '79992220061', tlvs: [tlv(0x1400, Buffer.from('1101234\0')), tlv(0x0204, Buffer.from([1, 2])), tlv(0x3fff)] }) }));
  assert.equal((await peer.take((p) => p.seq === 9)).status, 0);
  assert.equal((await sent('79992220061')).text, 'hello');
  await peer.end();
});
