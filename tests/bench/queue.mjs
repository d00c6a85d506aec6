// queue.mjs - a million messages waiting for an upstream that is down: memory, the restart after kill -9, and the order
// in which they are sent when it is back. Run by tests/bench/queue; each figure beside its limit, status 1 when one is
// broken.
//
// One bind submits, so the number in each text is the order of acceptance. Ten messages go to each destination. The sink
// keeps the number of every message in the order of arrival.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import { binary, freePort, Gateway, until } from '../e2e/lib/world.mjs';

const COUNT = Number(process.argv[2] ?? 1000000);
const TEXT = 'A message of one hundred characters, as the peers were measured with, number ####### of all of them.';
const TO = `7916${'#'.repeat(String(Math.max(1, Math.floor(COUNT / 10))).length - 1)}`.padEnd(11, '0'); // digits of the number: ten a phone
const [CONNECTIONS, BATCH] = [14, 100];
const MINUTES = 60000;
const AHEAD = 4; // times the connections: requests claimed in advance (gateway/upstream.c)
// Requests leave in order; which of those under way is read first depends on when the sink accepts each connection. No
// message may come later, or sooner, than all that may be claimed at one time.
const limits = { memoryMB: 300, restartS: 10, displaced: (1 + AHEAD) * CONNECTIONS * BATCH };

let broken = 0;
function figure(what, value, limit, unit, digits = 0) {
  const bad = value > limit;
  broken += bad ? 1 : 0;
  const written = value.toLocaleString('en', { maximumFractionDigits: digits });
  console.log(`${what.padEnd(62)} ${written.padStart(9)} ${unit.padEnd(12)} limit ${limit.toLocaleString('en')}${bad ? '   BROKEN' : ''}`);
}
function memory(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const of = (name) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)[1]) / 1024;
  return { now: of('VmRSS'), peak: of('VmHWM') };
}

/** Takes everything, answers at once, keeps what came. */
function sink(port) {
  const seen = new Uint8Array(COUNT);
  const last = new Map(); // newest number that reached a phone
  const result = { messages: 0, repeated: 0, unordered: 0, displaced: 0, strange: 0 };
  const take = (phone, text) => {
    const n = Number(/number (\d+) of/.exec(text)?.[1] ?? -1);
    if (!(n >= 0 && n < COUNT)) return (result.strange += 1);
    if (seen[n]++) return (result.repeated += 1);
    if (n < (last.get(phone) ?? -1)) result.unordered += 1;
    last.set(phone, n);
    result.displaced = Math.max(result.displaced, Math.abs(n - result.messages));
    return (result.messages += 1);
  };
  const server = http.createServer((request, reply) => {
    let body = '';
    request.setEncoding('latin1');
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      if (!request.url.includes('send.php')) return reply.end('{"balance": "1000000"}');
      const fields = new URLSearchParams(body);
      const before = result.messages;
      if (fields.has('list'))
        for (const line of fields.get('list').split('\n')) take(line.split(':')[0].split('|').at(-1), line);
      else take(fields.get('phones'), fields.get('mes') ?? '');
      return reply.end(JSON.stringify({ id: fields.get('id'), cnt: result.messages - before, cost: '1', balance: '1000000' }));
    });
  });
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve({ server, result })));
}

const gateway = new Gateway({
  esme: { window: 10000, max_queued: 2 * COUNT },
  upstream: { connections: CONNECTIONS, batch: { max: BATCH } },
  callbacks: { hash: 'none', secret: undefined },
});
const upstreamPort = await freePort();
console.log(`${COUNT.toLocaleString('en')} messages; ${os.cpus().length} x ${os.cpus()[0].model}, load ${os.loadavg()[0].toFixed(1)}`);
let up;
try {
  await gateway.prepare();
  const start = async () => {
    const began = performance.now();
    await gateway.start(`http://127.0.0.1:${upstreamPort}`);
    await until('ready', async () => (await gateway.admin('GET', '/readyz').catch(() => null))?.status === 200, MINUTES);
    return (performance.now() - began) / 1000;
  };
  await start();
  const began = performance.now();
  const load = spawn(binary, ['load', '--url', `smpp://demo:demo@127.0.0.1:${gateway.port}`, '--window', '1000', '--count', String(COUNT), '--from', 'bench', '--to', TO, '--text', TEXT, '--json', '--quiet'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  load.stdout.on('data', (data) => (out += data));
  await once(load, 'close');
  const { accepted } = JSON.parse(out);
  console.log(`accepted ${accepted} in ${((performance.now() - began) / 1000).toFixed(1)} s, the file has ${Math.round(statSync(`${gateway.directory}/gateway.db`).size / 1e6)} MB`);
  // requests made ready for the upstream are given back once it has been away for a while
  const queued = async () => Number(/queue_messages\{queue="send"[^}]*\} (\d+)/.exec((await gateway.admin('GET', '/metrics')).text)?.[1]);
  await until('all wait', async () => (await queued()) === accepted, 2 * MINUTES);
  const waiting = memory(gateway.child.pid);
  figure('resident with all of them waiting', waiting.now, limits.memoryMB, 'MB');

  await gateway.kill('SIGKILL');
  const seconds = await start();
  figure('kill -9, then from the start of the program until it is ready', seconds, limits.restartS, 's', 1);
  figure('resident after the restart', memory(gateway.child.pid).now, limits.memoryMB, 'MB');

  up = await sink(upstreamPort);
  await until('the first is sent', () => up.result.messages > 0, 2 * MINUTES);
  const from = performance.now();
  await until('all are sent', () => up.result.messages >= accepted, 20 * MINUTES);
  const rate = (up.result.messages * 1000) / (performance.now() - from);
  const { result } = up;
  console.log(`sent ${result.messages.toLocaleString('en')}, ${Math.round(rate).toLocaleString('en')} a second`);
  figure('largest while sending', memory(gateway.child.pid).peak, limits.memoryMB, 'MB');
  figure('lost, repeated or strange', COUNT - result.messages + result.repeated + result.strange, 0, 'messages');
  figure('out of order to their destination', result.unordered, 0, 'messages');
  figure('furthest from the order of acceptance', result.displaced, limits.displaced, 'places');
} finally {
  if (gateway.child) await gateway.kill('SIGKILL');
  up?.server.close();
  up?.server.closeAllConnections();
  gateway.clean();
}
process.exit(broken === 0 ? 0 : 1);
