// crash.test.mjs - kill -9 under load, then a restart: every acknowledged message reaches the upstream, none twice, and each
// has one receipt; it may come twice only when its answer may not have been durable at a kill (lib/ledger.mjs).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ledger } from './lib/ledger.mjs';
import { Esme, receiptOf, startWorld, until } from './lib/world.mjs';

const ROUNDS = 3;
const UNDER_WAY = 150; // submits without an answer at a time

async function acceptedPhones(simulator) {
  const phones = new Map();
  let after = '';
  for (;;) {
    const { items, next } = await simulator.get(`/lab/messages?limit=1000${after ? `&after=${after}` : ''}`);
    for (const { phone } of items) phones.set(phone, (phones.get(phone) ?? 0) + 1);
    if (!next) return phones;
    after = next;
  }
}

test(`${ROUNDS} kills under load: acknowledged = accepted upstream, each exactly once, each with one receipt`, async (t) => {
  const world = await startWorld();
  t.after(() => world.end());
  await world.simulator.behave({ latency_min_ms: 20, latency_max_ms: 20, callback_repeat_s: 1 });
  const acknowledged = new Map(); // phone -> message_id
  const sent = new Set();
  const ledger = new Ledger();

  const bind = async () => {
    const esme = new Esme().connect(world.gateway.port);
    esme.session.removeAllListeners('deliver_sm'); // before the bind: deliveries may stand in the same packet as its answer
    const session = ledger.session(esme.closed);
    esme.session.on('deliver_sm', (pdu) => {
      esme.session.send(pdu.response());
      ledger.arrived(`receipt ${receiptOf(pdu).id}`, session);
    });
    await esme.bind();
    return { esme, session };
  };

  for (let round = 0; round < ROUNDS; round++) {
    const { esme, session } = await bind();
    const enough = 600 + 300 * round;
    let answers = 0;
    let number = 0;
    await new Promise((resolve) => {
      const next = () => {
        const phone = `7999${round}${String(number).padStart(6, '0')}`;
        const tick = ledger.submitting(session);
        sent.add(phone);
        esme.submit({ destination_addr: phone, short_message: `message ${round}/${number++}` }).then((answer) => {
          if (answer.command_status !== 0) return;
          acknowledged.set(phone, answer.message_id);
          ledger.submitted(session, tick);
          if (++answers === enough) ledger.kill(world.gateway).then(resolve);
          else if (answers < enough) next(); // what is answered after the kill was answered before it
        });
      };
      for (let i = 0; i < UNDER_WAY; i++) next();
    });
    await esme.closed;
    await world.gateway.start();
  }
  assert.ok(acknowledged.size >= 600 + 900 + 1200);

  await bind();
  await until(
    'every acknowledged message is accepted upstream',
    async () => {
      const phones = await acceptedPhones(world.simulator);
      return [...acknowledged.keys()].every((phone) => phones.has(phone));
    },
    90000,
  );
  const missing = () => [...acknowledged].filter(([, id]) => !ledger.arrivals.has(`receipt ${id}`));
  await until('every acknowledged message has its receipt', () => missing().length === 0, 60000).catch((error) => {
    error.message += `; without: ${missing().slice(0, 5).join(' ')} and ${missing().length} in all`;
    throw error;
  });

  const phones = await acceptedPhones(world.simulator);
  const twice = [...phones].filter(([, times]) => times > 1);
  assert.deepEqual(twice, [], 'sent twice');
  for (const phone of phones.keys()) assert.ok(sent.has(phone));
  assert.equal((await world.simulator.accepted()).duplicates, 0);
  const { excused, wrong } = ledger.repeats();
  for (const line of excused) t.diagnostic(`twice, as it may: ${line}`);
  t.diagnostic(`${acknowledged.size} acknowledged, ${excused.length} receipts repeated after ${ROUNDS} kills`);
  assert.deepEqual(wrong, [], 'receipts repeated though their answers were durable');
});
