// face_habits.test.mjs - what an account's own settings change at the SMPP face: ranges of numbers, headers without a
// flag, the version told, unknown data_coding, alphabets towards the ESME, TLVs back, and the longest PDU a client takes.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { callBack, now } from './lib/callback.mjs';
import { cmd, pdu, Peer, response, smBody, str, tlv } from './lib/raw.mjs';
import { receiptOf, startWorld, textOf, textUpstream, until } from './lib/world.mjs';

const require = createRequire(import.meta.url);
const account = (system_id, more = {}) => ({ system_id, password: 'demo', upstream: 'smsc', rate: 0, ...more });
const alphabets = ['gsm7', 'latin1', 'ascii', 'utf8', 'cp1251'];
const names = [...alphabets, 'iso', 'kannel', 'node', 'tight', 'tlvs'];
const esmes = [
  account('ranged', { address_range: 'incoming' }),
  account('headers', { udh_without_flag: true }),
  account('told34', { interface_version: '3.4' }),
  account('told50', { interface_version: '5.0' }),
  account('strict', { unknown_data_coding: 'refuse' }),
  account('lenient', { unknown_data_coding: 'accept' }),
  ...alphabets.map((alphabet) => account(alphabet, { alphabet })),
  account('iso', { profile: 'smsc.ru' }),
  account('kannel', { profile: 'kannel' }),
  account('node', { profile: 'node-smpp' }),
  account('tight', { deliver_max_pdu: '512B' }),
  account('tlvs'),
];
const numbers = Object.fromEntries(names.map((name, i) => [name, `7905000000${i}`]));

let world, nextId = 1;
before(async () => {
  world = await startWorld({
    smpp: { login_failures: 0 },
    esmes: [account('demo'), ...esmes],
    upstream: { tlv_map: { '0x1400': 'subj', '0x1401': 'cmt', '0x1402': 'smsc', '0x0427': 'err' } },
    incoming: [...names.map((name) => ({ to: numbers[name], system_id: name })), { to: '*', system_id: 'ranged' }],
  });
});
after(() => world?.end());

const peerOf = async (system_id, options = {}) => {
  const peer = new Peer(world.gateway.port);
  peer.bound = await peer.bind({ system_id, ...options });
  assert.equal(peer.bound.status, 0);
  return peer;
};
const incoming = async (to, mes, more = {}) =>
  assert.equal(await callBack(world.gateway.callbackUrl.split('?')[0], { id: `${nextId++}`, phone: '79161112233', mes, to, sms_id: '', ...more }), 200);
const submit = async (peer, fields) => {
  const seq = peer.sequence++;
  peer.write(pdu(cmd.submit_sm, { seq, body: smBody(fields) }));
  const answer = await peer.take((p) => p.seq === seq && p.id === response(cmd.submit_sm));
  return { status: answer.status, id: answer.body.subarray(0, Math.max(0, answer.body.indexOf(0))).toString() };
};

/** Fields of a deliver_sm as they stand; answers it. */
async function delivered(peer) {
  const one = await peer.take((p) => p.id === cmd.deliver_sm, 30000, 'deliver_sm');
  peer.write(pdu(response(cmd.deliver_sm), { seq: one.seq, body: str('') }));
  const b = one.body;
  let at = 0;
  const text = () => {
    const end = b.indexOf(0, at);
    const found = b.subarray(at, end).toString('latin1');
    at = end + 1;
    return found;
  };
  const out = { length: one.raw.length, service_type: text() };
  at += 2;
  out.source = text();
  at += 2;
  out.dest = text();
  out.esm_class = b[at];
  at += 3;
  text();
  text();
  out.data_coding = b[at + 2];
  out.short_message = b.subarray(at + 5, at + 5 + b[at + 4]);
  at += 5 + b[at + 4];
  out.tlvs = new Map();
  while (at + 4 <= b.length) {
    const len = b.readUInt16BE(at + 2);
    out.tlvs.set(b.readUInt16BE(at), b.subarray(at + 4, at + 4 + len));
    at += 4 + len;
  }
  out.bytes = out.short_message.length ? out.short_message : (out.tlvs.get(0x0424) ?? Buffer.alloc(0));
  return out;
}
const ucs2 = (bytes) => Buffer.from(bytes).swap16().toString('utf16le');

test('address_range: an incoming message goes to a bind that has its number, or waits for one', async () => {
  const [first, second, sender] = [
    await peerOf('ranged', { command: cmd.bind_receiver, range: '^79030' }),
    await peerOf('ranged', { command: cmd.bind_receiver, range: '7904*' }),
    await peerOf('ranged', { command: cmd.bind_transmitter }),
  ];
  const waiting = async () => (await world.gateway.admin('GET', '/v1/deliveries')).json.items.find((i) => i.system_id === 'ranged').waiting;
  for (let i = 0; i < 4; i++) {
    await incoming('79060000001', `nobody's ${i}`);
    await incoming('79030000001', `first ${i}`);
    await incoming('+79040000001', `second ${i}`);
  }
  for (let i = 0; i < 4; i++) {
    assert.equal((await delivered(first)).bytes.toString(), `first ${i}`);
    assert.equal((await delivered(second)).bytes.toString(), `second ${i}`);
  }
  await until('the others wait', async () => (await waiting()) === 4);
  // receipts go to any receiver, whatever its range
  const { id } = await submit(sender, { registered: 1, dest: '79990300001' });
  const receipt = await Promise.race([delivered(first), delivered(second)]);
  assert.ok(receipt.bytes.toString().startsWith(`id:${id} `));
  // a wrong range still gets nothing, the right one all of it and in order
  const wrong = await peerOf('ranged', { command: cmd.bind_receiver, range: '[0-9]{5}$|^8' });
  assert.equal((await delivered(wrong)).bytes.toString(), "nobody's 0");
  for (let i = 1; i < 4; i++) assert.equal((await delivered(wrong)).bytes.toString(), `nobody's ${i}`);
  for (const peer of [first, second, sender, wrong]) await peer.end();
});

test('address_range: one that cannot be read has every number; none at all too', async () => {
  for (const range of ['^(79', '']) {
    const peer = await peerOf('ranged', { command: cmd.bind_receiver, range });
    await incoming('79060000002', `for ${range.length}`);
    assert.equal((await delivered(peer)).bytes.toString(), `for ${range.length}`);
    await peer.end();
  }
});

test('address_range: what waits is delivered when a reload ignores ranges', async () => {
  const peer = await peerOf('ranged', { command: cmd.bind_receiver, range: '12345' });
  await incoming('79060000003', 'waits');
  await world.gateway.line(/waits for a bind with its address_range/);
  await peer.fence();
  const { writeFileSync } = await import('node:fs');
  const changed = world.gateway.config(world.simulator.url);
  changed.esmes.find((e) => e.system_id === 'ranged').address_range = 'ignore';
  writeFileSync(world.gateway.file, JSON.stringify(changed));
  world.gateway.child.kill('SIGHUP');
  assert.equal((await delivered(peer)).bytes.toString(), 'waits');
  writeFileSync(world.gateway.file, JSON.stringify(world.gateway.config(world.simulator.url)));
  await peer.end();
});

test('udh_without_flag: parts whose esm_class does not say so are joined; elsewhere they are the text they claim to be', async () => {
  for (const system_id of ['headers', 'demo']) {
    const peer = await peerOf(system_id);
    const dest = system_id === 'headers' ? '79990300002' : '79990300003';
    for (const [number, text] of [[1, 'one and '], [2, 'two']])
      assert.equal((await submit(peer, { dest, data_coding: 3, text: Buffer.concat([Buffer.from([5, 0, 3, 9, 2, number]), Buffer.from(text)]) })).status, 0);
    const items = await until('upstream', async () => {
      const found = (await world.simulator.get(`/lab/messages?phone=${dest}`)).items;
      return found.length >= (system_id === 'headers' ? 1 : 2) && found;
    });
    if (system_id === 'headers') assert.deepEqual(items.map((m) => m.text), ['one and two']);
    else assert.equal(items.length, 2);
    await peer.end();
  }
});

test('interface_version: what bind_resp announces', async () => {
  for (const [system_id, version, told] of [['demo', 0x33, null], ['demo', 0x34, 0x34], ['demo', 0x50, 0x50],
    ['told34', 0x33, null], ['told34', 0x34, 0x34], ['told34', 0x50, 0x34], ['told50', 0x34, 0x50], ['told50', 0x50, 0x50]]) {
    const peer = await peerOf(system_id, { version });
    const rest = peer.bound.body.subarray(peer.bound.body.indexOf(0) + 1);
    assert.deepEqual(rest, told === null ? Buffer.alloc(0) : tlv(0x0210, Buffer.from([told])), `${system_id} ${version}`);
    await peer.end();
  }
});

test('unknown data_coding: 0x104 where a 5.0 bind sends what cannot be read, nothing is lost elsewhere', async () => {
  const japanese = Buffer.from([0x83, 0x65, 0x83, 0x58]);
  const plain = Buffer.from('plain');
  for (const [system_id, version, text, want] of [
    ['demo', 0x34, japanese, 0], ['demo', 0x34, plain, 0], ['demo', 0x50, plain, 0], ['demo', 0x50, japanese, 0x104],
    ['strict', 0x34, plain, 0x104], ['strict', 0x50, plain, 0x104], ['lenient', 0x50, japanese, 0],
  ]) {
    const peer = await peerOf(system_id, { version });
    for (const data_coding of [5, 9, 13, 14, 0x0f])
      assert.equal((await submit(peer, { data_coding, text })).status, want, `${system_id} ${version} ${data_coding}`);
    for (const data_coding of [0, 1, 3, 6, 7, 8, 0x10, 0xf0]) assert.equal((await submit(peer, { data_coding, text: plain })).status, 0);
    await peer.fence();
    await peer.end();
  }
});

test('alphabets both ways: what an account writes in data_coding 0 is what it reads there', async () => {
  const cases = {
    gsm7: ['@ [é€]', '00201b3c051b651b3e'], latin1: ['@ [é]', '40205be95d'], ascii: ['@ [e]', '40205b655d'],
    utf8: ['é€П', 'c3a9e282acd09f'], cp1251: ['Привет №', 'cff0e8e2e5f220b9'],
  };
  for (const [alphabet, [text, hex]] of Object.entries(cases)) {
    const peer = await peerOf(alphabet);
    const dest = `7999031000${alphabets.indexOf(alphabet)}`;
    assert.equal((await submit(peer, { dest, data_coding: 0, text: Buffer.from(hex, 'hex') })).status, 0);
    await until('upstream', async () => (await textUpstream(world.simulator, dest)) !== '');
    assert.equal(await textUpstream(world.simulator, dest), text, alphabet);
    await incoming(numbers[alphabet], text);
    const back = await delivered(peer);
    assert.deepEqual([back.data_coding, back.bytes.toString('hex')], [0, hex], alphabet);
    await incoming(numbers[alphabet], '中');
    const other = await delivered(peer);
    assert.deepEqual([other.data_coding, other.bytes.toString('hex')], alphabet === 'utf8' ? [0, 'e4b8ad'] : [8, '4e2d'], alphabet);
    await peer.end();
  }
});

test('system_type ISO: incoming messages and receipts in Latin-1, other binds of the account as ever', async () => {
  for (const [system_type, hex] of [['ISO', '40205be7e95d'], ['', null]]) {
    const peer = await peerOf('iso', { system_type });
    await incoming(numbers.iso, '@ [çé]');
    const one = await delivered(peer);
    if (hex) assert.deepEqual([one.data_coding, one.bytes.toString('hex')], [0, hex]);
    else assert.deepEqual([one.data_coding, ucs2(one.bytes)], [8, '@ [çé]']);
    await incoming(numbers.iso, '€'); // GSM has it, Latin-1 not
    const euro = await delivered(peer);
    assert.deepEqual([euro.data_coding, euro.bytes.toString('hex')], hex ? [8, '20ac'] : [0, '1b65']);
    const { id } = await submit(peer, { registered: 1, dest: '79990300020', text: Buffer.from('@_$ text') });
    const receipt = await delivered(peer);
    assert.equal(receipt.data_coding, 0);
    assert.ok(receipt.bytes.toString('latin1').startsWith(`id:${id} sub:001`));
    await peer.end();
  }
});

test('tlv_map back: what was given comes back on the receipt, what the aggregator says of it comes instead', async () => {
  const peer = await peerOf('tlvs');
  const tlvs = [tlv(0x1400, str('1101234')), tlv(0x1401, Buffer.from('mine')), tlv(0x1500, Buffer.from('not mapped'))];
  await world.simulator.behave({ callback_url: '' });
  const mapped = async (dest, params) => {
    const { id } = await submit(peer, { registered: 1, dest, tlvs });
    const upstream = await until('upstream', async () => (await world.simulator.get(`/lab/messages?phone=${dest}`)).items[0]?.id);
    assert.equal(await callBack(world.gateway.callbackUrl.split('?')[0], { id: upstream, phone: dest, status: 1, ts: now(), ...params }), 200);
    const receipt = await delivered(peer);
    assert.ok(receipt.bytes.toString().startsWith(`id:${id} `));
    return receipt.tlvs;
  };
  let got = await mapped('79990300010', {});
  assert.equal(got.get(0x1400).toString(), '1101234\0');
  assert.equal(got.get(0x1401).toString(), 'mine');
  assert.equal(got.get(0x1500), undefined);
  assert.deepEqual([...got.get(0x0427)], [2], "the receipt's own TLVs stay");
  got = await mapped('79990300011', { cmt: 'theirs', err: '0', unmapped: 'x' });
  assert.equal(got.get(0x1400).toString(), '1101234\0');
  assert.equal(got.get(0x1401).toString(), 'theirs');
  assert.deepEqual([...got.get(0x0427)], [2]);
  await incoming(numbers.tlvs, 'with a TLV', { smsc: '79037011111', cmt: 'слово' });
  const message = await delivered(peer);
  assert.equal(message.tlvs.get(0x1402).toString(), '79037011111');
  assert.equal(message.tlvs.get(0x1401).toString(), 'слово');
  assert.equal(message.tlvs.get(0x1400), undefined);
  const old = await peerOf('tlvs', { version: 0x33, command: cmd.bind_receiver });
  await peer.end();
  await incoming(numbers.tlvs, 'without', { smsc: '79037011111' });
  assert.equal((await delivered(old)).tlvs.size, 0);
  await old.end();
  await world.simulator.behave({ callback_url: world.gateway.callbackUrl });
});

/** Joins what came: whole, or parts with a header. */
async function whole(peer, length) {
  const got = [];
  let bytes = 0;
  while (bytes < length) {
    const one = await delivered(peer);
    const header = (one.esm_class & 0x40) !== 0 ? 6 : 0;
    got.push({ ...one, header, text: one.bytes.subarray(header), number: header ? one.bytes[5] : 0 });
    bytes += one.bytes.length - header;
  }
  return got;
}
const fixed = (name) => 16 + 1 + 2 + '79161112233'.length + 1 + 2 + numbers[name].length + 1 + 10 + 4;

for (const [name, limit] of [['kannel', 7424], ['node', 16384], ['tight', 512]])
  test(`a PDU of ${limit} bytes and no more for ${name}`, async () => {
    const peer = await peerOf(name);
    const most = limit - fixed(name);
    const exact = 'x'.repeat(most - 5) + 'the e';
    await incoming(numbers[name], exact);
    const one = await delivered(peer);
    assert.deepEqual([one.length, one.bytes.toString(), one.esm_class], [limit, exact, 0]);
    await incoming(numbers[name], `${exact}!`);
    const parts = await whole(peer, most + 1);
    assert.ok(parts.length > 1 && parts.every((p) => p.length <= limit && p.header === 6));
    assert.equal(Buffer.concat(parts.sort((a, b) => a.number - b.number).map((p) => p.text)).toString(), `${exact}!`);
    const wide = 'ж'.repeat(Math.floor(most / 2));
    await incoming(numbers[name], wide);
    const two = await delivered(peer);
    assert.ok(two.length > limit - 2 && two.length <= limit);
    assert.equal(ucs2(two.bytes), wide);
    await incoming(numbers[name], `${wide}ж`);
    const wideParts = await whole(peer, 2 * (wide.length + 1));
    assert.ok(wideParts.every((p) => p.length <= limit));
    assert.equal(ucs2(Buffer.concat(wideParts.sort((a, b) => a.number - b.number).map((p) => p.text))), `${wide}ж`);
    await peer.end();
  });

test('more than 255 parts come as messages of their own, each as long as its client takes', async () => {
  const peer = await peerOf('kannel');
  const text = 'x'.repeat(7000) + 'y'.repeat(33001); // 262 parts
  await incoming(numbers.kannel, text);
  const got = await whole(peer, text.length);
  assert.ok(got.every((p) => p.length <= 7424 && p.header === 0));
  assert.equal(Buffer.concat(got.map((p) => p.text)).toString(), text);
  await peer.end();
});

test('a bind of 3.3 has no message_payload: a long incoming message comes to it in parts, in their place in the line', async () => {
  const modern = await peerOf('tlvs');
  const texts = ['x'.repeat(254), 'long '.repeat(80), 'кириллица '.repeat(40), 'after'];
  await incoming(numbers.tlvs, texts[1]);
  assert.equal((await delivered(modern)).tlvs.get(0x0424).toString(), texts[1]);
  await modern.end();
  for (const text of texts) await incoming(numbers.tlvs, text);
  const old = await peerOf('tlvs', { version: 0x33 });
  const got = [];
  while (got.length < 1 + 3 + 6 + 1) got.push(await delivered(old));
  assert.ok(got.every((p) => p.tlvs.size === 0));
  const joined = (some, decode) => {
    some.forEach((p, i) => assert.deepEqual([p.esm_class, ...p.bytes.subarray(4, 6)], [0x40, some.length, i + 1]));
    return decode(Buffer.concat(some.map((p) => p.bytes.subarray(6))));
  };
  assert.equal(got[0].bytes.toString(), texts[0]);
  assert.equal(joined(got.slice(1, 4), String), texts[1]);
  assert.equal(joined(got.slice(4, 10), ucs2), texts[2]);
  assert.equal(got[10].bytes.toString(), texts[3]);
  await old.end();
});

test('a message stored whole comes in parts when the limit has become shorter meanwhile', async () => {
  const { writeFileSync } = await import('node:fs');
  const text = 'y'.repeat(2000);
  await incoming(numbers.tlvs, text);
  const changed = world.gateway.config(world.simulator.url);
  changed.esmes.find((e) => e.system_id === 'tlvs').deliver_max_pdu = '512B';
  writeFileSync(world.gateway.file, JSON.stringify(changed));
  const from = world.gateway.lines.length;
  world.gateway.child.kill('SIGHUP');
  await world.gateway.line(/configuration reloaded/, from);
  const peer = await peerOf('tlvs');
  const got = await whole(peer, text.length);
  assert.ok(got.every((p) => p.length <= 512 && p.header === 6));
  assert.equal(Buffer.concat(got.map((p) => p.text)).toString(), text);
  await peer.end();
  writeFileSync(world.gateway.file, JSON.stringify(world.gateway.config(world.simulator.url)));
});

test('a receipt stays within the limit: TLVs that have no room are left out', async () => {
  const peer = await peerOf('tight');
  for (const [length, stays] of [[200, true], [700, false]]) {
    await submit(peer, { registered: 1, dest: '79990300012', tlvs: [tlv(0x1400, Buffer.alloc(length, 'z'))] });
    const receipt = await delivered(peer);
    assert.ok(receipt.length <= 512);
    assert.equal(receipt.tlvs.has(0x1400), stays);
    assert.equal(receipt.tlvs.has(0x001e), true);
  }
  await peer.end();
});

for (const [name, library] of [['0.5.1', 'smpp'], ['0.6.0-rc.4', 'smpp-next']])
  test(`npm smpp ${name} reads the longest PDU it gets`, async () => {
    const esme = await world.esme('bind_transceiver', { system_id: 'node' }, require(library));
    const most = 16384 - fixed('node');
    await incoming(numbers.node, 'x'.repeat(most));
    const one = await esme.delivery((p) => p.message_payload !== undefined);
    assert.equal(one.command_length, 16384);
    await incoming(numbers.node, 'y'.repeat(most + 1));
    await until('all parts', () => esme.delivered.filter((p) => (p.esm_class & 0x40) !== 0).length === Math.ceil((most + 1) / 153));
    await incoming(numbers.node, 'still there');
    await esme.delivery((p) => textOf(p) === 'still there');
    const answer = await esme.submit({ destination_addr: '79990300013' });
    await esme.delivery((p) => receiptOf(p).id === answer.message_id);
    await esme.close();
  });
