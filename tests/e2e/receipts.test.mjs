// receipts.test.mjs - receipts and notifications on their way to ESMEs: which, in what, to whom, when again.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { freePort, receiptOf, smpp, startWorld, textOf, until } from './lib/world.mjs';

const account = (system_id, more = {}) => ({ system_id, password: 'demo', upstream: 'smsc', deliver_retry: '50ms', ...more });

let world;
const adminPort = await freePort();
let nextNumber = 2000000;
const phone = () => `7999${nextNumber++}`;
before(async () => {
  world = await startWorld({
    smpp: { response_timeout: '400ms' },
    esmes: [
      account('demo'),
      account('data', { receipt_pdu: 'data_sm' }),
      account('same', { receipt_bind: 'same' }),
      account('few', { receipt_max: 5 }),
      account('brief', { receipt_hold: '1s' }),
      account('paced', { deliver_rate: 20 }),
      account('restart'),
      account('dropped'),
    ],
    admin: { listen: [`127.0.0.1:${adminPort}`], token: 'token' },
  });
});
after(() => world?.end());

const bind = (system_id, command = 'bind_transceiver') => world.esme(command, { system_id });

/** An ESME whose answers to deliver_sm the test decides: `answer(pdu, n)` sends them. */
async function choosy(system_id, answer) {
  const esme = await bind(system_id);
  esme.session.removeAllListeners('deliver_sm');
  esme.seen = [];
  esme.session.on('deliver_sm', (pdu) => {
    esme.seen.push(pdu);
    answer(esme, pdu, esme.seen.filter((p) => receiptOf(p).id === receiptOf(pdu).id).length);
    esme.delivered.push(pdu);
    esme.wake();
  });
  return esme;
}

const submitOne = async (esme, fields = {}) => {
  const answer = await esme.submit({ destination_addr: phone(), ...fields });
  assert.equal(answer.command_status, 0);
  return answer.message_id;
};
const got = (esme, id, n = 1) => until(`${n} receipts of ${id}`, () => esme.delivered.filter((p) => receiptOf(p).id === id).length >= n);
test('a receipt never overtakes its submit_sm_resp, though the callback comes before send.php has answered', async () => {
  const esme = await bind('demo');
  const known = new Set();
  const early = [];
  const look = (pdu) => {
    const { id } = receiptOf(pdu);
    if (!known.has(id)) early.push(id);
  };
  esme.session.prependListener('deliver_sm', look);
  // the answer's own callback runs as it is read; a promise would run after the next PDU of the same packet
  const ids = await Promise.all(
    Array.from(
      { length: 12 },
      (_, i) =>
        new Promise((resolve) =>
          esme.session.submit_sm(
            { source_addr: 'ivan', destination_addr: '79000004004', short_message: `at once ${i}`, registered_delivery: 1 },
            (answer) => {
              known.add(answer.message_id);
              resolve(answer.message_id);
            },
          ),
        ),
    ),
  );
  for (const id of ids) await got(esme, id);
  assert.deepEqual(early, []);
  assert.equal(esme.delivered.length, 12);
  await esme.close();
});

test('registered_delivery 0 none, 1 always, 2 failures, 3 successes', async () => {
  const esme = await bind('demo');
  const wanted = [];
  for (const [registered_delivery, delivered, failed] of [
    [0, false, false],
    [1, true, true],
    [2, false, true],
    [3, true, false],
  ]) {
    const good = await submitOne(esme, { registered_delivery });
    const bad = await submitOne(esme, { registered_delivery, destination_addr: '79000001006', short_message: `failure ${registered_delivery}` });
    if (delivered) wanted.push(`${good} DELIVRD`);
    if (failed) wanted.push(`${bad} UNDELIV`);
  }
  await until('the receipts asked for', () => esme.delivered.length >= wanted.length);
  await got(esme, await submitOne(esme)); // nothing else is under way
  const seen = esme.delivered.slice(0, -1).map((p) => `${receiptOf(p).id} ${receiptOf(p).stat}`);
  assert.deepEqual(seen.sort(), wanted.sort());
  await esme.close();
});

test('bit 0x10 brings an intermediate notification before the receipt, and only then', async () => {
  await world.simulator.behave({ intermediate: 1 });
  const esme = await bind('demo');
  const plain = await submitOne(esme, { registered_delivery: 1 });
  const both = await submitOne(esme, { registered_delivery: 0x11 });
  const onlyNote = await submitOne(esme, { registered_delivery: 0x10 });
  await got(esme, plain);
  await got(esme, both, 2);
  await got(esme, onlyNote);
  await got(esme, await submitOne(esme));
  const kinds = (id) => esme.delivered.filter((p) => receiptOf(p).id === id).map((p) => [p.esm_class & 0x3c, receiptOf(p).stat, p.message_state]);
  assert.deepEqual(kinds(plain), [[0x04, 'DELIVRD', 2]]);
  assert.deepEqual(kinds(both), [
    [0x20, 'ENROUTE', 1],
    [0x04, 'DELIVRD', 2],
  ]);
  assert.deepEqual(kinds(onlyNote), [[0x20, 'ENROUTE', 1]]);
  await world.simulator.behave({ intermediate: 0 });
  await esme.close();
});

test('receipts by data_sm', async () => {
  const esme = await bind('data');
  const seen = [];
  esme.session.on('data_sm', (pdu) => {
    seen.push(pdu);
    esme.session.send(pdu.response());
    esme.wake();
  });
  const id = await submitOne(esme);
  await until('the data_sm', () => seen.length > 0);
  assert.equal(seen[0].esm_class & 0x3c, 0x04);
  assert.equal(seen[0].receipted_message_id, id);
  assert.match((seen[0].message_payload?.message ?? seen[0].message_payload).toString(), new RegExp(`^id:${id} `));
  await esme.close();
});

test('receipts are spread over the receivers of an account', async () => {
  const transmitter = await bind('demo', 'bind_transmitter');
  const receivers = await Promise.all([1, 2, 3].map(() => bind('demo', 'bind_receiver')));
  const ids = await Promise.all(Array.from({ length: 60 }, () => submitOne(transmitter)));
  await until('all receipts', () => receivers.reduce((n, r) => n + r.delivered.length, 0) >= 60);
  const counts = receivers.map((r) => r.delivered.length);
  assert.equal(counts.reduce((a, b) => a + b), 60);
  assert.ok(Math.min(...counts) >= 15, counts.join(' '));
  assert.deepEqual(receivers.flatMap((r) => r.delivered.map((p) => receiptOf(p).id)).sort(), ids.sort());
  for (const esme of [transmitter, ...receivers]) await esme.close();
});

test('or go to the bind that submitted', async () => {
  const binds = await Promise.all([1, 2, 3].map(() => bind('same')));
  const ids = await Promise.all(binds.map((esme) => Promise.all(Array.from({ length: 10 }, () => submitOne(esme)))));
  for (const [i, esme] of binds.entries()) {
    await until('its ten', () => esme.delivered.length >= 10);
    assert.deepEqual(esme.delivered.map((p) => receiptOf(p).id).sort(), ids[i].sort());
  }
  for (const esme of binds) await esme.close();
});

test('a receipt refused for now comes again until it is taken; one refused for good does not', async () => {
  const temporary = [0x58, 0x08, 0x14, 0x45, 0x64]; // RTHROTTLED RSYSERR RMSGQFUL RSUBMITFAIL RX_T_APPN
  const esme = await choosy('demo', (self, pdu, n) =>
    self.session.send(pdu.response({ command_status: n <= temporary.length ? temporary[n - 1] : 0 })),
  );
  const id = await submitOne(esme);
  await got(esme, id, temporary.length + 1);
  await esme.close();

  const strict = await choosy('demo', (self, pdu) => self.session.send(pdu.response({ command_status: 0x65 }))); // RX_P_APPN
  const refused = await submitOne(strict);
  await got(strict, refused);
  await strict.close();
  const last = await bind('demo');
  await got(last, await submitOne(last));
  assert.equal(last.delivered.length, 1);
  assert.equal(strict.seen.length, 1);
  await last.close();
});

test('each refusal of a deliver_sm is for now or for good by its status', async () => {
  const RTHROTTLED = 0x58, RSYSERR = 0x08, RMSGQFUL = 0x14, RSUBMITFAIL = 0x45, RQUERYFAIL = 0x67, RDELIVERYFAILURE = 0xfe, RUNKNOWNERR = 0xff, RX_T_APPN = 0x64;
  const forNow = [RTHROTTLED, RSYSERR, RMSGQFUL, RSUBMITFAIL, RQUERYFAIL, RDELIVERYFAILURE, RUNKNOWNERR, RX_T_APPN];
  const forGood = [0x65, 0x66, 0x01, 0x0a, 0x0b, 0x43, 0xc3, 0x402]; // RX_P_APPN, RX_R_APPN and what makes no sense here
  const statuses = [...forNow, ...forGood];
  const given = new Map(); // id -> the status it was refused with
  const esme = await choosy('demo', (self, pdu, n) => {
    const { id } = receiptOf(pdu);
    if (n === 1) given.set(id, statuses.shift());
    self.session.send(pdu.response({ command_status: n === 1 ? given.get(id) : 0 }));
  });
  const ids = [];
  for (let i = 0; i < forNow.length + forGood.length; i++) ids.push(await submitOne(esme));
  for (const id of ids) await got(esme, id);
  for (const [id, status] of given) if (forNow.includes(status)) await got(esme, id, 2);
  await esme.close();
  const last = await bind('demo');
  await got(last, await submitOne(last));
  assert.equal(last.delivered.length, 1, 'nothing is left');
  assert.equal(esme.seen.length, 2 * forNow.length + forGood.length);
  await last.close();
});

test('generic_nack: once more, then never', async () => {
  const esme = await choosy('demo', (self, pdu) =>
    self.session.send(new smpp.PDU('generic_nack', { sequence_number: pdu.sequence_number, command_status: 3 })),
  );
  const id = await submitOne(esme);
  await got(esme, id, 2);
  await esme.close();
  const last = await bind('demo');
  await got(last, await submitOne(last));
  assert.equal(last.delivered.length, 1);
  assert.equal(esme.seen.length, 2);
  await last.close();
});

test('no answer: another session gets the receipt; a session that never answers is closed', async () => {
  const silent = await choosy('demo', () => {});
  const first = await submitOne(silent);
  await got(silent, first);
  const other = await bind('demo');
  await got(other, first);
  const rest = await Promise.all(Array.from({ length: 12 }, () => submitOne(other)));
  for (const id of rest) await got(other, id);
  await silent.closed;
  await other.close();
});

test('receipts in flight when a session breaks come back for the next bind, in the order they had', async () => {
  const silent = await choosy('demo', () => {});
  const ids = await Promise.all(Array.from({ length: 5 }, () => submitOne(silent)));
  for (const id of ids) await got(silent, id);
  silent.session.socket.destroy();
  await silent.closed;
  const next = await bind('demo');
  for (const id of ids) await got(next, id);
  assert.deepEqual(next.delivered.map((pdu) => receiptOf(pdu).id), silent.seen.map((pdu) => receiptOf(pdu).id));
  await next.close();
});

test('and for another bind that is there, in the same order', async () => {
  const silent = await choosy('demo', () => {});
  const ids = await Promise.all(Array.from({ length: 5 }, () => submitOne(silent)));
  for (const id of ids) await got(silent, id);
  const other = await bind('demo', 'bind_receiver');
  silent.session.socket.destroy();
  for (const id of ids) await got(other, id);
  assert.deepEqual(other.delivered.map((pdu) => receiptOf(pdu).id), silent.seen.map((pdu) => receiptOf(pdu).id));
  await other.close();
});

test('held receipts: the newest receipt_max stay', async () => {
  const transmitter = await bind('few', 'bind_transmitter');
  const ids = [];
  for (let i = 0; i < 12; i++) {
    const from = world.gateway.lines.length;
    ids.push(await submitOne(transmitter, { destination_addr: '79000003000', short_message: `held ${i}` }));
    if (i >= 5) await world.gateway.line(/delivery dropped.*receipt_max/, from);
  }
  const receiver = await bind('few', 'bind_receiver');
  await until('five', () => receiver.delivered.length >= 5);
  assert.deepEqual(receiver.delivered.map((p) => receiptOf(p).id).sort(), ids.slice(-5).sort());
  for (const esme of [transmitter, receiver]) await esme.close();
});

test('held receipts: after receipt_hold they are gone', async () => {
  const transmitter = await bind('brief', 'bind_transmitter');
  const from = world.gateway.lines.length;
  const id = await submitOne(transmitter);
  assert.match(await world.gateway.line(/delivery dropped.*receipt_hold/, from), new RegExp(id));
  await transmitter.close();
});

test('what waited for a bind is delivered at deliver_rate', async () => {
  const transmitter = await bind('paced', 'bind_transmitter');
  const ids = await Promise.all(Array.from({ length: 40 }, () => submitOne(transmitter)));
  await until('all have a status', async () => {
    const metrics = await world.simulator.get('/lab/accepted');
    return metrics.waiting === 0;
  });
  const receiver = await bind('paced', 'bind_receiver');
  const times = [];
  receiver.session.prependListener('deliver_sm', () => times.push(Date.now()));
  for (const id of ids) await got(receiver, id);
  const took = times.at(-1) - times[0];
  assert.ok(took > 1200, `40 at 20/s took ${took} ms`);
  for (const esme of [transmitter, receiver]) await esme.close();
});

test('held receipts survive kill -9', async (t) => {
  await world.simulator.behave({ callback_repeat_s: 1 }); // a callback may be on its way at the kill: it comes again
  t.after(() => world.simulator.behave({ callback_repeat_s: 240 }));
  const transmitter = await bind('restart', 'bind_transmitter');
  const ids = await Promise.all(Array.from({ length: 30 }, () => submitOne(transmitter)));
  await until('all receipts are held', async () => (await backlog('restart')) === ids.length);
  await world.gateway.kill();
  await world.gateway.start();
  const receiver = await bind('restart', 'bind_receiver');
  for (const id of ids) await got(receiver, id);
  assert.equal(receiver.delivered.length, 30);
  assert.ok(receiver.delivered.every((p) => textOf(p).includes('stat:DELIVRD')));
  await receiver.close();
});

const administer = async (method, where) => {
  const reply = await fetch(`http://127.0.0.1:${adminPort}${where}`, { method, headers: { Authorization: 'Bearer token' } });
  return { status: reply.status, ...(await reply.json()) };
};
const backlog = async (system_id) => (await administer('GET', '/v1/deliveries')).items.find((i) => i.system_id === system_id)?.waiting ?? 0;

test('the backlog is seen, dropped on request, and a receipt is delivered once more on request', async () => {
  const transmitter = await bind('dropped', 'bind_transmitter');
  const ids = await Promise.all(Array.from({ length: 8 }, () => submitOne(transmitter)));
  await until('eight wait', async () => (await backlog('dropped')) === 8);
  assert.equal((await administer('DELETE', '/v1/deliveries/dropped')).dropped, 8);
  await until('none waits', async () => (await backlog('dropped')) === 0);
  const receiver = await bind('dropped', 'bind_receiver');
  assert.equal((await administer('POST', `/v1/messages/${ids[3]}/redeliver`)).status, 202);
  await got(receiver, ids[3]);
  assert.equal((await administer('POST', `/v1/messages/${ids[3]}/redeliver`)).status, 202);
  await got(receiver, ids[3], 2);
  const pdu = receiver.delivered[0];
  assert.deepEqual([pdu.esm_class & 0x3c, receiptOf(pdu).stat, pdu.receipted_message_id, pdu.message_state], [0x04, 'DELIVRD', ids[3], 2]);
  assert.equal(receiver.delivered.length, 2);
  assert.equal((await administer('POST', '/v1/messages/1795000000000000000/redeliver')).status, 404);
  assert.equal((await administer('DELETE', '/v1/deliveries/nobody')).status, 404);
  for (const esme of [transmitter, receiver]) await esme.close();
});
