// callbacks.mjs - the way back measured: callbacks stored and answered, receipts delivered, beside the Node bridge, which
// stores nothing. Run by tests/bench/callbacks; everything shares this machine's cores.
import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { binary, freePort, Gateway, until } from '../e2e/lib/world.mjs';

const COUNT = Number(process.argv[2] ?? 60000);
const CONNECTIONS = Number(process.argv[3] ?? 100);
const tool = path.join(path.dirname(binary), 'tests/bench_callbacks');
const directory = mkdtempSync(path.join(os.tmpdir(), 'smppbridge-bench-'));

/** An upstream that takes everything and remembers whom to call back about. */
function upstream() {
  const taken = [];
  const server = http.createServer((request, reply) => {
    let body = '';
    request.setEncoding('latin1');
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      const fields = new URLSearchParams(body);
      const id = fields.get('id');
      if (!request.url.includes('send.php')) return reply.end('{"balance": "1000"}');
      const phones = fields.has('list')
        ? fields.get('list').split('\n').map((line) => line.split(':')[0])
        : fields.get('phones').split(',');
      for (const phone of phones) taken.push([id, phone]);
      return reply.end(JSON.stringify({ id, cnt: phones.length, cost: '1', balance: '1000' }));
    });
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve({ server, taken, url: `http://127.0.0.1:${server.address().port}` })));
}

function run(args) {
  const child = spawn(tool, args.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.on('data', (data) => (out += data));
  return once(child, 'close').then(() => JSON.parse(out));
}

async function submit(port, taken) {
  const load = spawn(binary, ['load', '--url', `smpp://demo:demo@127.0.0.1:${port}`, '--binds', '4', '--window', '200', '--count', String(COUNT), '--receipts', '--quiet'], { stdio: 'ignore' });
  await until('all are upstream', () => taken.length >= COUNT, 120000);
  load.kill('SIGINT');
  await new Promise((resolve) => setTimeout(resolve, 300));
  load.kill('SIGINT');
  await once(load, 'close');
}

/** One signed callback a line. */
function bodies(taken, name) {
  const ts = Math.floor(Date.now() / 1000);
  const lines = taken.slice(0, COUNT).map(([id, phone]) => {
    const sha1 = crypto.createHash('sha1').update(`${id}:${phone}:1:secret`).digest('hex');
    return `id=${id}&phone=${phone}&status=1&time=18.10.26%2015%3A34%3A12&ts=${ts}&cnt=1&type=0&cost=1.5&flag=0&sender=bench&charset=utf-8&sha1=${sha1}`;
  });
  const file = path.join(directory, name);
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

const subjects = {
  smppbridge: async () => {
    const gateway = new Gateway({
      esme: { max_binds: 100, window: 10000, deliver_window: 100, max_queued: 10000000, deliver_rate: 0, rate: 0, burst: 0, receipt_max: 10000000 },
    });
    const up = await upstream();
    await gateway.start(up.url);
    return { port: gateway.port, callbackPort: gateway.callbackPort, up, end: async () => (await gateway.kill('SIGKILL'), gateway.clean()) };
  },
  'node bridge': async () => {
    const up = await upstream();
    const [port, callbackPort] = [await freePort(), await freePort()];
    const child = spawn(process.execPath, [path.join(new URL('.', import.meta.url).pathname, 'node_bridge.mjs')], {
      env: { ...process.env, SMPP_PORT: port, CALLBACK_PORT: callbackPort, UPSTREAM: up.url },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => readline.createInterface({ input: child.stdout }).on('line', (line) => /ready/.test(line) && resolve()));
    return { port, callbackPort, up, end: async () => { child.kill('SIGKILL'); await once(child, 'exit'); } };
  },
};

async function subject(name, work) {
  const s = await subjects[name]();
  try {
    await submit(s.port, s.up.taken);
    await work(s);
  } finally {
    await s.end();
    s.up.server.close();
    s.up.server.closeAllConnections();
  }
}
const note = (what, r) => {
  console.log(`${what.padEnd(58)} ${String(r.per_second).padStart(7)}/s${'p99_ms' in r ? `   p50 ${r.p50_ms} ms, p99 ${r.p99_ms} ms, max ${r.max_ms} ms` : ''}${r.failed ? `   ${r.failed} FAILED` : ''}`);
};

console.log(`${COUNT} messages, ${CONNECTIONS} connections; ${os.cpus().length} x ${os.cpus()[0].model}, load ${os.loadavg()[0].toFixed(1)}`);
try {
  await subject('smppbridge', async ({ port, callbackPort, up }) => {
    const file = bodies(up.taken, 'a');
    note('smppbridge: callbacks stored and answered, ESME away', await run(['post', file, callbackPort, CONNECTIONS]));
    note('smppbridge: held receipts to ten binds', await run(['receive', port, 10, COUNT]));
    note('smppbridge: repeats of final statuses', await run(['post', file, callbackPort, CONNECTIONS]));
  });
  for (const name of ['smppbridge', 'node bridge'])
    await subject(name, async ({ port, callbackPort, up }) => {
      const received = run(['receive', port, 10, COUNT]);
      await new Promise((resolve) => setTimeout(resolve, 500));
      note(`${name}: callbacks while ten binds take the receipts`, await run(['post', bodies(up.taken, name), callbackPort, CONNECTIONS]));
      note(`${name}: those receipts`, await received);
    });
} finally {
  rmSync(directory, { recursive: true, force: true });
}
