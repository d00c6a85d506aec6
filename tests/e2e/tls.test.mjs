// tls.test.mjs - SMPP over TLS as clients nobody here wrote see it: npm smpp on node's TLS, openssl s_client, PROXY in front.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';
import { Certificates } from './lib/certificates.mjs';
import { cmd, Peer, pdu, response, smBody, tlv } from './lib/raw.mjs';
import { binary, Esme, freePort, Gateway, receiptOf, startWorld } from './lib/world.mjs';

let made, ca, server, next, client, stranger;
before(() => {
  made = new Certificates();
  ca = made.authority('authority');
  server = made.leaf('server', 'authority');
  next = made.leaf('next', 'authority');
  client = made.leaf('client', 'authority');
  made.authority('elsewhere');
  stranger = made.leaf('stranger', 'elsewhere');
});
after(() => made?.clean());

/** A gateway that listens with TLS too; world.tlsPort. */
async function tlsWorld({ tls: more = {}, smpp = {}, ...rest } = {}) {
  const tlsPort = await freePort();
  const world = await startWorld({
    smpp: {
      tls: { listen: [`127.0.0.1:${tlsPort}`], certificate_file: server.certificate, key_file: server.key, ...more },
      ...smpp,
    },
    ...rest,
  });
  await world.gateway.line(/listening.*smpps/);
  return Object.assign(world, { tlsPort });
}

const tlsEsme = async (port, options = {}) => {
  const esme = new Esme();
  esme.connect(port, { tls: true, ca: ca.cert, rejectUnauthorized: true, ...options });
  esme.bindResponse = await new Promise((resolve, reject) => {
    esme.session.on('secureConnect', () =>
      esme.session.bind_transceiver({ system_id: 'demo', password: 'demo', interface_version: 0x34 }, resolve),
    );
    esme.session.on('error', reject);
    esme.session.on('close', () => reject(new Error('closed before bind_resp')));
  });
  return esme;
};

const tlsPeer = (port, options = {}) => {
  const socket = tls.connect({ host: '127.0.0.1', port, ca: ca.cert, ...options });
  return new Peer(port, socket, 'secureConnect');
};

/** openssl s_client with `input` on its stdin; resolves with everything it printed. Ends when the server or input does. */
function sClient(port, args = [], input = '') {
  const { stdout, stderr } = spawnSync(
    'openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-CAfile', ca.certificate, ...args],
    { input, timeout: 10000 },
  );
  return `${stdout.toString('latin1')}\n${stderr.toString('latin1')}`;
}

describe('a certificate of ours', () => {
  let world;
  before(async () => {
    world = await tlsWorld();
  });
  after(() => world?.end());

  test('npm smpp binds, submits and gets its receipt', async () => {
    const esme = await tlsEsme(world.tlsPort);
    assert.equal(esme.bindResponse.command_status, 0);
    const answer = await esme.submit({ destination_addr: '79990000101' });
    assert.equal(answer.command_status, 0);
    const receipt = await esme.delivery((d) => receiptOf(d).id === answer.message_id);
    assert.equal(receiptOf(receipt).stat, 'DELIVRD');
    await esme.close();
  });

  test('openssl verifies us over TLS 1.2 and 1.3, and gets nothing older', () => {
    for (const version of ['-tls1_2', '-tls1_3']) {
      const said = sClient(world.tlsPort, [version, '-verify_return_error', '-verify_ip', '127.0.0.1']);
      assert.match(said, /Verify return code: 0 \(ok\)/, said);
    }
    const old = sClient(world.tlsPort, ['-tls1_1', '-cipher', 'ALL:@SECLEVEL=0']);
    assert.doesNotMatch(old, /BEGIN CERTIFICATE/, 'TLS 1.1 gets no certificate');
    assert.match(old, /Cipher is \(NONE\)/);
  });

  test('a session is resumed', () => {
    const kept = made.file('session.pem');
    const reused = (version) => {
      sClient(world.tlsPort, [version, '-sess_out', kept]);
      return sClient(world.tlsPort, [version, '-sess_in', kept]);
    };
    assert.match(reused('-tls1_2'), /Reused, TLSv1\.2/);
  });

  test('PDUs of 64 KiB, a hundred at once, byte by byte', async () => {
    const peer = tlsPeer(world.tlsPort);
    assert.equal((await peer.bind()).status, 0);
    const big = smBody({ text: Buffer.alloc(0), tlvs: [tlv(0x0424, Buffer.alloc(64000, 'a'))] });
    peer.write(pdu(cmd.submit_sm, { seq: 2, body: big }));
    const answer = await peer.take((p) => p.id === response(cmd.submit_sm));
    assert.equal(answer.seq, 2);
    peer.write(...Array.from({ length: 100 }, (_, i) => pdu(cmd.enquire_link, { seq: 100 + i })));
    for (let i = 0; i < 100; i++)
      assert.equal((await peer.take((p) => p.id === response(cmd.enquire_link))).seq, 100 + i);
    for (const byte of pdu(cmd.enquire_link, { seq: 300 })) peer.socket.write(Buffer.of(byte));
    assert.equal((await peer.take()).seq, 300);
    await peer.end();
  });

  test('our own send command verifies and is answered', async () => {
    const args = ['send', '--url', `smpps://demo:demo@127.0.0.1:${world.tlsPort}`, '--to', '79990000102', '--text', 'x', '--wait'];
    const run = (more) =>
      new Promise((resolve) => spawn(binary, [...args, ...more], { stdio: 'ignore' }).once('exit', resolve));
    assert.equal(await run(['--ca', ca.certificate]), 0);
    assert.equal(await run(['--ca', made.file('elsewhere.pem')]), 1, 'another authority is not believed');
  });

  test('what does not speak TLS is closed, and a TLS hello on the plain port too', async () => {
    const plain = new Peer(world.tlsPort);
    await plain.connected;
    plain.write(pdu(cmd.enquire_link));
    await plain.closed;
    assert.equal(plain.inbox.length, 0);
    await assert.rejects(
      new Promise((resolve, reject) => tls.connect({ host: '127.0.0.1', port: world.gateway.port, ca: ca.cert }, resolve).on('error', reject)),
    );
  });

  test('two hundred at once all bind, and a bound session is served meanwhile', async () => {
    const bystander = await tlsEsme(world.tlsPort);
    const crowd = Array.from({ length: 200 }, () => tlsPeer(world.tlsPort));
    let bound = 0;
    let slowest = 0;
    let asked = 0;
    // ten binds are the account's limit: the others are refused, which is an answer after a handshake as well
    const all = Promise.all(crowd.map((peer) => peer.bind().then(() => bound++)));
    while (bound < crowd.length) {
      const start = performance.now();
      assert.equal((await bystander.submit({ destination_addr: `7998${String(asked++).padStart(7, '0')}`, registered_delivery: 0 })).command_status, 0);
      slowest = Math.max(slowest, performance.now() - start);
    }
    await all;
    assert.ok(slowest < 2000, `slowest answer to the bystander: ${slowest.toFixed(0)} ms`); // this process does 200 handshakes too
    await Promise.all(crowd.map((peer) => peer.end()));
    await bystander.close();
  });
});

describe('client certificates', () => {
  let world;
  before(async () => {
    world = await tlsWorld({ tls: { client_ca_file: ca.certificate } });
  });
  after(() => world?.end());

  test('with one of the authority an ESME binds', async () => {
    const esme = await tlsEsme(world.tlsPort, { cert: client.cert, key: client.keyText });
    assert.equal(esme.bindResponse.command_status, 0);
    await esme.close();
  });

  test('without one, or with a stranger\'s, nothing gets as far as a bind', async () => {
    for (const options of [{}, { cert: stranger.cert, key: stranger.keyText }]) {
      await assert.rejects(tlsEsme(world.tlsPort, options));
      await assert.rejects(tlsEsme(world.tlsPort, { maxVersion: 'TLSv1.2', ...options }));
    }
    assert.ok(!world.gateway.lines.some((line) => /bind refused/.test(line)), 'no bind was looked at');
  });

  test('a session is resumed (refused without a session context)', () => {
    const kept = made.file('session-client.pem');
    const own = ['-cert', client.certificate, '-key', client.key, '-tls1_2'];
    sClient(world.tlsPort, [...own, '-sess_out', kept]);
    assert.match(sClient(world.tlsPort, [...own, '-sess_in', kept]), /Reused, TLSv1\.2/);
  });

  test('our own client shows its certificate', async () => {
    const url = `smpps://demo:demo@127.0.0.1:${world.tlsPort}`;
    const send = (more) =>
      spawnSync(binary, ['send', '--url', url, '--ca', ca.certificate, '--to', '79990000103', '--text', 'x', ...more]).status;
    assert.equal(send(['--cert', client.certificate, '--key', client.key]), 0);
    assert.equal(send([]), 1);
  });
});

test('a wrong file is named and the gateway does not start', async () => {
  const port = await freePort();
  for (const [file, what] of [[{ certificate_file: '/nonexistent.pem' }, /nonexistent\.pem/], [{ key_file: client.key }, /key/]]) {
    const gateway = new Gateway({
      smpp: { tls: { listen: [`127.0.0.1:${port}`], certificate_file: server.certificate, key_file: server.key, ...file } },
    });
    await assert.rejects(gateway.start('http://127.0.0.1:9'), what);
    assert.notEqual((await gateway.exited).code, 0);
    gateway.clean();
  }
});

const reloads = /\n\s+reload\b/.test(spawnSync(binary, ['--help']).stdout.toString());
test('a new certificate is taken on SIGHUP, binds stay', { skip: !reloads && 'no reload in this program' }, async () => {
  const files = { certificate_file: made.file('live.pem'), key_file: made.file('live.key') };
  copyFileSync(server.certificate, files.certificate_file);
  copyFileSync(server.key, files.key_file);
  const world = await tlsWorld({ tls: files });
  const shown = () =>
    new Promise((resolve, reject) => {
      const socket = tls.connect({ host: '127.0.0.1', port: world.tlsPort, ca: ca.cert }, () => {
        resolve(socket.getPeerCertificate().subject.CN);
        socket.destroy();
      }).on('error', reject);
    });
  const hup = async (line) => {
    const from = world.gateway.lines.length;
    world.gateway.child.kill('SIGHUP');
    await world.gateway.line(line, from);
  };
  try {
    const esme = await tlsEsme(world.tlsPort);
    assert.equal(await shown(), 'server');

    copyFileSync(next.certificate, files.certificate_file);
    copyFileSync(next.key, files.key_file);
    await hup(/certificates read/);
    assert.equal(await shown(), 'next');

    writeFileSync(files.certificate_file, 'not a certificate\n');
    await hup(/certificates not taken/);
    assert.equal(await shown(), 'next', 'the last good one stays');

    const answer = await esme.submit({ destination_addr: '79990000104', registered_delivery: 0 });
    assert.equal(answer.command_status, 0, 'the bind made before is served');
    await esme.close();
  } finally {
    await world.end();
  }
});

test('callbacks: a new certificate is taken on SIGHUP, connections stay, no callback is refused meanwhile', async () => {
  const files = { certificate_file: made.file('callbacks.pem'), key_file: made.file('callbacks.key') };
  const put = (leaf) => {
    copyFileSync(leaf.certificate, files.certificate_file);
    copyFileSync(leaf.key, files.key_file);
  };
  put(server);
  const world = await startWorld({ callbacks: { hash: 'none', secret: undefined, tls: files } });
  const { gateway } = world;
  // The kept connection's agent, and one without a memory: each of its requests is a connection of its own.
  const kept = new https.Agent({ keepAlive: true, maxSockets: 1, ca: ca.cert });
  let n = 0;
  const callBack = (agent) =>
    new Promise((resolve, reject) => {
      const body = new URLSearchParams({ id: `foreign${n++}`, phone: '79991112233', status: '1' }).toString();
      const request = https.request(
        { host: '127.0.0.1', port: gateway.callbackPort, path: '/smsc/callback', method: 'POST', ca: ca.cert, agent,
          headers: { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': body.length } },
        (reply) => {
          const name = reply.socket.getPeerCertificate().subject?.CN;
          reply.resume().on('end', () => resolve({ status: reply.statusCode, name, reused: request.reusedSocket }));
        });
      request.on('error', reject);
      request.end(body);
    });
  const hup = async (line) => {
    const from = gateway.lines.length;
    gateway.child.kill('SIGHUP');
    await gateway.line(line, from);
  };
  try {
    assert.equal((await callBack(kept)).name, 'server');
    let on = true;
    const statuses = new Set();
    const names = new Set();
    const load = Promise.all([1, 2, 3].map(async () => {
      while (on) {
        const { status, name } = await callBack(false);
        statuses.add(status);
        names.add(name);
      }
    }));
    put(next);
    await hup(/certificates read.*callbacks/);
    const last = await callBack(kept);
    assert.deepEqual(last, { status: 200, name: last.name, reused: true }, 'the connection from before is served');
    assert.equal((await callBack(false)).name, 'next');

    writeFileSync(files.certificate_file, 'not a certificate\n');
    await hup(/certificates not taken.*callbacks/);
    assert.equal((await callBack(false)).name, 'next', 'the last good one stays');

    put(server);
    copyFileSync(next.key, files.key_file); // of another pair
    await hup(/certificates not taken.*callbacks/);
    assert.equal((await callBack(false)).name, 'next');
    for (let i = 0; i < 5; i++) {
      put(i % 2 ? next : server);
      await hup(/certificates read.*callbacks/);
    }
    assert.equal((await callBack(false)).name, 'server');
    on = false;
    await load;
    assert.deepEqual([...statuses], [200], 'each callback was answered 200 throughout');
    assert.deepEqual([...names].sort(), ['next', 'server']);
    const { json } = await gateway.admin('POST', '/v1/reload');
    assert.deepEqual(json, { reloaded: true, restart_needed: [] });
  } finally {
    kept.destroy();
    await world.end();
  }
});

describe('behind a PROXY header', () => {
  let world;
  const v1 = (source) => `PROXY TCP4 ${source} 10.0.0.1 4711 3550\r\n`;
  const v2 = (source) =>
    Buffer.concat([Buffer.from('0d0a0d0a000d0a515549540a2111000c', 'hex'), Buffer.from(source.split('.').map(Number)), Buffer.from('0a00000112670dde', 'hex')]);
  const behind = (header, port, secure) =>
    new Promise((resolve, reject) => {
      const socket = net.connect({ host: '127.0.0.1', port }, () => {
        socket.write(header);
        resolve(secure ? new Peer(port, tls.connect({ socket, ca: ca.cert, servername: 'localhost' }), 'secureConnect') : new Peer(port, socket));
      }).on('error', reject);
    });
  before(async () => {
    world = await tlsWorld({ smpp: { proxy_protocol: true, max_sessions_per_address: 2 }, esme: { allow_from: ['192.0.2.0/24'] } });
  });
  after(() => world?.end());

  test('TLS and plain, v1 and v2: the address named is the one that counts', async () => {
    for (const [make, source] of [[v1, '192.0.2.7'], [v2, '192.0.2.8']])
      for (const secure of [true, false]) {
        const peer = await behind(make(source), secure ? world.tlsPort : world.gateway.port, secure);
        if (!secure) peer.connected = Promise.resolve();
        assert.equal((await peer.bind()).status, 0, `${source} ${secure ? 'TLS' : 'plain'}`);
        await world.gateway.line(new RegExp(`bound.*from=${source.replaceAll('.', '\\.')}:`));
        await peer.end();
      }
    const other = await behind(v1('198.51.100.1'), world.tlsPort, true);
    assert.equal((await other.bind()).status, 0x0d, 'allow_from judges the address named');
    await other.end();
  });

  test('the limit for one address counts the address named', async () => {
    const peers = [];
    for (let i = 0; i < 2; i++) {
      peers.push(await behind(v1('192.0.2.9'), world.gateway.port));
      peers[i].connected = Promise.resolve();
      assert.equal((await peers[i].bind()).status, 0);
    }
    const third = await behind(v1('192.0.2.9'), world.gateway.port);
    await third.closed;
    assert.equal(third.received, 0);
    const other = await behind(v1('192.0.2.10'), world.gateway.port);
    other.connected = Promise.resolve();
    assert.equal((await other.bind()).status, 0);
    for (const peer of [...peers, other]) await peer.end();
  });

  test('without the header the connection is closed unanswered', async () => {
    const peer = new Peer(world.gateway.port);
    await peer.connected;
    peer.write(pdu(cmd.enquire_link));
    await peer.closed;
    assert.equal(peer.received, 0);
  });
});
