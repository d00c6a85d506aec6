// order.test.mjs - no receipt and no notification stands on the wire before the answer to its submit_sm, whichever bind
// it goes to and however long that answer is held back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Peer, cmd, multiBody, pdu, response, smBody, sme } from './lib/raw.mjs';
import { freePort, startWorld, until } from './lib/world.mjs';

const idIn = (body) => body.toString('latin1', 0, body.indexOf(0));
const receiptIn = (body) => {
  const [, id, stat] = /id:(\w+) sub:.* stat:(\w+)/.exec(body.toString('latin1'));
  return { id, stat };
};

/** Binds as transceiver, or as a transmitter and a receiver, and keeps what arrives in order: "answer ID", "STAT ID". */
class Observer {
  constructor(port) {
    this.port = port;
    this.events = [];
    this.early = [];
  }

  async bind(pair) {
    this.tx = await this.#open(pair ? cmd.bind_transmitter : cmd.bind_transceiver);
    this.rx = pair ? await this.#open(cmd.bind_receiver) : this.tx;
    return this;
  }

  async #open(command) {
    const peer = new Peer(this.port);
    const bound = await peer.bind({ command });
    assert.equal(bound.status, 0);
    peer.socket.on('data', () => {
      for (const p of peer.inbox.splice(0)) this.#saw(peer, p);
    });
    return peer;
  }

  #saw(peer, p) {
    if (p.id === cmd.enquire_link) peer.write(pdu(response(cmd.enquire_link), { seq: p.seq }));
    if ([cmd.submit_sm, cmd.submit_multi, cmd.data_sm].some((id) => p.id === response(id))) {
      assert.equal(p.status, 0);
      this.events.push(`answer ${idIn(p.body)}`);
    }
    if (p.id !== cmd.deliver_sm) return;
    peer.write(pdu(response(cmd.deliver_sm), { seq: p.seq, body: Buffer.from([0]) }));
    const { id, stat } = receiptIn(p.body);
    this.events.push(`${stat} ${id}`);
    // Two sockets that became readable together are read in any order. And the kernel looks at them one after the other: an
    // answer that came when it had passed its socket, and before it came to the receipt's, is told by the next look only.
    setImmediate(() =>
      setImmediate(() => {
        if (!this.events.includes(`answer ${id}`)) this.early.push(`${stat} ${id}`);
      }),
    );
  }

  submit(seq, fields = {}) {
    this.tx.write(pdu(cmd.submit_sm, { seq, body: smBody({ registered: 1, dest: `7999${String(seq).padStart(7, '0')}`, ...fields }) }));
  }

  seen(word) {
    return this.events.filter((event) => event.startsWith(`${word} `)).length;
  }

  /** All receipts are there and nothing came early. Of the notifications some may be missing: when the callback of the
   * final status passes that of the passing one on the way to the gateway, there is nothing more to notify. */
  async all(count) {
    await until('all receipts', () => this.seen('DELIVRD') === count, 60000).catch((error) => {
      error.message += `; seen: ${this.events.join(', ')}`;
      throw error;
    });
    assert.deepEqual(this.early, [], `seen: ${this.events.join(', ')}`);
    const notified = this.events.filter((e) => e.startsWith('ENROUTE ')).map((e) => e.slice('ENROUTE '.length));
    assert.ok(notified.length > 0, `no notification came; seen: ${this.events.join(', ')}`);
    for (const id of notified) assert.ok(this.events.indexOf(`ENROUTE ${id}`) < this.events.indexOf(`DELIVRD ${id}`), id);
  }

  async end() {
    await this.tx.end();
    await this.rx.end();
  }
}

async function world(t, overrides, behaviour) {
  const w = await startWorld(overrides);
  t.after(() => w.end());
  await w.simulator.behave(behaviour);
  return w;
}

for (const pair of [false, true]) {
  const binds = pair ? 'a transmitter and a receiver' : 'one transceiver';

  test(`${binds}: the callbacks come before send.php has answered`, async (t) => {
    const w = await world(t, {}, { intermediate: 1, latency_min_ms: 600, latency_max_ms: 600, delay_min_ms: 100, delay_max_ms: 300 });
    const esme = await new Observer(w.gateway.port).bind(pair);
    for (let i = 0; i < 100; i++) esme.submit(i, { registered: 0x11 });
    await esme.all(100);
    await esme.end();
  });

  test(`${binds}: acknowledge "sent", the callbacks come before send.php has answered`, async (t) => {
    const w = await world(
      t,
      { esme: { acknowledge: 'sent' } },
      { intermediate: 1, latency_min_ms: 1500, latency_max_ms: 1500, delay_min_ms: 200, delay_max_ms: 400 },
    );
    const esme = await new Observer(w.gateway.port).bind(pair);
    for (let i = 0; i < 20; i++) esme.submit(i, { registered: 0x11 });
    await esme.all(20);
    await esme.end();
  });

  test(`${binds}: the answer waits for the account's rate`, async (t) => {
    const w = await world(t, { esme: { rate: 5, burst: 1, delay_budget: '5s' } }, { intermediate: 1, delay_min_ms: 200, delay_max_ms: 400 });
    const esme = await new Observer(w.gateway.port).bind(pair);
    for (let i = 0; i < 10; i++) esme.submit(i, { registered: 0x11 });
    await esme.all(10);
    await esme.end();
  });

  test(`${binds}: submit_multi`, async (t) => {
    const w = await world(t, {}, { latency_min_ms: 200, latency_max_ms: 200, delay_min_ms: 0, delay_max_ms: 10 });
    const esme = await new Observer(w.gateway.port).bind(pair);
    const body = multiBody({ dests: Array.from({ length: 30 }, (_, i) => sme(`7999${3000000 + i}`)) });
    const text = body.lastIndexOf('hello'); // registered_delivery is the fourth octet before the text and its length
    body[text - 5] = 1;
    esme.tx.write(pdu(cmd.submit_multi, { seq: 7, body }));
    await until('thirty receipts', () => esme.seen('DELIVRD') === 30);
    assert.deepEqual(esme.early, []);
    await esme.end();
  });
}

test('an answer stuck on a transmitter that does not read holds back its receipt, and no other', async (t) => {
  const admin = { admin: { listen: [`127.0.0.1:${await freePort()}`], token: 'token' } };
  const w = await world(
    t,
    {
      smpp: { response_timeout: '10m', enquire_link_interval: '10m', inactivity_timeout: '20m' },
      store: { url: 'memory:', messages_in_memory: 10 }, // what is read back from the store has no answer to wait for
      ...admin,
    },
    { delay_min_ms: 0, delay_max_ms: 10 },
  );
  const esme = await new Observer(w.gateway.port).bind(true);
  esme.tx.socket.pause();

  // Each round more answers than the last: first the kernel takes them, then the gateway keeps them, then it stops reading.
  const ballast = Buffer.concat(Array.from({ length: 4000 }, (_, i) => pdu(cmd.enquire_link, { seq: 1000 + i })));
  const state = async () => {
    const reply = await fetch(`http://${admin.admin.listen[0]}/v1/deliveries`, { headers: { Authorization: 'Bearer token' } });
    const { waiting, postponed } = (await reply.json()).items.find((i) => i.system_id === 'demo') ?? { waiting: 0, postponed: 0 };
    const simulator = await w.simulator.accepted();
    return { waiting: waiting + postponed, here: esme.seen('DELIVRD'), accepted: simulator.accepted, calling: simulator.waiting };
  };
  let seq = 0;
  let before = '';
  const stuck = await until(
    'receipts wait for answers that do not leave',
    async () => {
      if (!esme.tx.socket.writableNeedDrain) {
        esme.tx.write(ballast);
        esme.submit(seq++);
      }
      const now = await state();
      const same = JSON.stringify(now) === before;
      before = JSON.stringify(now);
      return same && esme.tx.socket.writableNeedDrain && now.waiting > 12 && now.calling === 0 && now.here + now.waiting === now.accepted && now;
    },
    120000,
  );
  const left = new Set(esme.events);

  const other = await new Observer(w.gateway.port).bind(false);
  other.submit(1, { dest: '79980000001' });
  await until('the receipt of another bind', () => esme.seen('DELIVRD') + other.seen('DELIVRD') > stuck.here);
  await other.end();

  esme.tx.socket.resume();
  await until('the rest', () => esme.seen('answer') === seq && esme.seen('DELIVRD') >= seq, 60000);
  const answers = esme.events.filter((e) => e.startsWith('answer ')).map((e) => e.slice('answer '.length));
  assert.deepEqual(
    answers.slice(0, stuck.here).sort(),
    [...left].map((e) => e.slice('DELIVRD '.length)).sort(),
    'only receipts whose answers had left',
  );
  await esme.end();
});
