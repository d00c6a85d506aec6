// hostile.test.mjs - any bytes at any time: every other session is served, memory stays bounded, a counter says what happened.
// A bystander submits and gets its receipts during each attack; its latencies are printed and bounded.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { bindBody, cmd, Peer, pdu, response, smBody, tlv } from './lib/raw.mjs';
import { freePort, receiptOf, startWorld, until } from './lib/world.mjs';

const BIND_TIMEOUT = 2000;
let world, bystander, adminPort, served = 0;

before(async () => {
  adminPort = await freePort();
  world = await startWorld({
    smpp: { bind_timeout: `${BIND_TIMEOUT}ms`, response_timeout: '2s', login_failures: 0, max_sessions_per_address: 8000 },
    admin: { listen: [`127.0.0.1:${adminPort}`], token: 'token' },
    esmes: [
      { system_id: 'demo', password: 'demo', upstream: 'smsc', rate: 0 },
      { system_id: 'deaf', password: 'deaf', upstream: 'smsc', rate: 0, deliver_window: 5000 },
      { system_id: 'wild', password: 'wild', upstream: 'smsc', rate: 0, max_binds: 500 },
    ],
  });
  bystander = await world.esme();
});
after(async () => {
  await bystander?.close();
  await world?.end();
});

const memory = (what) => Number(readFileSync(`/proc/${world.gateway.child.pid}/status`, 'utf8').match(new RegExp(`${what}:\\s+(\\d+)`))[1]) * 1024;

async function metric(name, ...labels) {
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  return text.split('\n').filter((l) => l.startsWith(name) && labels.every((label) => l.includes(label)))
    .reduce((sum, l) => sum + Number(l.split(' ').pop()), 0);
}
const trouble = (what) => metric('smppbridge_smpp_trouble_total', `"${what}"`);

/** The bystander's messages one after the other until `attack` has ended, three at least. */
async function whileServed(name, attack, { answer = 1000, receipt = 4000 } = {}) {
  let running = true;
  let slowestAnswer = 0;
  let slowestReceipt = 0;
  const before = memory('VmRSS');
  const ended = Promise.resolve().then(attack).finally(() => (running = false));
  for (let i = 0; running || i < 3; i++) {
    const start = performance.now();
    const answered = await bystander.submit({ destination_addr: `7997${String(served++).padStart(7, '0')}` });
    assert.equal(answered.command_status, 0);
    slowestAnswer = Math.max(slowestAnswer, performance.now() - start);
    await bystander.delivery((d) => receiptOf(d).id === answered.message_id);
    slowestReceipt = Math.max(slowestReceipt, performance.now() - start);
    bystander.delivered.length = 0;
  }
  const result = await ended;
  const grown = memory('VmRSS') - before;
  console.log(`${name}: answer ${slowestAnswer.toFixed(0)} ms, receipt ${slowestReceipt.toFixed(0)} ms at most; ` +
    `memory ${(grown / 2 ** 20).toFixed(1)} MiB more, ${(memory('VmRSS') / 2 ** 20).toFixed(0)} MiB in all`);
  assert.ok(slowestAnswer < answer, `submit_sm answered within ${slowestAnswer.toFixed(0)} ms`);
  assert.ok(slowestReceipt < receipt, `receipt within ${slowestReceipt.toFixed(0)} ms`);
  assert.ok(memory('VmHWM') < 400 * 2 ** 20, `memory reached ${memory('VmHWM') / 2 ** 20} MiB`);
  return { grown, result };
}

/** Seeded, so that a failure repeats. */
function random(seed) {
  return () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
}
const connectAll = async (count) => {
  const peers = Array.from({ length: count }, () => new Peer(world.gateway.port));
  await Promise.all(peers.map((p) => p.connected));
  return peers;
};
const boundPeer = async (name = 'wild') => {
  const peer = new Peer(world.gateway.port);
  assert.equal((await peer.bind({ system_id: name, password: name })).status, 0);
  return peer;
};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms)); // the attackers' own pace, nobody waits for it

test('absurd lengths, before and after a bind', async () => {
  const lengths = [0, 1, 15, 513, 0x20001, 0x7fffffff, 0x80000000, 0xffffffff];
  await whileServed('absurd lengths', async () => {
    for (const length of lengths) {
      const open = new Peer(world.gateway.port);
      await open.connected;
      open.write(pdu(cmd.bind_transceiver, { length }), Buffer.alloc(300));
      await open.closed;
      if (length === 513) continue; // a length a bound session may use
      const bound = await boundPeer();
      bound.write(pdu(cmd.submit_sm, { length, seq: 77 }));
      const nack = await bound.take((p) => p.id === cmd.generic_nack);
      assert.deepEqual([nack.status, nack.seq], [2, 77]);
      await bound.closed;
    }
  });
  assert.ok((await trouble('framing lost')) >= lengths.length);
});

test('other protocols on the plain port', async () => {
  const hello = () => new Promise((resolve) => tls.connect({ host: '127.0.0.1', port: world.gateway.port }).on('error', () => {}).on('close', resolve));
  const texts = ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'POST /smpp HTTP/1.0\r\n\r\n', 'SSH-2.0-OpenSSH_9.2\r\n', 'EHLO example.org\r\n', 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n'];
  const before = await trouble('not SMPP');
  await whileServed('other protocols', async () => {
    for (let round = 0; round < 20; round++) {
      for (const text of texts) {
        const peer = new Peer(world.gateway.port);
        await peer.connected;
        peer.write(Buffer.from(text));
        await peer.closed;
        assert.equal(peer.received, 0, 'closed quietly');
      }
      await hello();
    }
  });
  assert.equal((await trouble('not SMPP')) - before, 20 * (texts.length + 1));
});

test('one byte at a time, slowly', async () => {
  const bind = pdu(cmd.bind_transceiver, { body: bindBody({ system_id: 'wild', password: 'wild' }) });
  const submit = pdu(cmd.submit_sm, { seq: 5, body: smBody({ dest: '79990000301' }) });
  const before = await trouble('bind timeout');
  await whileServed('one byte a second', async () => {
    const strangers = await connectAll(50);
    const bound = await Promise.all(Array.from({ length: 10 }, () => boundPeer()));
    for (let i = 0; i < 4; i++) {
      for (const peer of strangers) if (!peer.ended) peer.write(bind.subarray(i, i + 1));
      for (const peer of bound) peer.write(submit.subarray(i, i + 1));
      await pause(1000);
    }
    await Promise.all(strangers.map((p) => p.closed)); // a trickle does not put the bind's time off
    for (const peer of bound) {
      peer.write(submit.subarray(4));
      assert.equal((await peer.take((p) => p.id === response(cmd.submit_sm))).status, 0, 'slow is no crime');
      await peer.end();
    }
  });
  assert.ok((await trouble('bind timeout')) - before >= 50);
});

test('three thousand idle connections', async () => {
  let peers;
  const { grown } = await whileServed('3,000 idle connections', async () => {
    peers = [];
    for (let i = 0; i < 30; i++) peers.push(...(await connectAll(100)));
    peers[0].write(pdu(cmd.enquire_link, { seq: 3 }));
    assert.equal((await peers[0].take()).seq, 3);
  });
  assert.ok(grown / 3000 < 8192, `${(grown / 3000).toFixed(0)} octets for each`);
  await Promise.all(peers.map((p) => p.closed)); // bind_timeout
  await until('a new one is let in', async () => {
    const peer = await boundPeer();
    return peer.end();
  });
});

test('a peer that never reads while receipts flow to it', async () => {
  const peer = await boundPeer('deaf');
  const body = (i) => smBody({ registered: 1, dest: `7996${String(i).padStart(7, '0')}` });
  const before = await trouble('peer does not read');
  const total = 200;
  await whileServed('a peer that never reads', async () => {
    for (let i = 0; i < total; i++) peer.write(pdu(cmd.submit_sm, { seq: 1000 + i, body: body(i) }));
    for (let i = 0; i < total; i++) await peer.take((p) => p.id === response(cmd.submit_sm));
    peer.socket.pause();
    const flood = Buffer.concat(Array.from({ length: 4096 }, (_, i) => pdu(cmd.enquire_link, { seq: i + 1 })));
    peer.socket.on('error', () => {});
    // until it is paused it takes our bytes; then they stay with us
    for (let i = 0; i < 400 && !peer.ended && peer.socket.writableLength < 1 << 20; i++) {
      peer.socket.write(flood);
      await pause(5);
    }
    await world.gateway.line(/unbound.*sys=deaf.*peer does not read|unbound.*sys=deaf.*reason="?(connection lost|write failed|deliveries not answered)/);
  });
  assert.ok((await trouble('peer does not read')) > before);
  await peer.end();

  const heir = await boundPeer('deaf'); // what was not answered comes again
  const ids = new Set();
  while (ids.size < total) {
    const deliver = await heir.take((p) => p.id === cmd.deliver_sm, 30000, `receipt (${ids.size} so far)`);
    ids.add(deliver.body.toString('latin1').match(/id:(\d+)/)[1]);
    heir.write(pdu(response(cmd.deliver_sm), { seq: deliver.seq, body: Buffer.of(0) }));
  }
  await heir.end();
});

test('floods of enquire_link, bound and not', async () => {
  const flood = Buffer.concat(Array.from({ length: 4096 }, (_, i) => pdu(cmd.enquire_link, { seq: i + 1 })));
  const until_ = Date.now() + 3000;
  let answered = 0;
  await whileServed('floods of enquire_link', async () => {
    const peers = [await boundPeer(), await boundPeer(), ...(await connectAll(1))];
    await Promise.all(peers.map((peer) => new Promise((resolve) => {
      // read as bytes: this process has to keep up with the flood
      peer.socket.removeAllListeners('data');
      let owed = 0;
      const more = () => {
        if (Date.now() > until_ || peer.ended) return resolve();
        owed += flood.length;
        peer.socket.write(flood);
      };
      peer.socket.on('data', (data) => {
        answered += data.length / 16;
        owed -= data.length;
        if (owed <= 0) more();
      });
      peer.closed.then(resolve);
      more();
    })));
    for (const peer of peers) await peer.end();
  });
  console.log(`${Math.round(answered)} enquire_link answered`);
  assert.ok(answered > 10000);
});

test('random bytes, and PDUs with random bodies', async () => {
  const next = random(20250322);
  const noise = (length) => Buffer.from(Array.from({ length }, () => Math.floor(next() * 256)));
  const commands = Object.values(cmd);
  await whileServed('random bytes', async () => {
    for (let round = 0; round < 6; round++) {
      const peers = await connectAll(50);
      for (const [i, peer] of peers.entries()) {
        if (i % 2 === 0) peer.write(noise(Math.floor(next() * 2000)));
        else {
          peer.write(pdu(cmd.bind_transceiver, { body: bindBody({ system_id: 'wild', password: 'wild' }) }));
          for (let k = 0; k < 20; k++) {
            const body = next() < 0.5 ? noise(Math.floor(next() * 200))
              : smBody({ dest: '79990000303', text: noise(Math.floor(next() * 160)), esm_class: Math.floor(next() * 256),
                data_coding: Math.floor(next() * 256), tlvs: [tlv(Math.floor(next() * 65536), noise(Math.floor(next() * 40)))] });
            peer.write(pdu(commands[Math.floor(next() * commands.length)], { seq: k, body, status: Math.floor(next() * 3) }));
          }
        }
      }
      await Promise.all(peers.map(async (peer, i) => {
        if (i % 2) await peer.fence().catch(() => {}); // unbound by chance
        await peer.end();
      }));
    }
  });
  assert.ok((await trouble('malformed PDU')) > 100);
});

test('nothing is left behind: sessions, memory, the log', async () => {
  await until('only the bystander is bound', async () => (await metric('smppbridge_sessions{')) === 1);
  console.log(`memory at most ${(memory('VmHWM') / 2 ** 20).toFixed(0)} MiB`);
  const answer = await bystander.submit({ destination_addr: '79970009999', registered_delivery: 0 });
  assert.equal(answer.command_status, 0);
  assert.ok(world.gateway.lines.length < 20000, `${world.gateway.lines.length} lines in the log`);
  assert.ok(!world.gateway.lines.some((line) => /wild.*[\x00-\x08\x0e-\x1f]/.test(line)), 'no raw bytes in the log');
});
