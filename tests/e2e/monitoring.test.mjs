// monitoring.test.mjs - the alert rules and the Grafana dashboard ask for series a working gateway really has, by name, label
// and value; the rules are read by promtool, and so is /metrics after all kinds of things have happened.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { receiptOf, startWorld, until } from './lib/world.mjs';

const root = new URL('../..', import.meta.url).pathname;
const promtool = spawnSync('sh', ['-c', 'command -v promtool']).status === 0;
let world, text, series;

before(async () => {
  world = await startWorld({ esmes: [
    { system_id: 'demo', password: 'demo', upstream: 'smsc', rate: 0 },
    { system_id: 'slow', password: 'slow', upstream: 'smsc', rate: 1, burst: 1, delay_budget: '0s' },
  ] });
  const esme = await world.esme();
  const slow = await world.esme('bind_transceiver', { system_id: 'slow', password: 'slow' });
  const wrong = await world.esme('bind_transceiver', { system_id: 'demo', password: 'wrong' });
  assert.notEqual(wrong.bindResponse.command_status, 0);
  const { message_id } = await esme.submit();
  await esme.delivery((pdu) => receiptOf(pdu).id === message_id);
  await until('it is throttled', async () => (await slow.submit()).command_status === 0x58);
  await world.gateway.admin('GET', '/v1/smsc/smsc/balance');
  ({ text } = await world.gateway.admin('GET', '/metrics'));
  series = [...text.matchAll(/^(smppbridge_\w+)(?:\{(.*)\})? \S+$/gm)].map(([, name, labels]) => ({
    name, labels: Object.fromEntries([...(labels ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, value]) => [key, value])),
  }));
  for (const one of [esme, slow, wrong]) await one.close();
});
after(() => world?.end());

/** What an expression selects, and the labels it groups by. */
function* selectors(expr) {
  for (const [, name, labels] of expr.matchAll(/(smppbridge_\w+)(?:\{([^}]*)\})?/g))
    yield { name, matchers: [...(labels ?? '').matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)].map(([, key, how, value]) => ({ key, how, value })) };
}

function holds(expr, where) {
  const names = [];
  for (const { name, matchers } of selectors(expr)) {
    names.push(name);
    const named = series.filter((s) => s.name === name);
    assert.ok(named.length > 0, `${where}: no series ${name}`);
    for (const { key, how, value } of matchers) {
      assert.ok(named.some((s) => key in s.labels), `${where}: ${name} has no label ${key}`);
      if (how === '=') assert.ok(named.some((s) => s.labels[key] === value), `${where}: ${name} is never ${key}="${value}"`);
    }
  }
  for (const [, labels] of expr.matchAll(/\bby \(([^)]*)\)/g))
    for (const label of labels.split(/,\s*/))
      assert.ok(series.some((s) => names.includes(s.name) && label in s.labels), `${where}: nothing has the label ${label}`);
}

test('/metrics is what promtool takes, and holds no message', { skip: !promtool && 'no promtool' }, () => {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
  assert.ok(!text.includes('79990000001'));
});

test('each alert rule asks for what there is', () => {
  const file = path.join(root, 'config/prometheus/smppbridge.rules.yml');
  const exprs = [...readFileSync(file, 'utf8').matchAll(/alert: (\w+)\n\s+expr: (.*)/g)];
  assert.ok(exprs.length >= 7);
  for (const [, alert, expr] of exprs) holds(expr, alert);
  if (promtool) assert.equal(spawnSync('promtool', ['check', 'rules', file]).status, 0);
});

test('each panel of the Grafana dashboard asks for what there is', () => {
  const { panels } = JSON.parse(readFileSync(path.join(root, 'config/grafana/smppbridge.json'), 'utf8'));
  assert.ok(panels.length > 5);
  for (const { title, targets } of panels) for (const { expr } of targets) holds(expr, title);
});

test('what happened is counted where the contract says', () => {
  const value = (line) => Number(text.match(new RegExp(`^${line.replace(/[{}|]/g, '\\$&')} (\\S+)$`, 'm'))?.[1]);
  assert.ok(value('smppbridge_throttled_total{system_id="slow"}') >= 1);
  assert.ok([0, 1].includes(value('smppbridge_rate_headroom_messages{system_id="slow"}')), 'no more than its burst');
  assert.match(text, /^smppbridge_rate_headroom_messages\{system_id="demo"\} \+Inf$/m);
  assert.ok(value('smppbridge_receipts_total{system_id="demo",stat="DELIVRD"}') >= 1);
  assert.ok(value('smppbridge_sessions{system_id="demo",type="transceiver"}') >= 1);
  assert.ok(Number.isFinite(value('smppbridge_upstream_balance{upstream="smsc"}')));
});
