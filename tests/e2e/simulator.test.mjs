// simulator.test.mjs - the simulated aggregator judged by clients nobody here wrote: node-smsc, soap, curl.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { Daemon } from './lib/daemon.mjs';
import { Simulator, binary, until } from './lib/world.mjs';

const require = createRequire(import.meta.url);
const smsc = require('node-smsc');
const soap = require('soap');
const curl = promisify(execFile).bind(null, 'curl');

let simulator;
let handler;
const callbacks = [];

before(async () => {
  handler = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => (body += part));
    request.on('end', () => {
      callbacks.push(Object.fromEntries(new URLSearchParams(body)));
      response.end();
    });
  });
  await new Promise((resolve) => handler.listen(0, '127.0.0.1', resolve));
  simulator = await new Simulator().start({ callback: `http://127.0.0.1:${handler.address().port}/?charset=utf-8` });
});
after(async () => {
  await simulator?.kill('SIGTERM');
  handler?.close();
});

test('node-smsc sends, asks for the status and the balance', async () => {
  const client = smsc({ login: 'alex', password: '123', request: `${simulator.url}/sys/` });
  const sent = await client.send({ phones: '79161234567', mes: 'Привет, мир', id: 41, cost: 3 });
  assert.equal(sent.id, 41);
  assert.equal(sent.cnt, 1);
  assert.equal(sent.cost, '1.65');
  await until('the callback', () => callbacks.find((c) => c.id === '41' && c.status === '1'));
  const status = await client.status({ phone: '79161234567', id: 41, all: 1 });
  assert.equal(status.status, 1);
  assert.equal(status.message, 'Привет, мир');
  assert.ok(Number((await client.balance()).balance) > 0);
  await assert.rejects(client.send({ phones: '12', mes: 'x' }), /invalid number/);
});

test('the npm package soap reads the WSDL and calls the operations', async () => {
  const client = await soap.createClientAsync(`${simulator.url}/sys/soap.php?wsdl`);
  const [sent] = await client.send_smsAsync({ login: 'alex', psw: '123', phones: '79161234568', mes: 'Hello', id: 's-1', sender: '', time: '0' });
  assert.equal(sent.sendresult.id, 's-1');
  assert.equal(sent.sendresult.cnt, '1');
  const [two] = await client.send_sms2Async({ login: '', psw: '', phones: '79161234568,5', mes: 'Да & нет', query: 'apikey=lab&err=1&id=s-2' });
  assert.equal(two.sendresult.id, 's-2');
  await until('the callback', () => callbacks.find((c) => c.id === 's-1'));
  const [status] = await client.get_statusAsync({ login: 'alex', psw: '123', phone: '79161234568', id: 's-1', all: '1' });
  assert.equal(status.statusresult.status, '1');
  assert.equal(status.statusresult.message, 'Hello');
  const [balance] = await client.get_balanceAsync({ login: 'alex', psw: '123' });
  assert.equal(balance.balanceresult.error, '0');
  const [cost] = await client.get_sms_cost2Async({ login: 'alex', psw: '123', phones: '79161234568', mes: 'a', query: 'maxsms=1' });
  assert.equal(cost.costresult.cost, '1.65');
  const [again] = await client.get_status2Async({ login: '', psw: '', phone: '79161234568', id: 's-1', all: '2', query: 'apikey=lab' });
  assert.equal(again.statusresult.operator, 'МТС');
  assert.equal(Object.keys(client.describe().Service.ServiceSoap).length, 7);
  const [wrong] = await client.get_sms_costAsync({ login: 'alex', psw: 'x', phones: '79161234568', mes: 'a' });
  assert.equal(wrong.costresult.error, '2');
});

const sys = async (url, method, fields) => {
  const body = new URLSearchParams({ login: 'alex', psw: '123', charset: 'utf-8', fmt: '1', ...fields });
  return (await fetch(`${url}/sys/${method}.php`, { method: 'POST', body })).text();
};

test('its clock runs as fast as asked, and can be set forward', async () => {
  const far = async (id, minutes) =>
    assert.equal(await sys(simulator.url, 'send', { phones: '79161234570', mes: `at ${id}`, id, time: `+${minutes}` }), `${id},1`);
  const callback = (id) => until('the callback', () => callbacks.find((c) => c.id === String(id) && c.status === '1'));
  await far(901, 60);
  await simulator.behave({ speed: 30000 });
  const called = await callback(901);
  assert.ok(Number(called.ts) * 1000 > Date.now() + 59 * 60000);
  await simulator.behave({ speed: 1 });
  await far(902, 60 * 24);
  const { time_s } = await simulator.get('/lab/behaviour');
  await simulator.behave({ time_s: time_s + 86500 });
  await callback(902);
  await assert.rejects(simulator.behave({ time_s: 5 }), /forward/);
});

test('a script may hold several accounts', async () => {
  const file = path.join(mkdtempSync(path.join(os.tmpdir(), 'smppbridge-script-')), 'script.json');
  writeFileSync(file, JSON.stringify({ balance: '10', accounts: [{ login: 'bob', password: 'p', api_key: 'k', balance: '7' }] }));
  const two = await new Simulator().start({ args: ['--script', file] });
  assert.equal(await sys(two.url, 'balance', {}), '10');
  assert.equal(await sys(two.url, 'balance', { login: 'bob', psw: 'p' }), '7');
  assert.equal(await sys(two.url, 'send', { login: 'bob', psw: 'p', phones: '79161234571', mes: 'a', id: '5' }), '5,1');
  assert.equal((await two.get('/lab/messages?account=bob')).items.length, 1);
  assert.equal((await two.get('/lab/messages')).items.length, 0);
  await two.kill('SIGTERM');
  rmSync(path.dirname(file), { recursive: true });
});

test('a job sends at its time to a group, and once more where it failed', async () => {
  const id = async (method, fields) => {
    const text = await sys(simulator.url, method, { add: '1', ...fields });
    assert.match(text, /^\d+$/);
    return text;
  };
  const group = await sys(simulator.url, 'phones', { add_group: '1', name: 'Friends' });
  for (const phone of ['79161230001', '79000001006']) await id('phones', { phone, grp: group });
  const template = await id('templates', { name: 'News', msg: 'Новости дня' });
  const job = await id('jobs', { name: 'Morning', phones: `G${group}`, tpl: template, time: '+60', id: 'job-1', mes2: 'Ещё раз' });
  assert.match(await sys(simulator.url, 'jobs', { get: '1', id: job }), /,0,,0$/); // it has not run
  assert.equal((await simulator.get('/lab/messages?id=job-1')).items.length, 0);
  await simulator.behave({ time_s: (await simulator.get('/lab/behaviour')).time_s + 3700 });
  await until('all have ended, one of them twice', () => callbacks.filter((c) => c.id === 'job-1').length === 3);
  const texts = (await simulator.get('/lab/messages?id=job-1')).items.map(({ phone, text }) => `${phone} ${text}`).sort();
  assert.deepEqual(texts, ['79000001006 Ещё раз', '79000001006 Новости дня', '79161230001 Новости дня']);
  assert.match(await sys(simulator.url, 'jobs', { get: '1', id: job }), /,1,job-1,0$/);
});

test('a subclient sends for the money it was given', async () => {
  assert.match(await sys(simulator.url, 'users', { add: '1', user: 'sub', password: 'pw' }), /^\d+$/);
  const asSub = { login: 'sub', psw: 'pw' };
  assert.equal(await sys(simulator.url, 'send', { ...asSub, phones: '79161234573', mes: 'a', id: '1' }), '1,-3');
  assert.equal(await sys(simulator.url, 'users', { pay: '1', user: 'sub', sum: '5' }), 'OK');
  assert.equal(await sys(simulator.url, 'send', { ...asSub, phones: '79161234573', mes: 'b', id: '2', cost: '3' }), '2,1,1.65,3.35');
  assert.equal(await sys(simulator.url, 'users', { get_stat: '1', user: 'sub' }), 'sub,1,1.65,5,RUR');
});

test('JSON replies are the recorded ones, byte for byte', async () => {
  const own = await new Simulator().start();
  const raw = async (method, fields) => {
    const reply = await fetch(`${own.url}/sys/${method}.php`, { method: 'POST', body: new URLSearchParams({ login: 'alex', psw: '123', fmt: '3', ...fields }) });
    assert.deepEqual([reply.status, reply.headers.get('content-type')], [200, 'application/json; charset=windows-1251']);
    const body = await reply.text();
    assert.equal(reply.headers.get('content-length'), String(Buffer.byteLength(body)));
    return body;
  };
  await own.behave({ balance: '1871.62', time_s: Math.ceil(Date.now() / 1000) + 5 });
  assert.equal(await raw('balance', {}), '{\n"balance": "1871.62"\n}');
  assert.equal(await raw('send', { id: '33', phones: '79161234567', mes: 'a' }), '{\n"id": 33,\n"cnt": 1\n}');
  assert.equal(await raw('send', { id: '34', phones: '12', mes: 'a' }), '{\n"error": "invalid number",\n"error_code": 7,\n"id": 34\n}');
  assert.equal(await raw('send', { psw: 'no' }), '{\n"error": "authorise error",\n"error_code": 2\n}');
  await raw('send', { id: '35', phones: '79161234567', mes: 'b' });
  assert.equal(await raw('send', { id: '35', phones: '79161234567', mes: 'b' }), '{\n"error": "duplicate request, wait a minute",\n"error_code": 9\n}');
  await until('it is delivered', async () => (await own.get('/lab/messages?id=33')).items[0].status === 1);
  const { changed_ms } = (await own.get('/lab/messages?id=33')).items[0];
  const moscow = new Date(changed_ms + 3 * 3600000).toISOString();
  const date = `${moscow.slice(8, 10)}.${moscow.slice(5, 7)}.${moscow.slice(0, 4)} ${moscow.slice(11, 19)}`;
  const status = await raw('status', { phone: '79161234567', id: '33' });
  assert.equal(status, `{\n"status": 1,\n"last_date": "${date}",\n"last_timestamp": ${Math.floor(changed_ms / 1000)}\n}`);
  assert.equal(status.length, 81);
  assert.equal(await raw('status', { phone: '79161234567', id: '33', del: '1' }), 'OK');
  await own.kill('SIGTERM');
});

test('beyond loopback it wants a token, warns, and asks for it', async () => {
  const run = promisify(execFile);
  const refused = await run(binary, ['simulator', '--listen', '0.0.0.0:0']).catch((error) => error);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /not loopback: a token is needed/);
  const open = new Daemon('simulator', binary, ['simulator', '--listen', '0.0.0.0:0', '--token', 'open sesame']);
  await open.line(/warning: whoever reaches this address/);
  const [, port] = (await open.line(/simulator on/)).match(/:(\d+)\//);
  const outside = Object.values(os.networkInterfaces()).flat().find((i) => !i.internal && i.family === 'IPv4');
  if (outside) { // a machine without a network has no outside
    const where = `http://${outside.address}:${port}/lab/accepted`;
    assert.equal((await fetch(where)).status, 403);
    assert.equal((await fetch(where, { headers: { Authorization: 'Bearer wrong' } })).status, 403);
    assert.equal((await fetch(where, { headers: { Authorization: 'Bearer open sesame' } })).status, 200);
  }
  await open.stop();
});

test('curl sends a form in parts', async () => {
  const { stdout } = await curl(['-s', '-F', 'login=alex', '-F', 'psw=123', '-F', 'phones=79161234569', '-F', 'mes=Hello', '-F', 'fmt=1', '-F', 'id=7',
    `${simulator.url}/sys/send.php`]);
  assert.equal(stdout, '7,1');
  const { items } = await simulator.get('/lab/messages?phone=79161234569');
  assert.equal(items[0].text, 'Hello');
  const picture = path.join(mkdtempSync(path.join(os.tmpdir(), 'smppbridge-file-')), 'picture.jpg');
  writeFileSync(picture, Buffer.from([0xff, 0xd8, 0, 13, 10, 0x2d, 0x2d, 0xff]));
  const mms = await curl(['-s', '-F', 'login=alex', '-F', 'psw=123', '-F', 'phones=79161234569', '-F', 'mms=1', '-F', 'subj=Cat', '-F', 'fmt=1',
    '-F', 'id=8', '-F', `file0=@${picture}`, `${simulator.url}/sys/send.php`]);
  assert.equal(mms.stdout, '8,1');
  assert.deepEqual((await simulator.get('/lab/messages?id=8')).items[0].extras, { subj: 'Cat', files: '1 (8 bytes)' });
  rmSync(path.dirname(picture), { recursive: true });
});
