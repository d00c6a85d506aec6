// end_to_end.mjs - the whole job measured: submit_sm -> HTTP -> submit_sm_resp (-> callback -> deliver_sm), the gateway
// and the Node bridge (node_bridge.mjs) by turns, the same generator (`smppbridge load`), sink and parameters for both.
//
// Everything runs on this machine and shares its cores, so ratios of one run mean more than absolute figures. Each cell
// is the median of the rounds. "up/s" is messages counted by the upstream, from the first submit_sm to the last message;
// a cell that is not done in time is cut, and its rate is what had arrived. A scenario with `half` submits at half the
// rate that the scenario of that name has just reached. What has a limit is printed beside it at the end; status 1 when
// one is broken.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { parseArgs } from 'node:util';
import { accepts, binary, freePort, Gateway } from '../e2e/lib/world.mjs';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    'no-node': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const CELL_MS = 12000;
const HALF_S = 5; // a scenario at half the peak lasts so long
const sinkBinary = path.join(path.dirname(binary), 'tests/sink');
for (const file of [binary, sinkBinary])
  if (!existsSync(file)) {
    console.error(`run: ${file} is not there: cmake --preset release && cmake --build build/release`);
    process.exit(1);
  }

const TEXT = 'A message of one hundred characters, as the peers were measured with, number ####### of all of them.';
const ten = { batch: 100, latency: 0, binds: 10, window: 100 };
const NODE_CPU = 0.11; // s per 1,000 of the Node bridge where the CPU limits were set: they go with what it takes in this run
const unbatched = 'unbatched, 0 ms, 10 x 100', batched = 'batched, 0 ms, 10 x 100';
const scenarios = [
  { name: 'unbatched, 0 ms, 1 x 10', ...ten, batch: 1, binds: 1, window: 10, count: 30000 },
  { name: unbatched, ...ten, batch: 1, count: 40000 },
  { name: `${unbatched}, half its peak`, ...ten, batch: 1, half: unbatched, limits: { p99: 25 } },
  { name: `${unbatched}, receipts`, ...ten, batch: 1, count: 30000, receipts: true, limits: { cpuPer1000: 0.07 } },
  { name: batched, ...ten, count: 60000 },
  { name: `${batched}, half its peak`, ...ten, half: batched, limits: { p99: 25 } },
  { name: `${batched}, receipts`, ...ten, count: 40000, receipts: true, limits: { cpuPer1000: 0.03 } },
  { name: 'batched, 100 ms, 10 x 100', ...ten, latency: 100, count: 60000 },
].filter((s) => s.name.includes(options.only));

/* ---- processes ---- */

function start(program, args, env = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  child.said = '';
  child.stderr.on('data', (data) => (child.said = (child.said + data).slice(-4000)));
  child.stdout.setEncoding('utf8');
  return child;
}

function line(child, pattern) {
  return new Promise((resolve, reject) => {
    const lines = readline.createInterface({ input: child.stdout });
    lines.on('line', (text) => pattern.test(text) && resolve(text.match(pattern)));
    child.once('exit', () => reject(new Error(`ended without ${pattern}: ${child.said}`)));
  });
}

async function end(child, signal = 'SIGTERM') {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
  await gone;
  clearTimeout(timer);
}

const ticksPerSecond = 100; // USER_HZ, fixed in Linux' interface to programs
function usage(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return { cpu: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond, peakMB: Number(peak[1]) / 1024 };
}

/* ---- the two subjects ---- */

const subjects = {
  smppbridge: async (scenario, upstream, ports) => {
    const gateway = new Gateway({
      esme: { max_binds: 100, window: 10000, deliver_window: 1000, max_queued: 10000000 },
      upstream: { batch: { max: scenario.batch } },
      callbacks: { hash: 'none', secret: undefined },
    });
    Object.assign(gateway, { port: ports.smpp, callbackPort: ports.callback });
    await gateway.start(upstream);
    return { pid: gateway.child.pid, end: async () => (await gateway.kill('SIGKILL'), gateway.clean()) };
  },
  node: async (scenario, upstream, ports) => {
    const child = start(process.execPath, ['node_bridge.mjs'], {
      SMPP_PORT: ports.smpp, CALLBACK_PORT: ports.callback, UPSTREAM: upstream, CONNECTIONS: '14',
    });
    await line(child, /ready/);
    return { pid: child.pid, end: () => end(child, 'SIGKILL') };
  },
};

/* ---- one cell ---- */

async function measure(subject, scenario) {
  const ports = { smpp: await freePort(), callback: await freePort() };
  const args = ['--port', '0', '--latency-ms', String(scenario.latency), '--max-connections', '14'];
  if (scenario.receipts) args.push('--callback', `http://127.0.0.1:${ports.callback}/smsc/callback?charset=utf-8`);
  const sink = start(sinkBinary, args);
  const [, port] = await line(sink, /^port (\d+)/);
  const upstream = `http://127.0.0.1:${port}`;
  const counted = async () => (await fetch(`${upstream}/count`)).json();
  const under = await subjects[subject](scenario, upstream, ports);
  try {
    const before = usage(under.pid);
    const load = start(binary, [
      'load', '--url', `smpp://demo:demo@127.0.0.1:${ports.smpp}`, '--binds', String(scenario.binds),
      '--window', String(scenario.window), '--count', String(scenario.count), '--text', TEXT, '--json', '--quiet',
      ...(scenario.receipts ? ['--receipts'] : []), ...(scenario.rate ? ['--rate', String(scenario.rate)] : []),
    ]);
    let out = '';
    load.stdout.on('data', (data) => (out += data));
    const started = performance.now();
    const loadEnded = once(load, 'exit').then(() => performance.now());
    // all are upstream, or the time is over
    let count, allUpstream;
    do {
      await new Promise((resolve) => setTimeout(resolve, 20));
      count = await counted();
      allUpstream = performance.now();
    } while (count.messages < scenario.count && allUpstream - started < CELL_MS);
    const left = Math.max(500, CELL_MS - (performance.now() - started));
    const finished = await Promise.race([loadEnded, new Promise((resolve) => setTimeout(resolve, left, null))]);
    if (finished === null) { // the first signal stops submitting, the second does not wait for receipts either
      load.kill('SIGINT');
      await new Promise((resolve) => setTimeout(resolve, 50));
      await end(load, 'SIGINT');
    }
    await loadEnded;
    await new Promise((resolve) => (load.stdout.readableEnded ? resolve() : load.stdout.once('end', resolve)));
    const after = usage(under.pid);
    const result = JSON.parse(out || '{}');
    return {
      upPerSecond: (count.messages * 1000) / (allUpstream - started),
      answersPerSecond: result.per_second ?? 0,
      p50: result.response_ms?.p50 ?? NaN,
      p99: result.response_ms?.p99 ?? NaN,
      receipt50: result.receipt_ms?.p50 ?? NaN,
      receiptsPerSecond: scenario.receipts ? result.receipts / result.receipt_seconds : NaN,
      cpuPer1000: ((after.cpu - before.cpu) * 1000) / count.messages,
      peakMB: after.peakMB,
      cut: count.messages < scenario.count || finished === null,
      refused: result.refused ?? 0,
    };
  } catch (error) {
    throw new Error(`${subject}, ${scenario.name}: ${error.message}; sink: ${sink.said}`);
  } finally {
    await under.end();
    await end(sink);
  }
}

const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1];

function summary(rounds) {
  const all = {};
  for (const key of Object.keys(rounds[0])) all[key] = key === 'cut' ? rounds.some((r) => r.cut) : median(rounds.map((r) => r[key]));
  return all;
}

const number = (value, digits = 0) =>
  Number.isNaN(value) ? '-' : value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });

function print(name, subject, m, ratio) {
  const cells = [
    number(m.upPerSecond) + (m.cut ? '*' : ''), number(m.answersPerSecond), number(m.p50, 2), number(m.p99, 2),
    number(m.receiptsPerSecond), number(m.receipt50, 1), number(m.cpuPer1000, 3), number(m.peakMB), ratio ? number(ratio, 2) : '',
  ];
  console.log(name.padEnd(44) + subject.padEnd(11) + cells.map((c) => c.padStart(9)).join(''));
}

const machine = `${os.cpus().length} cores ${os.cpus()[0].model}, Linux ${os.release()}, Node ${process.versions.node}`;
console.log(`${machine}\nmedian of ${options.rounds} rounds; both subjects by turns; one text of 100 characters; 14 connections upstream`);
console.log(
  ''.padEnd(55) +
    ['up/s', 'answers/s', 'p50 ms', 'p99 ms', 'rcpts/s', 'rcpt p50', 'CPU s/1k', 'peak MB', 'x Node'].map((c) => c.padStart(9)).join(''),
);
const batches = accepts({ upstream: { batch: { max: 100 } } });
const results = [], peaks = {}, judged = [];
for (const scenario of scenarios) {
  if (scenario.batch > 1 && !batches) {
    console.log(`${scenario.name.padEnd(44)}batching is not in this version`);
    continue;
  }
  if (scenario.half) {
    if (!peaks[scenario.half]) continue;
    scenario.rate = Math.round(peaks[scenario.half] / 2);
    scenario.count = scenario.rate * HALF_S;
  }
  const measured = { node: [], smppbridge: [] };
  for (let round = 0; round < Number(options.rounds); round++)
    for (const subject of options['no-node'] || scenario.half ? ['smppbridge'] : ['node', 'smppbridge'])
      measured[subject].push(await measure(subject, scenario));
  const node = measured.node.length ? summary(measured.node) : null;
  const ours = summary(measured.smppbridge);
  if (node) print(scenario.name, 'node', node);
  print(node ? '' : scenario.name, 'smppbridge', ours, node && ours.upPerSecond / node.upPerSecond);
  peaks[scenario.name] = ours.upPerSecond;
  for (const [key, aim] of Object.entries(scenario.limits ?? {})) {
    const limit = key === 'cpuPer1000' && node ? (aim * node.cpuPer1000) / NODE_CPU : aim;
    judged.push({ name: scenario.name, key, value: ours[key], limit });
  }
  results.push({ scenario: scenario.name, node, smppbridge: ours });
}
console.log('* cut after 12 s: the rate is what had arrived by then');
const titles = { p99: ['p99 of submit_sm to its answer', 'ms', 1], cpuPer1000: ['CPU per 1,000 messages', 's', 3] };
for (const { name, key, value, limit } of judged) {
  const [title, unit, digits] = titles[key];
  console.log(`${name}: ${title} ${number(value, digits)} ${unit}   limit ${number(limit, digits)}${value > limit ? '   BROKEN' : ''}`);
  if (value > limit) process.exitCode = 1;
}
if (options.json) console.log(JSON.stringify(results));
