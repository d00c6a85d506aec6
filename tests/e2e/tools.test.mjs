// tools.test.mjs - the program as people and scripts meet it: lab, send, listen, check, run; what they print, how they
// end [interface.md 1, 6.12].
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Daemon } from './lib/daemon.mjs';
import { binary, Gateway, startWorld, until } from './lib/world.mjs';

const directory = mkdtempSync(path.join(os.tmpdir(), 'smppbridge-tools-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const run = (...args) => spawnSync(binary, args, { encoding: 'utf8', timeout: 30000 });
const anyPorts = ['--smpp-port', '0', '--admin-port', '0', '--callback-port', '0', '--simulator-port', '0'];

describe('lab', () => {
  let lab, url, simulator;
  before(async () => {
    lab = new Daemon('lab', binary, ['lab', ...anyPorts, '--seed', '7']);
    const line = await lab.line(/smpp:\/\/demo:demo@127\.0\.0\.1:\d+/);
    url = line.match(/smpp:\/\/demo:demo@127\.0\.0\.1:\d+/)[0];
    await lab.line(/smppbridge send/);
    [simulator] = lab.lines.join('\n').match(/http:\/\/127\.0\.0\.1:\d+(?=[^\n]*simul)|(?<=imulat[^\n]*)http:\/\/127\.0\.0\.1:\d+/i) ?? [];
  });
  after(() => lab?.stop('SIGKILL'));

  test('prints where everything is and a command to try', () => {
    const said = lab.lines.join('\n');
    assert.match(said, /smpp:\/\/demo:demo@127\.0\.0\.1:[1-9]\d*/);
    assert.ok(simulator, `the simulator's address in:\n${said}`);
    assert.match(said, /smppbridge send .*--wait/);
  });

  test('the command it prints works as printed', () => {
    const [command] = lab.lines.join('\n').match(/smppbridge send .*/);
    const { status, stdout, stderr } = spawnSync('sh', ['-c', command], {
      encoding: 'utf8', timeout: 30000, env: { ...process.env, PATH: `${path.dirname(binary)}:${process.env.PATH}` },
    });
    assert.equal(status, 0, stdout + stderr);
  });

  test('send --wait prints the receipt and ends with 0', () => {
    const { status, stdout, stderr } = run('send', '--url', url, '--to', '79991234567', '--text', 'Hello', '--wait');
    assert.equal(status, 0, stderr);
    const [, accepted] = stdout.match(/accepted id:([1-9]\d{17,18})/);
    assert.match(stdout, new RegExp(`receipt id:${accepted} stat:DELIVRD err:000`));
  });

  test('send --wait of what is not delivered ends with 1', async () => {
    await fetch(`${simulator}/lab/behaviour`, { method: 'PUT', body: JSON.stringify({ delivered: 0, failures: '20/6' }) });
    const { status, stdout } = run('send', '--url', url, '--to', '79991234568', '--text', 'Hello', '--wait');
    await fetch(`${simulator}/lab/behaviour`, { method: 'PUT', body: JSON.stringify({ delivered: 1 }) });
    assert.equal(status, 1);
    assert.match(stdout, /stat:UNDELIV err:006/);
  });

  test('send with a wrong password ends with 1 and says why', () => {
    const { status, stderr } = run('send', '--url', url.replace(':demo@', ':no@'), '--to', '79991234567', '--text', 'Hello');
    assert.equal(status, 1);
    assert.match(stderr, /bind refused.*0x0000000E/i);
  });

  test('listen prints each deliver_sm as one JSON object a line', async () => {
    const listen = new Daemon('listen', binary, ['listen', '--url', url]);
    try {
      await listen.line(/bound/);
      await fetch(`${simulator}/lab/incoming`, { method: 'POST', body: JSON.stringify({ phone: '79995556677', to: '79037672215', text: 'Привет' }) });
      const got = JSON.parse(await listen.line(/^\{.*Привет/));
      assert.equal(got.text, 'Привет');
    } finally {
      await listen.stop();
    }
  });

  test('listen ends where it cannot write, and leaves the message to the next one', async () => {
    const write = (text) => fetch(`${simulator}/lab/incoming`, { method: 'POST', body: JSON.stringify({ phone: '79995556677', to: '79037672215', text }) });
    const full = openSync('/dev/full', 'w');
    const child = spawn(binary, ['listen', '--url', url], { stdio: ['ignore', full, 'pipe'] });
    closeSync(full);
    let said = '';
    child.stderr.on('data', (data) => { said += data; });
    try {
      await until('bound', () => said.includes('bound'));
      await write('into the void');
      await until('its end', () => child.exitCode !== null);
      assert.equal(child.exitCode, 1);
      assert.match(said, /cannot write/);
    } finally {
      child.kill('SIGKILL');
    }
    const next = new Daemon('listen', binary, ['listen', '--url', url, '--count', '1']);
    try {
      assert.equal(JSON.parse(await next.line(/^\{/)).text, 'into the void');
    } finally {
      await next.stop();
    }
  });

  test('a mistyped --url is not shown: it has a password', () => {
    for (const command of ['send', 'listen', 'load']) {
      const { status, stderr } = run(command, '--url', 'smpp://demo:hunter2', '--to', '79991234567', '--text', 'x');
      assert.equal(status, 2);
      assert.doesNotMatch(stderr, /hunter2/);
    }
  });

  test('load prints throughput and latencies, and ends with 0 when all were accepted', () => {
    const { status, stdout, stderr } = run('load', '--url', url, '--count', '200', '--window', '20', '--binds', '2', '--receipts', '--quiet');
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout, /accepted 200/);
    assert.match(stdout, /submit to response .*p50 .*p90 .*p99 .*max/);
    assert.match(stdout, /submit to receipt .*p50/);
    assert.match(stdout, /DELIVRD\D+200/);
  });

  test('send: every field as it was asked for; octets as they are; long texts in each way', async () => {
    const fields = ['--system-type', 'TEST', '--smpp-version', '5.0', '--service-type', 'HLR', '--source-ton', '2', '--source-npi', '8', '--dest-ton', '2',
      '--dest-npi', '3', '--priority', '1', '--validity', '000000010000000R', '--protocol-id', '5'];
    const hlr = run('send', '--url', url, '--to', '79991234569', '--text', 'x', '--from', '123', '--wait', ...fields);
    assert.equal(hlr.status, 0, hlr.stderr);
    const last = async (phone) => (await (await fetch(`${simulator}/lab/messages?phone=${phone}`)).json()).items;
    assert.equal((await last('79991234569'))[0].type, 4); // the service_type made it an HLR request
    assert.equal(run('send', '--url', url, '--to', '79991234570', '--hex', '050003070101ff', '--esm-class', '64', '--wait').status, 0);
    assert.match((await last('79991234570'))[0].text, /050003070101ff/i);
    const long = 'Съешь ещё этих мягких французских булок. '.repeat(5).trim();
    for (const way of ['payload', 'udh', 'sar']) {
      const sent = run('send', '--url', url, '--to', '79991234571', '--text', `${way} ${long}`, '--long', way, '--wait');
      assert.equal(sent.status, 0, sent.stderr);
      assert.equal((await last('79991234571'))[0].text, `${way} ${long}`);
    }
    for (const wrong of [['--hex', 'abc'], ['--text', 'a', '--hex', '00'], ['--text', 'a', '--smpp-version', '4'], ['--text', 'a', '--data-coding', '256']])
      assert.equal(run('send', '--url', url, '--to', '79991234572', ...wrong).status, 2, wrong.join(' '));
  });

  test('load: paced, over several binds, long Unicode texts, progress, a report as JSON', () => {
    const { status, stdout, stderr } = run('load', '--url', url, '--count', '60', '--rate', '40', '--window', '5', '--binds', '3', '--receipts', '--json',
      '--text', 'Очень длинное сообщение с номером #### '.repeat(4), '--to', '7916222####', '--source-ton', '5');
    assert.equal(status, 0, stdout + stderr);
    const report = JSON.parse(stdout);
    assert.deepEqual([report.sent, report.accepted, report.receipts, report.receipts_missing, report.binds], [60, 60, 60, 0, 3]);
    assert.deepEqual([report.statuses, report.stats], [{ 'ESME_ROK 0x00': 60 }, { DELIVRD: 60 }]);
    assert.ok(report.seconds >= 1.2 && report.per_second <= 50, `paced: ${stdout}`);
    for (const one of [report.response_ms, report.receipt_ms]) assert.ok(one.count === 60 && one.p50 > 0 && one.p50 <= one.p99 && one.p99 <= one.max);
    assert.match(stderr, /\d+\.\d s +sent \d+ +answered \d+ \(\d+\/s\) +refused 0 +receipts \d+ +p99 [\d.]+ ms/);
  });

  test('SIGTERM ends it with 0 and leaves no files behind', async () => {
    const { code, signal } = await lab.stop('SIGTERM');
    assert.deepEqual({ code, signal }, { code: 0, signal: null });
  });
});

describe('a port that is taken', () => {
  let server, port;
  before(async () => {
    server = net.createServer();
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    ({ port } = server.address());
  });
  after(() => server.close());

  for (const option of ['--smpp-port', '--callback-port', '--simulator-port'])
    test(`lab ${option}: status 1, the port and the option are named`, () => {
      const args = [...anyPorts];
      args[args.indexOf(option) + 1] = String(port);
      const { status, stdout, stderr } = run('lab', ...args);
      assert.equal(status, 1);
      assert.match(stdout + stderr, new RegExp(String(port)));
      assert.match(stdout + stderr, new RegExp(option));
    });

  test('run: status 1, the address is named', async () => {
    const gateway = new Gateway();
    gateway.port = port;
    await assert.rejects(gateway.start('http://127.0.0.1:9'), /ended without/);
    assert.match(gateway.lines.join('\n'), new RegExp(`127\\.0\\.0\\.1:${port}`));
    assert.equal((await gateway.exited).code, 1);
    gateway.clean();
  });
});

describe('wrong usage is status 2', () => {
  for (const args of [
    [], ['frobnicate'], ['run', '--frobnicate'], ['send'], ['send', '--text', 'no number'], ['send', '--to', '7999'],
    ['send', '--to', '7999', '--text', 'x', '--url', 'http://x'], ['load', '--window', '0'], ['lab', '--seed', 'x'],
    ['lab', '--smpp-port', '70000'], ['check', '-c', '/nonexistent/file.json'], ['run', '-c', '/nonexistent/file.json'],
    ['simulator', '--listen', 'nowhere'],
  ])
    test(`smppbridge ${args.join(' ')}`, () => {
      const { status, stderr } = run(...args);
      assert.equal(status, 2);
      assert.notEqual(stderr, '', 'says why');
    });

  for (const command of ['run', 'check', 'lab', 'simulator', 'send', 'listen', 'load'])
    test(`smppbridge ${command} --help is status 0`, () => {
      const { status, stdout } = run(command, '--help');
      assert.equal(status, 0);
      assert.match(stdout, new RegExp(`smppbridge ${command}`));
    });

  test('smppbridge --help and --version', () => {
    assert.equal(run('--help').status, 0);
    assert.match(run('--version').stdout, /^smppbridge \d+\.\d+/);
  });
});

describe('check', () => {
  const write = (name, text) => {
    const file = path.join(directory, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };

  test('a good file: status 0, and it says what would be done', async () => {
    const gateway = new Gateway();
    await gateway.prepare();
    const file = write('good.json', JSON.stringify(gateway.config('http://127.0.0.1:9')));
    const { status, stdout } = run('check', '-c', file);
    assert.equal(status, 0, stdout);
    assert.match(stdout, /demo/);
    assert.doesNotMatch(stdout, /"123"|secret\b.*secret\b/, 'no secrets');
    gateway.clean();
  });

  test('a bad file: every mistake at once, each with its place and remedy; status 2', () => {
    const file = write('bad.json', `{
      // comments are allowed
      "smpp": { "listen": ["127.0.0.1:notaport"], "bind_timeout": "10 parsecs", "frobnicate": 1 },
      "esmes": [ { "system_id": "a", "password": "b", "window": 0 }, { "system_id": "a" } ],
      "upstreams": [ { "name": "smsc", "urls": ["ftp://x"], "login": "x", "connections": "many" } ],
      "log": { "level": "loud" }
    }`);
    const { status, stdout, stderr } = run('check', '-c', file);
    const said = stdout + stderr;
    assert.equal(status, 2);
    for (const key of ['smpp.listen', 'smpp.bind_timeout', 'smpp.frobnicate', 'esmes[0].window', 'esmes[1]', 'upstreams[0].urls', 'upstreams[0].connections', 'log.level'])
      assert.ok(said.includes(key), `${key} in:\n${said}`);
    assert.ok(said.includes('bad.json'), 'the file');
    assert.match(said, /1\.\.100000/, 'what would be right');
  });

  test('a file that is no JSON: the line is named', () => {
    const { status, stdout, stderr } = run('check', '-c', write('broken.json', '{\n  "smpp": {\n  oops\n}'));
    assert.equal(status, 2);
    assert.match(stdout + stderr, /line 3/);
  });

  test('run refuses the same file in the same words', () => {
    const { status, stderr } = run('run', '-c', path.join(directory, 'bad.json'));
    assert.equal(status, 2);
    assert.match(stderr, /smpp\.frobnicate/);
  });
});

describe('the end of run', () => {
  test('SIGTERM: what is under way is finished, sessions are unbound, status 0', async () => {
    const world = await startWorld();
    await world.simulator.behave({ latency_min_ms: 300, latency_max_ms: 300 });
    const esme = await world.esme();
    let unbound = false;
    esme.session.on('unbind', (pdu) => {
      unbound = true;
      esme.session.send(pdu.response());
    });
    const answers = await Promise.all(Array.from({ length: 5 }, (_, i) => esme.submit({ destination_addr: `7999111000${i}` })));
    assert.ok(answers.every((a) => a.command_status === 0));
    const { code, signal } = await world.gateway.kill('SIGTERM');
    assert.deepEqual({ code, signal }, { code: 0, signal: null });
    assert.ok(unbound, 'unbind came before the end');
    // what had not left waits in the store, nothing is lost or doubled
    await world.gateway.start();
    await until('all are upstream', async () => (await world.simulator.accepted()).accepted >= 5);
    assert.equal((await world.simulator.accepted()).duplicates, 0);
    await world.end();
  });

  test('a second SIGTERM ends at once', async () => {
    const world = await startWorld({ drain_timeout: '30s' });
    await world.simulator.behave({ hang: 1 });
    const esme = await world.esme();
    await esme.submit();
    await until('the request is under way', async () => (await world.simulator.accepted()).accepted >= 1);
    const started = Date.now();
    world.gateway.child.kill('SIGTERM');
    await world.gateway.line(/drain|stopp/i);
    world.gateway.child.kill('SIGTERM');
    await world.gateway.exited;
    assert.ok(Date.now() - started < 5000);
    await world.end();
  });

  for (const [signal, times] of [['SIGINT', 5], ['SIGTERM', 5]])
    test(`${signal} as soon as it listens is a drain as well`, async (t) => {
      for (let i = 0; i < times; i++) {
        const world = await startWorld();
        t.after(() => world.end());
        assert.deepEqual(await world.gateway.kill(signal), { code: 0, signal: null });
      }
    });
});
