// promise.test.mjs - submit_sm_resp with status 0 never overtakes the commit it promises [interface.md 3.1]. Another
// program holds the store's write lock, so that no commit can succeed, and a kill -9 in that state loses nothing promised.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { has } from './lib/daemon.mjs';
import { cmd, Peer, pdu, response, smBody } from './lib/raw.mjs';
import { startWorld, until } from './lib/world.mjs';

const skip = has('sqlite3') ? false : 'sqlite3 is not installed';

/** Holds the write lock of the store until `release`. */
async function lock(t, file) {
  const child = spawn('sqlite3', ['-bail', file], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.write('.timeout 10000\nBEGIN IMMEDIATE;\nSELECT "held";\n');
  await new Promise((resolve) => child.stdout.once('data', resolve));
  const gone = new Promise((resolve) => child.once('exit', resolve));
  t.after(() => child.kill('SIGKILL'));
  return {
    release: () => {
      child.stdin.end('ROLLBACK;\n');
      return gone;
    },
  };
}

test('no message is acknowledged while nothing can be committed', { skip }, async (t) => {
  const world = await startWorld();
  t.after(() => world.end());
  const peer = new Peer(world.gateway.port);
  t.after(() => peer.end());
  await peer.bind();
  const held = await lock(t, `${world.gateway.directory}/gateway.db`);
  const seqs = Array.from({ length: 20 }, (_, i) => 100 + i);
  peer.write(...seqs.map((seq) => pdu(cmd.submit_sm, { seq, body: smBody({ dest: `7999000${1000 + seq}`, registered: 1 }) })));
  for (let i = 0; i < 5; i++) await peer.fence(); // the loop is alive and has seen them
  const early = peer.inbox.filter((p) => p.id === response(cmd.submit_sm) && p.status === 0);
  assert.deepEqual(early, [], 'acknowledged before the commit');
  assert.equal((await world.simulator.accepted()).accepted, 0, 'nothing is sent that is not stored');

  await held.release();
  for (const seq of seqs) assert.equal((await peer.take((p) => p.seq === seq)).status, 0);
  await until('all are upstream', async () => (await world.simulator.accepted()).accepted === seqs.length);
});

test('killed while nothing could be committed: what was not acknowledged may be gone, nothing else', { skip }, async (t) => {
  const world = await startWorld();
  t.after(() => world.end());
  const peer = new Peer(world.gateway.port);
  t.after(() => peer.end());
  await peer.bind();
  const acknowledged = new Set();
  const submit = (from, count) => {
    for (let i = from; i < from + count; i++) peer.write(pdu(cmd.submit_sm, { seq: i, body: smBody({ dest: `7999100${1000 + i}` }) }));
  };
  submit(1, 50);
  for (let i = 1; i <= 50; i++) {
    assert.equal((await peer.take((p) => p.seq === i)).status, 0);
    acknowledged.add(`7999100${1000 + i}`);
  }
  const held = await lock(t, `${world.gateway.directory}/gateway.db`);
  submit(51, 50);
  for (let i = 0; i < 5; i++) await peer.fence();
  for (const p of peer.inbox) if (p.id === response(cmd.submit_sm) && p.status === 0) acknowledged.add(`7999100${1000 + p.seq}`);
  await world.gateway.kill('SIGKILL');
  await held.release();
  await peer.end();
  await world.gateway.start();
  const phones = async () => (await world.simulator.get('/lab/messages?limit=1000')).items.map((m) => m.phone);
  await until('every acknowledged message is upstream', async () => {
    const all = new Set(await phones());
    return [...acknowledged].every((phone) => all.has(phone));
  });
  const all = await phones();
  assert.equal(new Set(all).size, all.length, 'none twice');
});
