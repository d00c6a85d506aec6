// upgrade.test.mjs - a running gateway replaced by a new process: nobody refused, nothing lost, nothing twice; and what
// happens when the new one is no good. Load comes from npm smpp clients that bind again when they are unbound.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { after, test } from 'node:test';
import { Daemon, has } from './lib/daemon.mjs';
import { binary, Esme, freePort, Gateway, receiptOf, startWorld, until } from './lib/world.mjs';

// Processes whose parent has ended are nobody's children: what a failed test leaves is ended here, by number.
const successors = new Set();
const isAlive = (pid) => {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};
after(() => {
  for (const pid of successors) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
});

const pidOf = async (gateway) => {
  const { pid } = (await gateway.admin('GET', '/v1/status', undefined, { Authorization: 'Bearer token', Connection: 'close' })).json;
  successors.add(pid);
  return pid;
};

/** The command, as an operator gives it. */
const upgrade = (gateway) =>
  new Promise((resolve) => {
    const child = spawn(binary, ['upgrade', '--url', `http://127.0.0.1:${gateway.adminPort}`, '--token', 'token']);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (said += data));
    child.once('close', (status) => resolve({ status, said, to: Number(/process (\d+) \(version/.exec(said)?.[1]) }));
  });

/** A line of any of the processes: they share the first one's output, which may have ended. */
const said = (gateway, pattern, from = 0) => until(`said: ${pattern}`, () => gateway.lines.slice(from).find((line) => pattern.test(line)));

async function endWorld(world) {
  const pid = await pidOf(world.gateway);
  process.kill(pid, 'SIGTERM');
  await until('the last process has ended', () => !isAlive(pid));
  await world.simulator?.kill('SIGTERM');
  world.gateway.clean();
}

async function acceptedPhones(simulator) {
  const phones = new Map();
  for (let next = ''; next !== null; ) {
    const page = await simulator.get(`/lab/messages?limit=1000${next ? `&after=${next}` : ''}`);
    for (const { phone } of page.items) phones.set(phone, (phones.get(phone) ?? 0) + 1);
    next = page.next ?? null;
  }
  return phones;
}

/** A bind that keeps `window` messages unanswered, and binds anew whenever it has been unbound. */
class Load {
  static next = 0;

  constructor(port, tally, window = 10) {
    Object.assign(this, { port, tally, window, stopped: false });
    this.ended = this.run();
  }

  async run() {
    while (!this.stopped) await this.life();
  }

  life() {
    return new Promise((resolve) => {
      const { tally } = this;
      const esme = new Esme().connect(this.port);
      const { session } = esme;
      let leaving = false;
      let open = 0;
      session.on('error', (error) => tally.errors.push(error.code ?? String(error)));
      session.on('close', () => {
        if (open) tally.unanswered += open;
        resolve();
      });
      session.on('unbind', (pdu) => {
        leaving = true;
        tally.unbinds++;
        session.send(pdu.response());
      });
      const submit = () => {
        if (leaving) return;
        if (this.stopped) {
          if (open === 0 && tally.finished()) {
            leaving = true;
            session.unbind(() => session.close());
          }
          return;
        }
        const phone = `7999${String(Load.next++).padStart(7, '0')}`;
        open++;
        tally.sent.add(phone);
        esme.submit({ destination_addr: phone, short_message: phone }).then((answer) => {
          open--;
          if (answer.command_status === 0) tally.acknowledged.set(phone, answer.message_id);
          else tally.refused.push(answer.command_status);
          submit();
        });
      };
      this.poke = submit;
      esme.wake = () => {
        for (const pdu of esme.delivered.splice(0)) {
          const { id } = receiptOf(pdu);
          tally.receipts.set(id, (tally.receipts.get(id) ?? 0) + 1);
        }
      };
      session.on('connect', () =>
        session.bind_transceiver({ system_id: 'demo', password: 'demo', interface_version: 0x34 }, (answer) => {
          tally.binds++;
          if (answer.command_status !== 0) tally.bindsRefused.push(answer.command_status);
          for (let i = 0; i < this.window; i++) submit();
        }),
      );
    });
  }

  async stop() {
    this.stopped = true;
    const timer = setInterval(() => this.poke?.(), 20);
    await this.ended;
    clearInterval(timer);
  }
}

/** Connections opened one after the other, as strangers would: none may be refused or left without an answer. */
function knock(port, tally) {
  let on = true;
  const once = () =>
    new Promise((resolve) => {
      http
        .get({ host: '127.0.0.1', port, path: '/healthz', agent: false }, (reply) => {
          tally.healthy += reply.statusCode === 200;
          reply.resume().on('end', resolve);
        })
        .on('error', (error) => {
          tally.errors.push(`healthz ${error.code}`);
          resolve();
        });
    });
  const loop = (async () => {
    while (on) {
      await once();
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  return async () => {
    on = false;
    await loop;
  };
}

test('two upgrades under load: no connection and no bind refused, each message once, each receipt once', async (t) => {
  const world = await startWorld();
  const { gateway, simulator } = world;
  await simulator.behave({ latency_min_ms: 20, latency_max_ms: 60 });
  const tally = {
    sent: new Set(), acknowledged: new Map(), receipts: new Map(), errors: [], refused: [], bindsRefused: [],
    binds: 0, unbinds: 0, unanswered: 0, healthy: 0,
    finished: () => [...tally.acknowledged.values()].every((id) => tally.receipts.has(id)),
  };
  const first = await pidOf(gateway);
  const loads = Array.from({ length: 8 }, () => new Load(gateway.port, tally));
  const stopKnocking = knock(gateway.adminPort, tally);
  const more = (count) => {
    const from = tally.acknowledged.size;
    return until(`${count} more acknowledged`, () => tally.acknowledged.size >= from + count, 60000);
  };
  let last = first;
  for (let round = 1; round <= 2; round++) {
    await more(800);
    const { status, said, to } = await upgrade(gateway);
    assert.equal(status, 0, said);
    assert.notEqual(to, last);
    assert.equal(await pidOf(gateway), to);
    await until('the old process has ended', () => !isAlive(last));
    last = to;
  }
  assert.deepEqual(await gateway.exited, { code: 0, signal: null }, 'the first process ended well');
  await more(800);
  await Promise.all(loads.map((load) => load.stop()));
  await stopKnocking();

  assert.deepEqual(tally.errors, []);
  assert.deepEqual(tally.bindsRefused, []);
  assert.deepEqual(tally.refused, [], 'a submit_sm was refused');
  assert.equal(tally.unanswered, 0, 'a submit_sm was not answered');
  assert.ok(tally.unbinds >= 16 && tally.binds >= 24, `${tally.unbinds} unbinds, ${tally.binds} binds`);
  assert.ok(tally.healthy > 0);
  const phones = await acceptedPhones(simulator);
  assert.deepEqual([...tally.acknowledged.keys()].filter((phone) => phones.get(phone) !== 1), [], 'not exactly once upstream');
  assert.equal((await simulator.accepted()).duplicates, 0);
  assert.deepEqual([...tally.receipts].filter(([, times]) => times !== 1), [], 'receipts not exactly once');
  const callbacks = await simulator.get('/lab/callbacks');
  assert.equal(callbacks.refused + callbacks.repeated + callbacks.given_up, 0, JSON.stringify(callbacks));
  t.diagnostic(`${tally.acknowledged.size} acknowledged, ${tally.binds} binds, ${tally.healthy} health checks, ${callbacks.answered} callbacks`);
  await endWorld(world);
});

test('a configuration with a mistake changes nothing: the binds stay, and the command says what is wrong', async () => {
  const world = await startWorld();
  const { gateway } = world;
  const esme = await world.esme();
  const pid = await pidOf(gateway);
  const good = readFileSync(gateway.file);
  writeFileSync(gateway.file, '{ "smpp": { "lisen": [] } }');
  const { status, said } = await upgrade(gateway);
  assert.equal(status, 1);
  assert.match(said, /lisen: is not a setting.*nothing has been changed/);
  assert.equal((await esme.submit({ registered_delivery: 0 })).command_status, 0, 'the bind is there as before');

  const taken = net.createServer();
  await new Promise((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const config = JSON.parse(good);
  config.smpp.listen.push(`127.0.0.1:${taken.address().port}`);
  writeFileSync(gateway.file, JSON.stringify(config));
  const busy = await upgrade(gateway);
  assert.equal(busy.status, 1);
  assert.match(busy.said, /smpp\.listen.*in use/);
  assert.equal((await esme.submit({ registered_delivery: 0 })).command_status, 0);
  assert.equal(await pidOf(gateway), pid);
  assert.match((await gateway.admin('GET', '/v1/status')).json.upgrade, /in use/);

  // the callbacks listener of the process that failed must not have harmed ours
  writeFileSync(gateway.file, good);
  const answer = await esme.submit({ destination_addr: '79990000777' });
  await esme.delivery((d) => receiptOf(d).id === answer.message_id);
  taken.close();
  await esme.close();
  await endWorld(world);
});

/** A gateway run from a copy of the program, and ways to put something else in its place. */
async function replaceable(overrides = {}) {
  const gateway = await new Gateway(overrides).prepare();
  gateway.program = path.join(gateway.directory, 'smppbridge');
  copyFileSync(binary, gateway.program);
  chmodSync(gateway.program, 0o755);
  const replace = (script) => {
    const fresh = `${gateway.program}.new`;
    if (script) writeFileSync(fresh, `#!/bin/bash\n${script}\n`);
    else copyFileSync(binary, fresh);
    chmodSync(fresh, 0o755);
    renameSync(fresh, gateway.program); // as a package manager does
  };
  return { gateway, replace };
}

test('a program that dies, before or after it said that all is well: the old one goes on', async () => {
  const { gateway, replace } = await replaceable();
  await gateway.start('http://127.0.0.1:9');
  const esme = new Esme().connect(gateway.port);
  await esme.bind();
  const pid = await pidOf(gateway);

  replace('exit 3');
  const early = await upgrade(gateway);
  assert.equal(early.status, 1);
  assert.match(early.said, /ended with status 3/);

  // Says "good", then dies while the old one lets its work end.
  replace('printf "good\\n" >&$SMPPBRIDGE_TAKEOVER; kill -9 $$');
  const late = await upgrade(gateway);
  assert.equal(late.status, 1, late.said);
  assert.equal(await pidOf(gateway), pid);

  // Waits for the store and dies with it: the old program begins anew, under the number it had.
  let from = gateway.lines.length;
  replace('printf "good\\n" >&$SMPPBRIDGE_TAKEOVER; read -u $SMPPBRIDGE_TAKEOVER word; exit 4');
  const last = await upgrade(gateway);
  assert.equal(last.status, 1);
  assert.match(last.said, /not done/);
  await said(gateway, /begins anew.*status 4/, from);
  assert.equal(await pidOf(gateway), pid);
  const again = new Esme().connect(gateway.port);
  assert.equal((await again.bind()).command_status, 0);
  assert.equal((await again.submit({ registered_delivery: 0 })).command_status, 0);
  await again.close();

  // And a good one takes over from a process that began anew.
  replace(null);
  const good = await upgrade(gateway);
  assert.equal(good.status, 0, good.said);
  assert.notEqual(good.to, pid);
  await endWorld({ gateway });
});

test('one at a time; a stop in between ends both', async () => {
  const { gateway, replace } = await replaceable();
  await gateway.start('http://127.0.0.1:9');
  const pid = await pidOf(gateway);
  replace('echo "waiting process $$" >&2; exec sleep 600');
  const from = gateway.lines.length;
  const first = gateway.admin('POST', '/v1/upgrade').catch((error) => error);
  const waiting = Number(/waiting process (\d+)/.exec(await gateway.line(/waiting process/, from))[1]);
  successors.add(waiting);
  const second = await gateway.admin('POST', '/v1/upgrade');
  assert.equal(second.status, 409);
  assert.match(second.json.error, /under way/);
  assert.equal((await gateway.admin('GET', '/v1/status')).json.upgrade, 'checking');
  process.kill(pid, 'SIGTERM');
  assert.deepEqual(await gateway.exited, { code: 0, signal: null });
  assert.ok((await first).status === 422 || (await first) instanceof Error, 'answered, or the end was quicker');
  await until('the process that waited has ended', () => !isAlive(waiting));
  gateway.clean();
});

test('SIGUSR2 upgrades; listen addresses that need a restart are followed', async () => {
  const world = await startWorld();
  const { gateway } = world;
  const pid = await pidOf(gateway);
  const other = await freePort();
  const old = gateway.port;
  const config = JSON.parse(readFileSync(gateway.file, 'utf8'));
  config.smpp.listen = [`127.0.0.1:${other}`];
  writeFileSync(gateway.file, JSON.stringify(config));
  process.kill(pid, 'SIGUSR2');
  await said(gateway, /inherited socket closed/);
  await until('the old process has ended', () => !isAlive(pid));
  const esme = new Esme().connect(other);
  assert.equal((await esme.bind()).command_status, 0);
  await assert.rejects(new Promise((resolve, reject) => net.connect(old, '127.0.0.1', resolve).once('error', reject)), /ECONNREFUSED/);
  await esme.close();
  await endWorld(world);
});

const namespaces = spawnSync('unshare', ['--pid', '--fork', 'true']).status === 0;
test('the first process of a container refuses: its end would be the container\'s', { skip: !namespaces && 'no namespaces here' }, async () => {
  const gateway = await new Gateway().prepare();
  gateway.program = path.join(gateway.directory, 'contained');
  writeFileSync(gateway.program, `#!/bin/sh\nexec unshare --pid --fork --kill-child ${binary} "$@"\n`, { mode: 0o755 });
  await gateway.start('http://127.0.0.1:9');
  const reply = await gateway.admin('POST', '/v1/upgrade');
  assert.equal(reply.status, 409);
  assert.match(reply.json.error, /container/);
  assert.equal((await gateway.admin('GET', '/v1/status')).json.pid, 1);
  await gateway.kill('SIGKILL');
  gateway.clean();
});

test('the old process killed while it hands over: the new one serves all the same, nothing is lost', async () => {
  const world = await startWorld();
  const { gateway, simulator } = world;
  await simulator.behave({ latency_min_ms: 3000, latency_max_ms: 3000, delay_min_ms: 6000, delay_max_ms: 6000 }); // its request under way keeps it from letting go
  const esme = await world.esme();
  const pid = await pidOf(gateway);
  const answer = await esme.submit({ destination_addr: '79990000555' });
  await until('the request is under way', async () => (await gateway.admin('GET', '/v1/status')).json.queues.requests > 0);
  const reply = await gateway.admin('POST', '/v1/upgrade');
  assert.equal(reply.status, 202, reply.text);
  assert.deepEqual(Object.keys(reply.json), ['upgrading', 'from', 'to'], 'as openapi.json describes it');
  successors.add(reply.json.to);
  process.kill(pid, 'SIGKILL');
  await said(gateway, /old process has ended/);
  await until('the new one serves', () => pidOf(gateway).then((now) => now === reply.json.to, () => false));
  await simulator.behave({ latency_min_ms: 0, latency_max_ms: 0 });
  const again = await world.esme();
  await again.delivery((d) => receiptOf(d).id === answer.message_id, 120000);
  assert.equal((await acceptedPhones(simulator)).get('79990000555'), 1);
  await again.close();
  await endWorld(world);
});

test('a request whose answer does not come in time is asked about by the next process, never sent twice', async () => {
  const world = await startWorld({ drain_timeout: '500ms' });
  const { gateway, simulator } = world;
  await simulator.behave({ latency_min_ms: 5000, latency_max_ms: 5000, delay_min_ms: 6000, delay_max_ms: 6000 });
  const esme = await world.esme();
  const answer = await esme.submit({ destination_addr: '79990000556' });
  await until('the request is under way', async () => (await gateway.admin('GET', '/v1/status')).json.queues.requests > 0);
  const done = await upgrade(gateway);
  assert.equal(done.status, 0, done.said);
  await said(gateway, /resumed.*sends_unclear=1/);
  await simulator.behave({ latency_min_ms: 0, latency_max_ms: 0 });
  const again = await world.esme();
  await again.delivery((d) => receiptOf(d).id === answer.message_id, 120000);
  assert.equal((await acceptedPhones(simulator)).get('79990000556'), 1);
  await again.close();
  await endWorld(world);
});

test('socket activation: the service manager\'s sockets are used, also by the next process', { skip: !has('systemd-socket-activate') && 'no systemd-socket-activate' }, async () => {
  const gateway = await new Gateway().prepare();
  gateway.file = path.join(gateway.directory, 'gateway.json');
  writeFileSync(gateway.file, JSON.stringify(gateway.config('http://127.0.0.1:9')), { mode: 0o600 });
  const stranger = await freePort();
  const ports = [gateway.port, gateway.callbackPort, gateway.adminPort, stranger];
  const manager = new Daemon('socket-activate', 'systemd-socket-activate', [
    ...ports.flatMap((port) => ['-l', `127.0.0.1:${port}`]), '--fdname=smpp:callbacks:admin:other', binary, 'run', '-c', gateway.file]);
  successors.add(manager.child.pid);
  await manager.line(/Listening on 127\.0\.0\.1:\d+ as 6/);
  const esme = new Esme().connect(gateway.port); // starts it
  assert.equal((await esme.bind()).command_status, 0);
  for (const what of ['smpp', 'callbacks', 'admin']) await manager.line(new RegExp(`event=listening what=${what} .*inherited=yes`));
  await manager.line(new RegExp(`inherited socket closed.*:${stranger}`));
  const { status, said } = await upgrade(gateway);
  assert.equal(status, 0, said);
  const again = new Esme().connect(gateway.port);
  assert.equal((await again.bind()).command_status, 0);
  await again.close();
  await endWorld({ gateway });
});
