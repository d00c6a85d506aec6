// face_lines.test.mjs - single lines of the compatibility list that no other test shows; tests/COMPAT.md names the rest.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { cmd, pdu, Peer, response, smBody, str, tlv } from './lib/raw.mjs';
import { receiptOf, startWorld, textOf } from './lib/world.mjs';

let world;
const long = { system_id: 'a-name-longer-than-fifteen', password: 'a password longer than eight' };
before(async () => {
  world = await startWorld({
    smpp: { login_failures: 0 },
    esmes: ['demo', long].map((e) => ({ password: 'demo', upstream: 'smsc', rate: 0, ...(e === 'demo' ? { system_id: e } : e) })),
  });
});
after(() => world?.end());

const peer = () => new Peer(world.gateway.port);

test('a submit_sm on a receiver is RINVBNDSTS in its own answer; the session stays', async () => {
  const receiver = peer();
  await receiver.bind({ command: cmd.bind_receiver });
  receiver.write(pdu(cmd.submit_sm, { seq: 7, body: smBody() }));
  const answer = await receiver.take((p) => p.seq === 7);
  assert.deepEqual([answer.id, answer.status], [response(cmd.submit_sm), 0x04]);
  await receiver.fence();
  await receiver.end();
});

test('a refused bind and a refused submit_sm are answered by a header alone', async () => {
  const stranger = peer();
  assert.equal((await stranger.bind({ password: 'wrong' })).raw.length, 16);
  const good = await stranger.bind();
  assert.deepEqual([good.status, good.body.subarray(0, good.body.indexOf(0)).toString()], [0, 'smppbridge']);
  stranger.write(pdu(cmd.submit_sm, { seq: 7, body: smBody({ dest: '' }) }));
  const refused = await stranger.take((p) => p.seq === 7);
  assert.deepEqual([refused.status, refused.raw.length], [0x0b, 16]);
  await stranger.end();
});

test('a name of 26 and a password of 28 bind', async () => {
  const esme = peer();
  assert.equal((await esme.bind(long)).status, 0);
  await esme.end();
});

test('system_type and address_range are no reason to refuse', async () => {
  const kannel = peer();
  assert.equal((await kannel.bind({ system_type: 'VMA', range: '^7999' })).status, 0);
  await kannel.end();
});

test('the id is the same, byte for byte, in submit_sm_resp, in the text and in the TLV with its NUL', async () => {
  const esme = peer();
  await esme.bind();
  esme.write(pdu(cmd.submit_sm, { seq: 7, body: smBody({ registered: 1, dest: '79992228001' }) }));
  const answer = await esme.take((p) => p.seq === 7);
  const id = answer.body.subarray(0, answer.body.indexOf(0)).toString();
  const receipt = await esme.take((p) => p.id === cmd.deliver_sm);
  assert.ok(receipt.body.includes(`id:${id} sub:001 dlvrd:001 submit date:`));
  assert.ok(receipt.body.includes(tlv(0x001e, str(id))), 'receipted_message_id');
  assert.ok(receipt.body.includes(tlv(0x0427, Buffer.from([2]))), 'message_state');
  esme.write(pdu(response(cmd.deliver_sm), { seq: receipt.seq, body: str('') }));
  await esme.fence();
  await esme.end();
});

test('the receipt of a UCS-2 message is plain ASCII of data_coding 0, addresses swapped', async () => {
  const esme = await world.esme();
  const { message_id } = await esme.submit({ destination_addr: '79992228002', data_coding: 8, short_message: 'Привет' });
  const receipt = await esme.delivery((p) => receiptOf(p).id === message_id);
  assert.deepEqual([receipt.data_coding, receipt.esm_class, receipt.source_addr, receipt.destination_addr], [0, 4, '79992228002', 'ivan']);
  assert.match(textOf(receipt), /^[ -~]*$/);
  await esme.close();
});

test('esm_class 3 is store and forward; type bits and priority in a submit_sm are ignored', async () => {
  const esme = await world.esme();
  for (const [i, fields] of [{ esm_class: 3 }, { esm_class: 4 }, { esm_class: 8 }, { priority_flag: 3, protocol_id: 65 }].entries()) {
    const { command_status, message_id } = await esme.submit({ destination_addr: `7999222810${i}`, ...fields });
    assert.equal(command_status, 0);
    assert.equal(receiptOf(await esme.delivery((p) => receiptOf(p).id === message_id)).stat, 'DELIVRD');
  }
  await esme.close();
});

test('two different texts in one message are refused, the same text twice is one', async () => {
  const esme = peer();
  await esme.bind();
  const status = async (seq, payload) => {
    esme.write(pdu(cmd.submit_sm, { seq, body: smBody({ text: Buffer.from('hello'), tlvs: [tlv(0x0424, Buffer.from(payload))] }) }));
    return (await esme.take((p) => p.seq === seq)).status;
  };
  assert.equal(await status(7, 'goodbye'), 0xc4);
  assert.equal(await status(8, 'hello'), 0);
  assert.equal(await status(9, ''), 0);
  await esme.end();
});

test('a 5.0 bind is sent no TLV it has not asked for', async () => {
  const esme = peer();
  await esme.bind({ version: 0x50 });
  esme.write(pdu(cmd.submit_sm, { seq: 7, body: smBody() }));
  const { body } = await esme.take((p) => p.seq === 7);
  assert.equal(body.indexOf(0), body.length - 1, 'the id and its NUL, nothing behind');
  await esme.end();
});

test('unbind is answered, after the answers owed; what was accepted stays accepted', async () => {
  const esme = peer();
  await esme.bind({ command: cmd.bind_transmitter });
  esme.write(pdu(cmd.submit_sm, { seq: 7, body: smBody({ registered: 1, dest: '79992228003' }) }), pdu(cmd.unbind, { seq: 8 }));
  const first = await esme.take();
  assert.deepEqual([first.id, first.status, first.seq], [response(cmd.submit_sm), 0, 7]);
  const second = await esme.take();
  assert.deepEqual([second.id, second.status, second.seq], [response(cmd.unbind), 0, 8]);
  await esme.closed;
  const later = await world.esme('bind_receiver');
  const id = first.body.subarray(0, first.body.indexOf(0)).toString();
  await later.delivery((p) => receiptOf(p).id === id);
  await later.close();
});
