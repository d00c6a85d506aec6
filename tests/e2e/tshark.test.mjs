// tshark.test.mjs - whole sessions as they travelled, judged by tshark: every PDU is SMPP to it, none malformed, no
// warning, and it reads the same values as we meant.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { has } from './lib/daemon.mjs';
import { Relay } from './lib/pcap.mjs';
import { bindBody, bytes, cmd, dataBody, multiBody, Peer, pdu, response, sme, smBody, str, tlv } from './lib/raw.mjs';
import { Esme, idPattern, receiptOf, startWorld } from './lib/world.mjs';

const skip = has('tshark') ? false : 'tshark is not installed';
let world, relay, port, file;

function tshark(filter, ...fields) {
  const args = ['-r', file, '-d', 'tcp.port==2775,smpp', '-Y', filter, '-T', 'fields', ...fields.flatMap((f) => ['-e', f])];
  const { status, stdout, stderr } = spawnSync('tshark', args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  assert.equal(status, 0, stderr);
  return stdout.split('\n').filter(Boolean).map((line) => line.split('\t').map((cell) => cell.split(',').filter(Boolean)));
}

before(async () => {
  if (skip) return;
  world = await startWorld();
  relay = new Relay();
  port = await relay.listen(world.gateway.port);
  file = path.join(world.gateway.directory, 'session.pcap');
});
after(async () => {
  relay?.close();
  await world?.end();
});

test('sessions of every kind, dissected', { skip }, async () => {
  // a client library's sessions, one per version, with receipts and an incoming message
  for (const version of [0x33, 0x34, 0x50]) {
    const esme = new Esme().connect(port);
    assert.equal((await esme.bind('bind_transceiver', { interface_version: version })).command_status, 0);
    const answers = await Promise.all([
      esme.submit({ destination_addr: '79991110001', short_message: 'Hello' }),
      esme.submit({ destination_addr: '79991110002', short_message: 'Привет', data_coding: 8 }),
      ...Array.from({ length: 40 }, (_, i) => esme.submit({ destination_addr: `7999112${1000 + i}` })),
    ]);
    for (const { message_id } of answers) await esme.delivery((p) => receiptOf(p).id === message_id);
    await world.simulator.incoming({ phone: '79995550000', to: '79030000000', text: `Входящее ${version}` });
    await esme.delivery((p) => p.source_addr === '79995550000');
    await new Promise((resolve) => esme.session.enquire_link(resolve));
    await new Promise((resolve) => esme.session.unbind(resolve));
    await esme.close();
  }
  // by hand: every request there is, and answers with errors
  const peer = new Peer(port);
  await peer.bind();
  peer.write(
    pdu(cmd.data_sm, { seq: 10, body: dataBody() }),
    pdu(cmd.submit_multi, { seq: 11, body: multiBody({ dests: [sme('79991113001'), sme('79991113002')] }) }),
    pdu(cmd.query_sm, { seq: 12, body: Buffer.concat([str('100000000000000001'), bytes(5, 0), str('raw')]) }),
    pdu(cmd.cancel_sm, { seq: 13, body: Buffer.concat([str(''), str('100000000000000001'), bytes(5, 0), str('raw'), bytes(1, 1), str('79991113001')]) }),
    pdu(cmd.replace_sm, { seq: 14, body: Buffer.concat([str('100000000000000001'), bytes(5, 0), str('raw'), str(''), str(''), bytes(0, 0, 1), Buffer.from('x')]) }),
    pdu(cmd.submit_sm, { seq: 15, body: smBody({ dest: '' }) }),
    pdu(cmd.submit_sm, { seq: 16, body: smBody({ text: Buffer.alloc(0), tlvs: [tlv(0x0424, Buffer.alloc(900, 'a'))] }) }),
    pdu(cmd.bind_receiver, { seq: 17, body: bindBody() }),
  );
  for (let seq = 10; seq <= 17; seq++) await peer.take((p) => p.seq === seq);
  peer.write(pdu(cmd.unbind, { seq: 18 }));
  await peer.take((p) => p.id === response(cmd.unbind));
  await peer.closed;
  const stranger = new Peer(port);
  await stranger.connected;
  stranger.write(pdu(cmd.submit_sm, { body: smBody() }), pdu(cmd.bind_transceiver, { seq: 2, body: bindBody({ password: 'wrong' }) }));
  await stranger.take((p) => p.seq === 2);
  await stranger.end();

  relay.write(file);
  const passed = relay.pdus();
  assert.ok(passed.length > 300);
  const seen = tshark('smpp', 'smpp.command_id', 'smpp.command_status').flatMap(([ids]) => ids.map(Number));
  assert.equal(seen.length, passed.length, 'each PDU is one to tshark');
  const sorted = (numbers) => [...numbers].sort((a, b) => a - b);
  assert.deepEqual(sorted(seen), sorted(passed.map((p) => p.id)));

  assert.deepEqual(tshark('_ws.malformed', 'frame.number', '_ws.col.Info'), []);
  assert.deepEqual(tshark('smpp && _ws.expert.severity >= 6291456', 'frame.number', '_ws.expert.message'), []);
});

test('what it reads is what we meant', { skip }, async () => {
  const ids = tshark('smpp.command_id == 0x80000004 && smpp.command_status == 0', 'smpp.message_id').flat(2);
  assert.ok(ids.length >= 120);
  assert.deepEqual(ids.filter((id) => !idPattern().test(id) && !idPattern(0x33).test(id)), [], 'message ids');
  const receipted = tshark('smpp.receipted_message_id', 'smpp.receipted_message_id', 'smpp.message_state');
  assert.ok(receipted.length > 0);
  assert.ok(receipted.flatMap(([r]) => r).every((id) => ids.includes(id)), 'receipted_message_id names an answered message');
  assert.ok(receipted.flatMap(([, states]) => states).every((state) => Number(state) === 2), 'DELIVERED');
  const versions = tshark('smpp.SC_interface_version', 'smpp.SC_interface_version').flat(2);
  assert.deepEqual(new Set(versions), new Set([String(0x34), String(0x50)]));
});
