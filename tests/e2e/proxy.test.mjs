// proxy.test.mjs - an HTTP proxy on the way to the aggregator: plain and as a tunnel for TLS, its password, its failures.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { Certificates } from './lib/certificates.mjs';
import { Proxy, tlsFront } from './lib/proxy.mjs';
import { binary, receiptOf, startWorld, until } from './lib/world.mjs';

const upstream = {
  timeout: '5s',
  retry: { first: '50ms', factor: 2, max: '300ms', give_up: '1h' },
  limits: { repeat: '200ms', window: '600ms', flood_messages: 0 },
};

/** A gateway whose only way out is `proxy`; `more` are further settings of the upstream. */
async function world(t, proxy, more = {}) {
  const w = await startWorld({ upstream });
  t.after(() => w.end());
  await w.simulator.behave({ time_factor: 120, delay_min_ms: 10, delay_max_ms: 20, delivered: 1 });
  await w.gateway.stop();
  w.gateway.overrides.upstream = { ...upstream, proxy: proxy.url, ...more };
  await w.gateway.start();
  return w;
}

async function delivered(esme, answer) {
  assert.equal(receiptOf(await esme.delivery((pdu) => receiptOf(pdu).id === answer.message_id, 60000)).stat, 'DELIVRD');
}

/** Its password stands nowhere an operator or a log reader would see it. */
async function keepsTheSecret(w, proxy) {
  const shown = spawnSync(binary, ['check', '-c', w.gateway.file], { encoding: 'utf8' });
  assert.equal(shown.status, 0, shown.stderr);
  assert.match(shown.stdout, new RegExp(`through the proxy 127.0.0.1:${proxy.port}`));
  const places = [shown.stdout, w.gateway.lines.join('\n')];
  for (const where of ['/v1/status', '/v1/upstreams', '/metrics']) places.push((await w.gateway.admin('GET', where)).text);
  for (const text of places) for (const secret of [proxy.password, encodeURIComponent(proxy.password), proxy.user]) assert.ok(!text.includes(secret));
}

test('everything goes through the proxy, with its password', async (t) => {
  const proxy = await new Proxy().start();
  t.after(() => proxy.stop());
  const w = await world(t, proxy);
  const esme = await w.esme();
  await delivered(esme, await esme.submit({}));
  assert.equal((await w.simulator.accepted()).accepted, 1);
  assert.ok(proxy.seen.some((line) => line.startsWith('POST http://127.0.0.1:') && line.includes('/sys/send.php')));
  const { json } = await w.gateway.admin('GET', '/v1/smsc/smsc/balance');
  assert.ok(json.balance !== undefined);
  assert.ok(proxy.seen.some((line) => line.includes('/sys/balance.php')));
  await keepsTheSecret(w, proxy);
  await esme.close();
});

test('the password may stand in a file; the shell asks the aggregator through the proxy as well', async (t) => {
  const proxy = await new Proxy().start();
  t.after(() => proxy.stop());
  const w = await world(t, proxy);
  await w.gateway.stop();
  const file = `${w.gateway.directory}/proxy`;
  writeFileSync(file, `${proxy.url}\n`, { mode: 0o600 });
  w.gateway.overrides.upstream = { ...upstream, proxy_file: file };
  await w.gateway.start();
  proxy.seen.length = 0;
  const { spawn } = await import('node:child_process'); // not spawnSync: the proxy lives in this process
  const child = spawn(binary, ['smsc', 'balance', '--direct', '-c', w.gateway.file]);
  const status = await new Promise((resolve) => child.once('exit', resolve));
  assert.equal(status, 0);
  assert.ok(proxy.seen.some((line) => line.includes('/sys/balance.php')));
});

test('TLS goes through it as a tunnel; only the authority of ca_file is believed', async (t) => {
  const certificates = new Certificates();
  t.after(() => certificates.clean());
  const authority = certificates.authority('authority');
  const other = certificates.authority('other');
  const proxy = await new Proxy().start();
  t.after(() => proxy.stop());
  const w = await world(t, proxy);
  const front = await tlsFront(w.simulator.port, certificates.leaf('server', 'authority'));
  t.after(() => front.stop());
  await w.gateway.stop();
  proxy.seen.length = 0;
  const settings = { ...upstream, proxy: proxy.url, urls: [`https://127.0.0.1:${front.port}`] };
  w.gateway.overrides.upstream = { ...settings, ca_file: other.certificate };
  await w.gateway.start();
  const esme = await w.esme();
  const answer = await esme.submit({});
  await w.gateway.line(/upstream not reached.*certificate/i);
  assert.equal((await w.simulator.accepted()).accepted, 0);
  w.gateway.overrides.upstream = { ...settings, ca_file: authority.certificate };
  writeFileSync(w.gateway.file, JSON.stringify(w.gateway.config(w.simulator.url)), { mode: 0o600 });
  w.gateway.child.kill('SIGHUP');
  await delivered(esme, answer);
  assert.equal((await w.simulator.accepted()).accepted, 1);
  assert.ok(proxy.seen.length > 0 && proxy.seen.every((line) => line === `CONNECT 127.0.0.1:${front.port}`), proxy.seen.join());
  await keepsTheSecret(w, proxy);
  await esme.close();
});

test('while the proxy is down, or refuses us, nothing has been sent: no questions, and each message once afterwards', async (t) => {
  const proxy = await new Proxy().start();
  const w = await world(t, proxy);
  const esme = await w.esme();
  await delivered(esme, await esme.submit({ destination_addr: '79990000009' }));
  await proxy.stop();
  const answers = [];
  for (let i = 0; i < 5; i++) answers.push(await esme.submit({ destination_addr: `7999000000${i}` }));
  await w.gateway.line(/upstream not reached/);
  const { password } = proxy;
  proxy.password = 'another';
  await proxy.start();
  t.after(() => proxy.stop());
  await w.gateway.line(/refuses our credentials \(407\)/);
  assert.equal((await w.simulator.accepted()).accepted, 1);
  proxy.password = password;
  for (const answer of answers) await delivered(esme, answer);
  const { accepted, duplicates } = await w.simulator.accepted();
  assert.deepEqual({ accepted, duplicates }, { accepted: 6, duplicates: 0 });
  assert.ok(!w.gateway.lines.some((line) => /outcome of a send unknown/.test(line)));
  await keepsTheSecret(w, proxy);
  await esme.close();
});

const faults = { cut: 'breaks off', html: 'puts a page in its place', truncated: 'cuts it', foreign: 'answers something else' };
for (const [fault, what] of Object.entries(faults))
  test(`a proxy that ${what} once the request has passed leaves the outcome unknown: asked about, accepted once`, async (t) => {
    const proxy = await new Proxy().start();
    t.after(() => proxy.stop());
    const w = await world(t, proxy);
    const esme = await w.esme();
    proxy.fault = fault;
    const answer = await esme.submit({});
    await w.gateway.line(/outcome of a send unknown/);
    await until('it was accepted all the same', async () => (await w.simulator.accepted()).accepted === 1);
    proxy.fault = null;
    await delivered(esme, answer);
    const { accepted, duplicates } = await w.simulator.accepted();
    assert.deepEqual({ accepted, duplicates }, { accepted: 1, duplicates: 0 });
    await esme.close();
  });
