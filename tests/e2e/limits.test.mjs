// limits.test.mjs - timers and limits of the SMPP side with short values: what a peer sees when it is late, silent or too many.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { bindBody, cmd, Peer, pdu, response, smBody } from './lib/raw.mjs';
import { freePort, receiptOf, startWorld, until } from './lib/world.mjs';

const OK = 0, BINDFAIL = 0x0d, INVPASWD = 0x0e, INVSYSID = 0x0f, MSGQFUL = 0x14;

async function worldOf(overrides) {
  const adminPort = await freePort();
  const world = await startWorld({ admin: { listen: [`127.0.0.1:${adminPort}`], token: 'token' }, ...overrides });
  /** Value of smppbridge_smpp_trouble_total for one phrase. */
  world.trouble = async (what) => {
    const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
    const line = text.split('\n').find((l) => l.startsWith('smppbridge_smpp_trouble_total') && l.includes(`"${what}"`));
    return line ? Number(line.split(' ').pop()) : 0;
  };
  world.peer = async (options) => {
    const peer = new Peer(world.gateway.port);
    peer.bound = await peer.bind(options);
    return peer;
  };
  return world;
}

const elapsed = async (promise) => {
  const start = performance.now();
  await promise;
  return performance.now() - start;
};
const between = (value, low, high, what) => assert.ok(value >= low && value <= high, `${what}: ${value.toFixed(0)} ms`);

describe('timers', () => {
  test('bind_timeout: a connection that does not bind is closed, one that has bound is not', async () => {
    const world = await worldOf({ smpp: { bind_timeout: '300ms' } });
    try {
      const bound = await world.peer();
      const silent = new Peer(world.gateway.port);
      const asking = new Peer(world.gateway.port); // enquire_link is answered but is no bind
      await Promise.all([silent.connected, asking.connected]);
      await asking.fence();
      between(await elapsed(Promise.all([silent.closed, asking.closed])), 200, 3000, 'closed after');
      assert.equal(silent.received, 0);
      assert.equal(await world.trouble('bind timeout'), 4, 'twice each: the time-out, and the end without a bind');
      await bound.fence();
      await bound.end();
    } finally {
      await world.end();
    }
  });

  test('enquire_link: asked when silent, closed after two unanswered; any traffic is life', async () => {
    const world = await worldOf({ smpp: { enquire_link_interval: '150ms', response_timeout: '200ms' } });
    try {
      const dead = await world.peer();
      const alive = await world.peer();
      const chatty = await world.peer();
      alive.socket.on('data', () => {
        for (const p of alive.inbox.splice(0)) if (p.id === cmd.enquire_link) alive.write(pdu(response(cmd.enquire_link), { seq: p.seq }));
      });
      const chatting = setInterval(() => chatty.write(pdu(cmd.enquire_link, { seq: 9 })), 50);
      const took = await elapsed(dead.closed);
      clearInterval(chatting);
      between(took, 450, 3000, 'closed after'); // 150 + 200 + 200
      const asked = dead.inbox.filter((p) => p.id === cmd.enquire_link);
      assert.equal(asked.length, 2);
      assert.notEqual(asked[0].seq, asked[1].seq);
      assert.ok(!alive.ended && !chatty.ended);
      assert.equal(chatty.inbox.filter((p) => p.id === cmd.enquire_link).length, 0, 'who talks is not asked');
      assert.equal(await world.trouble('enquire_link unanswered'), 1);
      await alive.end();
      await chatty.end();
    } finally {
      await world.end();
    }
  });

  test('inactivity_timeout: unbind, then closed', async () => {
    const world = await worldOf({ smpp: { inactivity_timeout: '300ms', enquire_link_interval: 'off', response_timeout: '300ms' } });
    try {
      const polite = await world.peer();
      const rude = await world.peer();
      const unbind = await polite.take((p) => p.id === cmd.unbind, 3000, 'unbind');
      polite.write(pdu(response(cmd.unbind), { seq: unbind.seq }));
      await polite.closed;
      await rude.take((p) => p.id === cmd.unbind, 3000, 'unbind');
      await rude.closed; // without its answer
      assert.equal(await world.trouble('inactive'), 2);
      await world.gateway.line(/unbound.*reason=inactive/);
    } finally {
      await world.end();
    }
  });

  test('response_timeout: an unanswered deliver_sm keeps the session and comes again', async () => {
    const world = await worldOf({ smpp: { response_timeout: '300ms', enquire_link_interval: 'off' } });
    try {
      const peer = await world.peer();
      peer.write(pdu(cmd.submit_sm, { seq: 2, body: smBody({ registered: 1, dest: '79990000201' }) }));
      const answer = await peer.take((p) => p.id === response(cmd.submit_sm));
      assert.equal(answer.status, OK);
      const first = await peer.take((p) => p.id === cmd.deliver_sm);
      await until('the time-out is counted', () => world.trouble('deliver unanswered'));
      await peer.fence();
      const again = await peer.take((p) => p.id === cmd.deliver_sm, 20000, 'second deliver_sm');
      assert.equal(again.body.toString('latin1'), first.body.toString('latin1'));
      peer.write(pdu(response(cmd.deliver_sm), { seq: again.seq, body: Buffer.of(0) }));
      await peer.end();
    } finally {
      await world.end();
    }
  });
});

describe('limits', () => {
  test('window: above it RMSGQFUL at once, each request still answered once', async () => {
    const world = await worldOf({ esme: { window: 3 } });
    try {
      const peer = await world.peer();
      const body = smBody({ dest: '79990000202' });
      peer.write(...Array.from({ length: 20 }, (_, i) => pdu(cmd.submit_sm, { seq: 100 + i, body })));
      const answers = [];
      while (answers.length < 20) answers.push(await peer.take((p) => p.id === response(cmd.submit_sm)));
      await peer.fence();
      assert.equal(peer.inbox.length, 0);
      assert.equal(new Set(answers.map((p) => p.seq)).size, 20);
      const count = (status) => answers.filter((p) => p.status === status).length;
      assert.equal(count(OK) + count(MSGQFUL), 20);
      assert.ok(count(OK) >= 3 && count(MSGQFUL) >= 1, `taken ${count(OK)}`);
      peer.write(pdu(cmd.submit_sm, { seq: 300, body }));
      assert.equal((await peer.take((p) => p.seq === 300)).status, OK, 'room again');
      await peer.end();
    } finally {
      await world.end();
    }
  });

  test('max_pdu is the limit in force', async () => {
    const world = await worldOf({ smpp: { max_pdu: '256KiB' } });
    try {
      const peer = await world.peer();
      // a whole PDU of 200 KiB, more than the default: kept, though no field of submit_sm needs so much
      peer.write(pdu(cmd.submit_sm, { seq: 2, body: Buffer.concat([smBody(), Buffer.alloc(200 * 1024)]) }));
      assert.equal((await peer.take((p) => p.id === response(cmd.submit_sm))).seq, 2);
      await peer.fence();
      peer.write(pdu(cmd.submit_sm, { seq: 3, length: 256 * 1024 + 1 }));
      const nack = await peer.take((p) => p.id === cmd.generic_nack);
      assert.equal(nack.status, 2);
      await peer.closed;
    } finally {
      await world.end();
    }
  });

  test('max_binds, refuse: a living account refuses soon, a stale bind gives its place to the newcomer', async () => {
    const world = await worldOf({ esme: { max_binds: 2 } });
    try {
      const living = await world.esme();
      const other = await world.esme();
      for (const esme of [living, other]) esme.session.on('enquire_link', (ask) => esme.session.send(ask.response()));
      const third = new Peer(world.gateway.port);
      const start = performance.now();
      assert.equal((await third.bind()).status, BINDFAIL);
      between(performance.now() - start, 0, 1500, 'refused after');
      await third.closed;
      await other.close();
      const stale = await world.peer(); // never answers enquire_link: its network is gone
      const newcomer = new Peer(world.gateway.port);
      assert.equal((await newcomer.bind()).status, OK, 'the stale bind was found out before a refusal');
      await stale.closed;
      assert.ok(stale.inbox.some((p) => p.id === cmd.enquire_link), 'it was asked');
      assert.equal((await living.submit({ destination_addr: '79990000203' })).command_status, OK, 'the living is untouched');
      await newcomer.end();
      await living.close();
    } finally {
      await world.end();
    }
  });

  test('max_binds, replace-oldest: the oldest is unbound, never more than max_binds stay', async () => {
    const world = await worldOf({ esme: { max_binds: 2, when_full: 'replace-oldest' }, smpp: { response_timeout: '500ms' } });
    try {
      const peers = [];
      for (let i = 0; i < 4; i++) peers.push(await world.peer()); // none answers our unbind
      assert.ok(peers.every((p) => p.bound.status === OK));
      for (const old of peers.slice(0, 2)) {
        await old.take((p) => p.id === cmd.unbind, 3000, 'unbind');
        await old.closed;
      }
      await peers[2].fence();
      await peers[3].fence();
      await world.gateway.line(/unbound.*reason="?replaced by a newer bind/);
      await peers[2].end();
      await peers[3].end();
    } finally {
      await world.end();
    }
  });

  test('max_sessions and max_sessions_per_address: closed at once, counted, the others are served', async () => {
    const world = await worldOf({ smpp: { max_sessions: 6, max_sessions_per_address: 4 } });
    try {
      const crowd = Array.from({ length: 4 }, () => new Peer(world.gateway.port));
      await Promise.all(crowd.map((p) => p.connected));
      await crowd[0].fence();
      const fifth = new Peer(world.gateway.port);
      await fifth.closed;
      assert.equal(fifth.received, 0);
      assert.equal(await world.trouble('too many connections from address'), 1);
      const { default: net } = await import('node:net');
      const elsewhere = (n) => new Peer(0, net.connect({ host: '127.0.0.1', port: world.gateway.port, localAddress: `127.0.0.${n}` }));
      const others = [elsewhere(2), elsewhere(3)];
      await Promise.all(others.map((p) => p.fence()));
      const seventh = elsewhere(4);
      await seventh.closed;
      assert.equal(await world.trouble('too many connections'), 1);
      assert.equal((await crowd[0].bind()).status, OK);
      await crowd[1].end();
      await until('its place is free', async () => {
        const next = new Peer(world.gateway.port);
        const served = await next.fence().then(() => true, () => false);
        await next.end();
        return served;
      });
      for (const peer of [...crowd, ...others]) await peer.end();
    } finally {
      await world.end();
    }
  });
});

describe('who may bind', () => {
  let world;
  const from = async (host, options) => {
    const { default: net } = await import('node:net');
    const peer = new Peer(0, net.connect({ host: '127.0.0.1', port: world.gateway.port, localAddress: host }));
    const answer = await peer.bind(options);
    await peer.end();
    return answer.status;
  };
  before(async () => {
    world = await worldOf({
      smpp: { login_failures: 3, lockout: '1s' },
      esmes: [
        { system_id: 'demo', password: 'demo', upstream: 'smsc' },
        { system_id: 'other', password: 'other', upstream: 'smsc' },
        { system_id: 'asleep', password: 'asleep', upstream: 'smsc', enabled: false },
        { system_id: 'inside', password: 'inside', upstream: 'smsc', allow_from: ['127.0.1.0/24', '10.0.0.0/8'] },
      ],
    });
  });
  after(() => world?.end());

  test('unknown system_id 0x0F, wrong password 0x0E, disabled and foreign address 0x0D', async () => {
    assert.equal(await from('127.0.0.20', { system_id: 'nobody', password: 'x' }), INVSYSID);
    assert.equal(await from('127.0.0.20', { password: 'wrong' }), INVPASWD);
    assert.equal(await from('127.0.0.20', { system_id: 'asleep', password: 'asleep' }), BINDFAIL);
    assert.equal(await from('127.0.0.20', { system_id: 'inside', password: 'inside' }), BINDFAIL);
    assert.equal(await from('127.0.0.20', { system_id: 'inside', password: 'wrong' }), BINDFAIL, 'not told whether it was right');
    assert.equal(await from('127.0.1.5', { system_id: 'inside', password: 'inside' }), OK);
    assert.equal(await from('127.0.0.20'), OK);
  });

  test('a password of 9 and names longer than the field are a wrong login, no lost session', async () => {
    const peer = new Peer(world.gateway.port);
    assert.ok([INVPASWD, INVSYSID].includes((await peer.bind({ system_id: 'd'.repeat(40), password: 'p'.repeat(60) })).status));
    assert.equal((await peer.bind()).status, OK, 'on the same connection');
    await peer.end();
  });

  test('an address that failed three times is locked out for every account, for a while', async () => {
    for (let i = 0; i < 3; i++) assert.equal(await from('127.0.0.30', { system_id: `guess${i}`, password: 'x' }), INVSYSID);
    assert.equal(await from('127.0.0.30'), BINDFAIL);
    assert.equal(await from('127.0.0.30', { system_id: 'other', password: 'other' }), BINDFAIL);
    assert.equal(await from('127.0.0.31'), OK, 'other addresses are not');
    await until('the lock-out ends', async () => (await from('127.0.0.30')) === OK, 5000);
    await world.gateway.line(/locked out.*addr:127\.0\.0\.30/);
  });

  test('an account guessed at from three addresses is locked out, but not where it has bound before', async () => {
    assert.equal(await from('127.0.0.40', { system_id: 'other', password: 'other' }), OK);
    for (let i = 1; i <= 3; i++) assert.equal(await from(`127.0.0.5${i}`, { system_id: 'other', password: 'guess' }), INVPASWD);
    assert.equal(await from('127.0.0.60', { system_id: 'other', password: 'other' }), BINDFAIL, 'locked out');
    assert.equal(await from('127.0.0.40', { system_id: 'other', password: 'other' }), OK, 'its own machine is let in');
    await until('the lock-out ends', async () => (await from('127.0.0.60', { system_id: 'other', password: 'other' })) === OK, 5000);
  });

  test('three failures on one connection end it; a success starts the count anew', async () => {
    const peer = new Peer(world.gateway.port);
    await peer.connected;
    for (let i = 0; i < 2; i++) assert.equal((await peer.bind({ password: 'wrong' })).status, INVPASWD);
    assert.equal((await peer.bind()).status, OK);
    peer.write(pdu(cmd.bind_transceiver, { seq: 7, body: bindBody() }));
    assert.equal((await peer.take((p) => p.seq === 7)).status, 0x05, 'already bound, and kept');
    await peer.fence();
    await peer.end();
    const again = new Peer(world.gateway.port);
    for (let i = 0; i < 2; i++) assert.equal((await again.bind({ password: 'wrong' })).status, INVPASWD, 'the count began anew');
    assert.equal((await again.bind()).status, OK);
    await again.end();
  });
});
