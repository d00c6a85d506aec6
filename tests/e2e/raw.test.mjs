// raw.test.mjs - what no client library would send, against the real binary. Each row names what must come back and
// whether the session stays; after each row another session submits a message, and must be served.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  bindBody, bytes, cmd, dataBody, hex, list, multiBody, Peer, pdu, response, sme, smBody, str, tlv,
} from './lib/raw.mjs';
import { startWorld } from './lib/world.mjs';

const OK = 0, INVMSGLEN = 0x01, INVCMDLEN = 0x02, INVCMDID = 0x03, INVBNDSTS = 0x04, ALYBND = 0x05, INVSRCADR = 0x0a,
  INVDSTADR = 0x0b, INVMSGID = 0x0c, INVPASWD = 0x0e, INVSYSID = 0x0f, INVSERTYP = 0x15, INVNUMDESTS = 0x33,
  INVDESTFLAG = 0x40, INVSYSTYP = 0x53, INVSCHED = 0x61, INVEXPIRY = 0x62, INVTLVSTREAM = 0xc0;
const NACK = cmd.generic_nack;

let world, bystander, served = 0;
before(async () => {
  world = await startWorld({ smpp: { login_failures: 0 } }); // the bind rows fail on purpose
  bystander = await world.esme('bind_transmitter');
});
after(async () => {
  await bystander?.close();
  await world?.end();
});

async function othersAreServed() {
  const answer = await bystander.submit({ destination_addr: `7000${String(served++).padStart(7, '0')}`, registered_delivery: 0 });
  assert.equal(answer.command_status, OK, 'another session is served');
}

const isOneOf = (expected, value) => (Array.isArray(expected) ? expected.includes(value) : expected === value);

/** What a row of "kept" answers: exactly one PDU per request. */
async function kept(peer, writes, answers) {
  for (const write of [].concat(writes)) peer.write(write);
  await peer.fence();
  const got = peer.inbox.splice(0).filter((p) => p.id !== cmd.enquire_link);
  // a submit_sm_resp waits for the disk, so it may come after the fence
  while (got.length < answers.length) got.push(await peer.take((p) => p.id !== cmd.enquire_link));
  await peer.fence();
  assert.deepEqual(peer.inbox.splice(0), [], 'one answer to each request');
  assert.equal(got.length, answers.length, `answers: ${JSON.stringify(got.map((p) => [p.id, p.status, p.seq]))}`);
  answers.forEach(({ id, status, seq }, i) => {
    assert.equal(got[i].id.toString(16), id.toString(16), 'command_id of the answer');
    assert.equal(got[i].seq, seq, 'sequence_number of the answer');
    assert.ok(isOneOf(status, got[i].status), `status 0x${got[i].status.toString(16)} of answer ${i}`);
  });
}

const submitAnswer = (status, seq = 1) => [{ id: response(cmd.submit_sm), status, seq }];
const submit = (fields, options = {}) => pdu(cmd.submit_sm, { seq: 1, body: smBody(fields), ...options });
const empties = (n) => Array.from({ length: n }, () => tlv(0x1400));
const numbers = (n, digits = 12) => Array.from({ length: n }, (_, i) => sme(String(i).padStart(digits, '7')));
// scheduled: hundreds of numbers that the aggregator refuses would make the gateway pause for everybody
const multi = (options) => pdu(cmd.submit_multi, { body: multiBody({ schedule: '000000010000000R', ...options }) });
const multiAnswer = (status) => [{ id: response(cmd.submit_multi), status, seq: 1 }];
const ANY_TAKEN = [OK, INVCMDID]; // submit_multi and its kin are answered, whatever this version does with them

/* ---- a bound session: the table of libsmpp34's surprises, row by row; the session is kept ---- */

const keptRows = [
  ['an unknown command', pdu(0x10200, { seq: 7 }), [{ id: NACK, status: INVCMDID, seq: 7 }]],
  ['vendor command ids', pdu(0x00010201, { seq: 8, body: str('vendor') }), [{ id: NACK, status: INVCMDID, seq: 8 }]],
  ['an unknown response', pdu(0x80000f11, { seq: 9 }), []],
  ['a 5.0 broadcast_sm cut short', pdu(cmd.broadcast_sm, { seq: 3 }), [{ id: response(cmd.broadcast_sm), status: INVCMDLEN, seq: 3 }]],
  ['enquire_link with a body', pdu(cmd.enquire_link, { seq: 5, body: bytes(0, 0, 0, 0) }), [{ id: response(cmd.enquire_link), status: OK, seq: 5 }]],
  ['sequence_number 0', submit({}, { seq: 0 }), submitAnswer(OK, 0)],
  ['sequence_number 0x80000000', submit({}, { seq: 0x80000000 }), submitAnswer(OK, 0x80000000)],
  ['sequence_number 0xFFFFFFFF', submit({}, { seq: 0xffffffff }), submitAnswer(OK, 0xffffffff)],
  ['a request with command_status 0x100', submit({}, { status: 0x100 }), submitAnswer(OK)],
  ['a request with command_status 0x400', submit({}, { status: 0x400 }), submitAnswer(OK)],
  ['any TON and NPI', submit({ source_ton: 7, source_npi: 255, dest_ton: 255, dest_npi: 7 }), submitAnswer(OK)],
  ['replace_if_present and default_msg_id set', submit({ replace: 1, default_msg_id: 255 }), submitAnswer(OK)],
  ['no text', submit({ text: Buffer.alloc(0) }), submitAnswer([OK, INVMSGLEN])],

  ['a body that ends in a string', pdu(cmd.submit_sm, { body: hex('00 0500 726177') }), submitAnswer(INVCMDLEN)],
  ['no body', pdu(cmd.submit_sm), submitAnswer(INVCMDLEN)],
  ['service_type of 6', submit({ service_type: 'ABCDEF' }), submitAnswer(INVSERTYP)],
  ['source_addr of 21', submit({ source: '1'.repeat(21) }), submitAnswer(INVSRCADR)],
  ['destination_addr of 21', submit({ dest: '1'.repeat(21) }), submitAnswer(INVDSTADR)],
  ['no destination_addr', submit({ dest: '' }), submitAnswer(INVDSTADR)],
  ['schedule_delivery_time of 17', submit({ schedule: '1'.repeat(17) }), submitAnswer(INVSCHED)],
  ['validity_period of 17', submit({ validity: '1'.repeat(17) }), submitAnswer(INVEXPIRY)],
  ['a malformed schedule_delivery_time', submit({ schedule: 'tomorrow' }), submitAnswer(INVSCHED)],
  ['a malformed validity_period', submit({ validity: 'for ever' }), submitAnswer(INVEXPIRY)],
  ['sm_length 254', submit({ text: Buffer.alloc(254, 'a') }), submitAnswer(OK)],
  ['sm_length 255', submit({ text: Buffer.alloc(255, 'a') }), submitAnswer(INVMSGLEN)],
  ['sm_length beyond the PDU', submit({ sm_length: 20 }), submitAnswer(INVMSGLEN)],
  ['sm_length too short: text read as TLVs', submit({ sm_length: 1, text: Buffer.from('a message read as TLVs') }), submitAnswer([OK, INVTLVSTREAM])],
  ['odd length of UCS-2', submit({ data_coding: 8, text: hex('0041 00') }), submitAnswer(OK)],
  ['half a surrogate pair', submit({ data_coding: 8, text: hex('d83d') }), submitAnswer(OK)],

  ['an unknown TLV', submit({ tlvs: [tlv(0x3fff, Buffer.from('x'))] }), submitAnswer(OK)],
  ['TLVs 5.0, reserved, vendor, 0xFFFF, 0', submit({ tlvs: [0x0600, 0x0428, 0x1400, 0xffff, 0].map((t) => tlv(t, bytes(1, 2))) }), submitAnswer(OK)],
  ['the same TLV twice, unordered', submit({ tlvs: [tlv(0x1401, bytes(1)), tlv(0x0005, bytes(1)), tlv(0x1401, bytes(2))] }), submitAnswer(OK)],
  ['a vendor TLV of 1025', submit({ tlvs: [tlv(0x1400, Buffer.alloc(1025))] }), submitAnswer(OK)],
  ['zero length on a fixed-size TLV', submit({ tlvs: [tlv(0x0019), tlv(0x1400, bytes(1))] }), submitAnswer(OK)],
  ['wrong length on a fixed-size TLV', submit({ tlvs: [tlv(0x0019, bytes(1, 2, 3, 4, 5)), tlv(0x0204, bytes(1))] }), submitAnswer(OK)],
  ['alert_on_message_delivery of 1, ms_validity of 4', submit({ tlvs: [tlv(0x130c, bytes(1)), tlv(0x1204, bytes(0, 0, 0, 1))] }), submitAnswer(OK)],
  ['callback_num of 20', submit({ tlvs: [tlv(0x0381, Buffer.alloc(20))] }), submitAnswer(OK)],
  ['sub-addresses of 24', submit({ tlvs: [tlv(0x0202, Buffer.alloc(24)), tlv(0x0203, Buffer.alloc(24))] }), submitAnswer(OK)],
  ['network_error_code of 4, receipted_message_id of 70', submit({ tlvs: [tlv(0x0423, Buffer.alloc(4)), tlv(0x001e, Buffer.alloc(70, 'a'))] }), submitAnswer(OK)],
  ['a TLV claiming 5 with 1 there: not lost for it', submit({ tlvs: [hex('0019 0005 01')] }), submitAnswer(OK)],
  ['a TLV header cut short', submit({ tlvs: [hex('0019 00')] }), submitAnswer(OK)],
  ['29 empty TLVs', submit({ tlvs: empties(29) }), submitAnswer(OK)],
  ['29 empty TLVs, the 149 bytes that write past libsmpp34', hex(`00000095000000040000000000000001 0005000001010000000000000100000000 ${'14000000'.repeat(29)}`), submitAnswer(INVDSTADR)],
  ['64 TLVs', submit({ tlvs: empties(64) }), submitAnswer(OK)],
  ['65 TLVs', submit({ tlvs: empties(65) }), submitAnswer(INVTLVSTREAM)],
  ['97 TLVs', submit({ tlvs: empties(97) }), submitAnswer(INVTLVSTREAM)],
  ['32 KiB of empty TLVs', submit({ tlvs: empties(8192) }), submitAnswer(INVTLVSTREAM)],
  ['data_sm with 32 TLVs', pdu(cmd.data_sm, { body: dataBody({ tlvs: [tlv(0x0424, str('x')), ...empties(31)] }) }), [{ id: response(cmd.data_sm), status: OK, seq: 1 }]],
  ['data_sm with a source_addr of 64', pdu(cmd.data_sm, { body: dataBody({ source: '1'.repeat(64) }) }), [{ id: response(cmd.data_sm), status: [OK, INVSRCADR], seq: 1 }]],
  ['message_payload 1024', submit({ text: Buffer.alloc(0), tlvs: [tlv(0x0424, Buffer.alloc(1024, 'a'))] }), submitAnswer([OK, INVMSGLEN])],
  ['message_payload 1025', submit({ text: Buffer.alloc(0), tlvs: [tlv(0x0424, Buffer.alloc(1025, 'a'))] }), submitAnswer([OK, INVMSGLEN])],
  ['message_payload 64000', submit({ text: Buffer.alloc(0), tlvs: [tlv(0x0424, Buffer.alloc(64000, 'a'))] }), submitAnswer([OK, INVMSGLEN])],
  ['message_payload empty', submit({ tlvs: [tlv(0x0424)] }), submitAnswer([OK, INVMSGLEN])],
  ['UDHI without a header', submit({ esm_class: 0x40, text: Buffer.alloc(0) }), submitAnswer([OK, INVMSGLEN, 0x43])],
  ['UDHI with a length beyond the text', submit({ esm_class: 0x40, text: hex('ff 00 03 01 02 01') }), submitAnswer([OK, INVMSGLEN, 0x43])],

  ['submit_multi with no destination', multi({ dests: [] }), multiAnswer(INVNUMDESTS)],
  ['submit_multi with a bad dest_flag', multi({ dests: [bytes(3, 1, 1, 0x37, 0)] }), multiAnswer(INVDESTFLAG)],
  ['submit_multi, more announced than there', pdu(cmd.submit_multi, { body: Buffer.concat([str(''), bytes(5, 0), str('raw'), bytes(9), sme('79990001122')]) }), multiAnswer(INVCMDLEN)],
  ['submit_multi, 17 destinations', multi({ dests: numbers(17) }), multiAnswer(ANY_TAKEN)],
  ['submit_multi, 16 of 20 digits', multi({ dests: numbers(16, 20) }), multiAnswer([...ANY_TAKEN, INVDSTADR])],
  ['submit_multi, 165 empty list names', multi({ dests: Array.from({ length: 165 }, () => list('')) }), multiAnswer([...ANY_TAKEN, 0x34, INVDSTADR])],
  ['submit_multi, 254 destinations', multi({ dests: numbers(254) }), multiAnswer(ANY_TAKEN)],
  ['submit_multi, a list name too long', multi({ dests: [list('x'.repeat(21))] }), multiAnswer(0x34)],
  ['query_sm with an id of 65', pdu(cmd.query_sm, { body: Buffer.concat([str('1'.repeat(65)), bytes(0, 0), str('')]) }), [{ id: response(cmd.query_sm), status: INVMSGID, seq: 1 }]],
  ['replace_sm with trailing TLVs', pdu(cmd.replace_sm, { body: Buffer.concat([str('123'), bytes(5, 0), str('raw'), str(''), str(''), bytes(0, 0, 1), Buffer.from('x'), tlv(0x1400)]) }), [{ id: response(cmd.replace_sm), status: [OK, INVCMDID, INVMSGID, 0x13], seq: 1 }]],
  ['cancel_sm with a byte left over', pdu(cmd.cancel_sm, { body: Buffer.concat([str(''), str('123'), bytes(0, 0), str(''), bytes(0, 0), str(''), bytes(0)]) }), [{ id: response(cmd.cancel_sm), status: INVCMDLEN, seq: 1 }]],

  ['a second bind', pdu(cmd.bind_transceiver, { body: bindBody() }), [{ id: response(cmd.bind_transceiver), status: ALYBND, seq: 1 }]],
  ['deliver_sm towards the SMSC', pdu(cmd.deliver_sm, { body: smBody() }), [{ id: response(cmd.deliver_sm), status: INVBNDSTS, seq: 1 }]],
  ['alert_notification towards the SMSC', pdu(cmd.alert_notification, { seq: 4, body: Buffer.concat([bytes(0, 0), str('1'), bytes(0, 0), str('2')]) }), [{ id: NACK, status: INVBNDSTS, seq: 4 }]],

  ...[0, 8, 0x58, 0x100, 0x400, 0xffffffff].flatMap((status) => [
    [`header-only submit_sm_resp, status 0x${status.toString(16)}`, pdu(response(cmd.submit_sm), { status, seq: 77 }), []],
    [`header-only deliver_sm_resp, status 0x${status.toString(16)}`, pdu(response(cmd.deliver_sm), { status, seq: 77 }), []],
    [`generic_nack, status 0x${status.toString(16)}`, pdu(NACK, { status, seq: 77 }), []],
  ]),
  ['an error submit_sm_resp with a body', pdu(response(cmd.submit_sm), { status: 8, body: str('123') }), []],
  ['submit_sm_resp with TLVs', pdu(response(cmd.submit_sm), { body: Buffer.concat([str('1'), tlv(0x0428, bytes(1))]) }), []],
  ['deliver_sm_resp with an id', pdu(response(cmd.deliver_sm), { body: str('123456') }), []],
  ['deliver_sm_resp without a NUL', pdu(response(cmd.deliver_sm), { body: Buffer.from('abcdef') }), []],
  ['submit_sm_resp without a NUL [CVE-2026-75895]', hex('00000016 80000004 00000000 00000001 616263646566'), []],
  ['bind_transmitter_resp with a TLV cut off', hex('00000015 80000002 00000000 00000001 00 0210 0001'), []],
  ['cancel_sm_resp with one NUL', pdu(response(cmd.cancel_sm), { body: bytes(0) }), []],
  ['bind, query, multi and data responses, header only', [9, 3, 0x21, 0x103].map((id) => pdu(response(id), { seq: 5 })), []],
  ['generic_nack with sequence 0', pdu(NACK, { status: 3, seq: 0 }), []],
];

describe('a bound session is kept', () => {
  for (const [name, writes, answers] of keptRows)
    test(name, async () => {
      const peer = new Peer(world.gateway.port);
      assert.equal((await peer.bind()).status, OK);
      await kept(peer, writes, answers);
      await othersAreServed();
      await peer.end();
    });
});

/* ---- the stream itself ---- */

test('a submit_sm one byte at a time', async () => {
  const peer = new Peer(world.gateway.port);
  await peer.bind();
  for (const byte of submit({}, { seq: 42 })) {
    peer.write(bytes(byte));
    await new Promise(setImmediate); // so that each byte is a write of its own
  }
  assert.equal((await peer.take((p) => p.seq === 42)).status, OK);
  await othersAreServed();
  await peer.end();
});

test('twenty requests in one write are answered once each, in order', async () => {
  const peer = new Peer(world.gateway.port);
  await peer.bind();
  peer.write(...Array.from({ length: 20 }, (_, i) => submit({ dest: `7888000${1000 + i}` }, { seq: 100 + i })));
  const seqs = [];
  while (seqs.length < 20) {
    const answer = await peer.take();
    assert.equal(answer.status, OK);
    seqs.push(answer.seq);
  }
  assert.deepEqual(seqs, Array.from({ length: 20 }, (_, i) => 100 + i));
  await peer.fence();
  assert.equal(peer.inbox.length, 0);
  await peer.end();
});

test('a flood of enquire_link in one write: each is answered', async () => {
  const peer = new Peer(world.gateway.port);
  await peer.bind();
  const flood = 20000;
  peer.write(...Array.from({ length: flood }, (_, i) => pdu(cmd.enquire_link, { seq: i })));
  for (let i = 0; i < flood; i++) {
    const answer = await peer.take((p) => p.id === response(cmd.enquire_link));
    assert.equal(answer.seq, i);
  }
  await othersAreServed();
  await peer.end();
});

test('every truncation of a submit_sm is answered once and keeps the session', async () => {
  const peer = new Peer(world.gateway.port);
  await peer.bind();
  const whole = submit({ tlvs: [tlv(0x0204, bytes(0, 1)), tlv(0x1400, Buffer.from('vendor'))] });
  for (let length = 16; length < whole.length; length++) {
    const cut = Buffer.from(whole.subarray(0, length));
    cut.writeUInt32BE(length, 0);
    cut.writeUInt32BE(length, 12);
    peer.write(cut);
    const answer = await peer.take((p) => p.seq === length);
    assert.equal(answer.id, response(cmd.submit_sm));
    if (length < 16 + smBody().length) assert.notEqual(answer.status, OK, `cut at ${length}`);
  }
  await peer.fence();
  assert.equal(peer.inbox.length, 0);
  await othersAreServed();
  await peer.end();
});

/* ---- framing lost: generic_nack RINVCMDLEN, then the end ---- */

const lostRows = [
  ['command_length 0', pdu(cmd.submit_sm, { seq: 6, length: 0 })],
  ['command_length 1', pdu(cmd.submit_sm, { seq: 6, length: 1 })],
  ['command_length 15', pdu(cmd.submit_sm, { seq: 6, length: 15 })],
  ['command_length 0x80000000', pdu(cmd.submit_sm, { seq: 6, length: 0x80000000 })],
  ['command_length 0xFFFFFFFF', pdu(cmd.submit_sm, { seq: 6, length: 0xffffffff })],
  ['command_length above max_pdu', pdu(cmd.submit_sm, { seq: 6, length: 1 << 20 })],
];
describe('where the next PDU starts is unknown: nack and close', () => {
  for (const [name, write] of lostRows)
    test(name, async () => {
      const peer = new Peer(world.gateway.port);
      await peer.bind();
      peer.write(write);
      const nack = await peer.take();
      assert.equal(nack.id, NACK);
      assert.equal(nack.status, INVCMDLEN);
      await peer.closed;
      assert.equal(peer.inbox.length, 0);
      await othersAreServed();
    });
  test('command_length one short: the message is refused, the rest is no PDU', async () => {
    const peer = new Peer(world.gateway.port);
    await peer.bind();
    const whole = submit({}, { seq: 6 });
    whole.writeUInt32BE(whole.length - 1, 0);
    peer.write(whole, pdu(cmd.enquire_link, { seq: 7 }));
    const refused = await peer.take();
    assert.deepEqual([refused.id, refused.status, refused.seq], [response(cmd.submit_sm), INVMSGLEN, 6]);
    const nack = await peer.take();
    assert.deepEqual([nack.id, nack.status], [NACK, INVCMDLEN]);
    await peer.closed;
    await othersAreServed();
  });
});

/* ---- before a bind ---- */

describe('before a bind', () => {
  const unbound = async () => {
    const peer = new Peer(world.gateway.port);
    await peer.connected;
    return peer;
  };
  const requests = {
    submit_sm: smBody(), data_sm: dataBody(), submit_multi: multiBody({ dests: numbers(2), schedule: '000000010000000R' }),
    query_sm: Buffer.concat([str('1'), bytes(0, 0), str('')]), unbind: Buffer.alloc(0),
  };
  for (const [name, body] of Object.entries(requests))
    test(`${name} is not legal yet; the connection may still bind`, async () => {
      const peer = await unbound();
      peer.write(pdu(cmd[name], { seq: 3, body }));
      const answer = await peer.take();
      assert.deepEqual([answer.id, answer.status, answer.seq], [response(cmd[name]), INVBNDSTS, 3]);
      assert.equal((await peer.bind()).status, OK);
      await peer.end();
    });

  test('the 149 bytes that overflow the library, before authentication', async () => {
    const peer = await unbound();
    peer.write(hex(`00000095000000040000000000000001 0005000001010000000000000100000000 ${'14000000'.repeat(29)}`));
    assert.equal((await peer.take()).status, INVBNDSTS);
    await othersAreServed();
    await peer.end();
  });

  test('enquire_link is answered', async () => {
    const peer = await unbound();
    assert.equal((await peer.fence()).status, OK);
    await peer.end();
  });

  const big = pdu(cmd.bind_transceiver, { body: Buffer.alloc(3000, 'a') });
  test('a PDU larger than any bind: nack and close', async () => {
    const peer = await unbound();
    peer.write(big);
    const nack = await peer.take();
    assert.deepEqual([nack.id, nack.status], [NACK, INVCMDLEN]);
    await peer.closed;
    await othersAreServed();
  });

  const foreign = {
    'an HTTP request': Buffer.from('GET / HTTP/1.1\r\nHost: example\r\n\r\n'),
    'a TLS hello': hex('16030100c8010000c40303' + '5a'.repeat(190)),
    'an SSH banner': Buffer.from('SSH-2.0-OpenSSH_9.2p1\r\n'),
    'a PROXY header nobody asked for': Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 1234 2775\r\n'),
  };
  for (const [name, bytesOfIt] of Object.entries(foreign))
    test(`${name}: closed without a byte`, async () => {
      const peer = await unbound();
      peer.write(bytesOfIt);
      await peer.closed;
      assert.equal(peer.received, 0);
      await othersAreServed();
    });

  for (const version of [0x00, 0x33, 0x34, 0x50, 0x51, 0xff])
    for (const command of ['bind_receiver', 'bind_transmitter', 'bind_transceiver'])
      test(`${command} with interface_version 0x${version.toString(16)}`, async () => {
        const peer = await unbound();
        const answer = await peer.bind({ command: cmd[command], version });
        assert.equal(answer.status, OK);
        const tlvs = answer.body.subarray(answer.body.indexOf(0) + 1);
        if (version >= 0x34) assert.equal(tlvs.subarray(0, 4).toString('hex'), '02100001', 'sc_interface_version');
        else assert.equal(tlvs.length, 0, 'no TLVs for a 3.3 bind');
        await peer.end();
      });

  test('a bind with trailing TLVs', async () => {
    const peer = await unbound();
    assert.equal((await peer.bind({ tlvs: [tlv(0x1400, bytes(1)), tlv(0x0210, bytes(0x50))] })).status, OK);
    await peer.end();
  });

  const badBinds = [
    ['system_type of 13', { system_type: 'a'.repeat(13) }, INVSYSTYP],
    ['system_id of 65', { system_id: 'a'.repeat(65) }, INVSYSID],
    ['password of 65', { password: 'a'.repeat(65) }, INVPASWD],
  ];
  for (const [name, options, status] of badBinds)
    test(`a bind with a ${name} is refused and may be tried again`, async () => {
      const peer = await unbound();
      assert.equal((await peer.bind(options)).status, status);
      assert.equal((await peer.bind()).status, OK);
      await peer.end();
    });

  test('five pieces of nonsense end an unbound connection', async () => {
    const peer = await unbound();
    for (let seq = 1; seq <= 5; seq++) peer.write(pdu(0x10200, { seq }));
    await peer.closed;
    assert.ok(peer.inbox.every((p) => p.id === NACK && p.status === INVCMDID));
    await othersAreServed();
  });

  test('a response instead of a request is no reason to answer', async () => {
    const peer = await unbound();
    peer.write(pdu(response(cmd.submit_sm), { seq: 2, body: str('1') }));
    await peer.fence();
    assert.equal(peer.inbox.length, 0);
    await peer.end();
  });
});

/* ---- many at once ---- */

test('five hundred connections that say nothing cost nobody anything', async () => {
  const idle = Array.from({ length: 500 }, () => new Peer(world.gateway.port));
  await Promise.all(idle.map((peer) => peer.connected));
  await othersAreServed();
  const late = new Peer(world.gateway.port);
  assert.equal((await late.bind()).status, OK);
  await late.end();
  await Promise.all(idle.map((peer) => peer.end()));
});

test('a peer that sends and never reads keeps nobody else waiting', async () => {
  const peer = new Peer(world.gateway.port);
  await peer.bind();
  peer.socket.pause();
  const flood = Buffer.concat(Array.from({ length: 4000 }, (_, i) => pdu(cmd.enquire_link, { seq: i })));
  for (let i = 0; i < 50; i++) peer.socket.write(flood);
  for (let i = 0; i < 20; i++) await othersAreServed();
  await peer.end();
});

/* ---- time ---- */

describe('with short timers', () => {
  let quick;
  before(async () => {
    quick = await startWorld({
      smpp: { bind_timeout: '200ms', enquire_link_interval: '100ms', inactivity_timeout: '400ms', response_timeout: '200ms' },
    });
  });
  after(() => quick?.end());

  test('a bind that never comes to its end closes the connection', async () => {
    const peer = new Peer(quick.gateway.port);
    await peer.connected;
    peer.write(pdu(cmd.bind_transceiver, { body: bindBody() }).subarray(0, 20));
    await peer.closed;
    assert.equal(peer.received, 0);
  });

  test('one byte now and then is not a bind either', async () => {
    const peer = new Peer(quick.gateway.port);
    await peer.connected;
    const whole = pdu(cmd.bind_transceiver, { body: bindBody() });
    let at = 0;
    const drip = setInterval(() => peer.socket.write(whole.subarray(at, ++at)), 20);
    await peer.closed;
    clearInterval(drip);
    assert.ok(at < whole.length);
  });

  test('a silent session is asked with enquire_link, and closed when it stays silent', async () => {
    const peer = new Peer(quick.gateway.port);
    assert.equal((await peer.bind()).status, OK);
    await peer.take((p) => p.id === cmd.enquire_link);
    await peer.closed;
  });

  test('a session that answers enquire_link stays', async () => {
    const peer = new Peer(quick.gateway.port);
    assert.equal((await peer.bind()).status, OK);
    for (let i = 0; i < 8; i++) {
      const { seq } = await peer.take((p) => p.id === cmd.enquire_link);
      peer.write(pdu(response(cmd.enquire_link), { seq }));
    }
    await peer.fence();
    await peer.end();
  });
});

describe('odd answers to our deliver_sm', () => {
  for (const [name, answer] of [
    ['a header-only deliver_sm_resp', (seq) => pdu(response(cmd.deliver_sm), { seq })],
    ['a deliver_sm_resp with an id', (seq) => pdu(response(cmd.deliver_sm), { seq, body: str('4711') })],
    ['a deliver_sm_resp with a TLV', (seq) => pdu(response(cmd.deliver_sm), { seq, body: Buffer.concat([str(''), tlv(0x0425, bytes(1))]) })],
  ])
    test(`${name} settles the receipt: it does not come again`, async () => {
      const peer = new Peer(world.gateway.port);
      await peer.bind();
      peer.write(submit({ registered: 1, dest: '79993332211' }, { seq: 2 }));
      assert.equal((await peer.take((p) => p.seq === 2)).status, OK);
      const receipt = await peer.take((p) => p.id === cmd.deliver_sm);
      peer.write(answer(receipt.seq));
      await peer.fence();
      await peer.end();
      const next = new Peer(world.gateway.port);
      await next.bind();
      await next.fence();
      assert.ok(!next.inbox.some((p) => p.id === cmd.deliver_sm));
      await next.end();
    });
});
