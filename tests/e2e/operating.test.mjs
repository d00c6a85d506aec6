// operating.test.mjs - the operator's guide and the man page are true: each command in them is run, their configuration is
// the one the gateway under test has, and Kannel binds as they say. What needs root or systemd is run as what it stands
// for, by name: STANDS_FOR.
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Daemon, has } from './lib/daemon.mjs';
import { binary, Esme, freePort, Gateway, Simulator, until } from './lib/world.mjs';

const root = new URL('../..', import.meta.url).pathname;
const guide = readFileSync(path.join(root, 'config/OPERATING.md'), 'utf8');
const man = readFileSync(path.join(root, 'config/man/smppbridge.1'), 'utf8');
const block = (language) => guide.match(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``))[1];
const commands = [...guide.replace(/^```[\s\S]*?^```/gm, '').matchAll(/^ {4}(\S.*)$/gm)].map((m) => m[1]);
const examples = man.match(/\.SH EXAMPLES\n\.nf\n([\s\S]*?)\.fi/)[1].replaceAll('\\-', '-').trim().split('\n');

const read = (file) => readFileSync(path.join(root, file), 'utf8');
/** Lines that need root, dpkg or systemd, and how the same is seen here. */
const STANDS_FOR = {
  'dpkg -i smppbridge_*.deb': () => assert.match(read('tests/e2e/package.test.mjs'), /execFileSync\('dpkg', \['-i', deb\]/), // installed there
  'cp /usr/share/doc/smppbridge/examples/smppbridge.json /etc/smppbridge/smppbridge.json': () => {
    assert.match(read('cmake/package.cmake'), /config\/examples .*DESTINATION \$\{CMAKE_INSTALL_DOCDIR\}/);
    copyFileSync(path.join(root, 'config/examples/smppbridge.json'), path.join(gateway.directory, 'example.json'));
  },
  'chown root:smppbridge /etc/smppbridge/smppbridge.json': () => assert.match(read('config/deb/postinst'), /smppbridge/),
  'systemctl enable --now smppbridge': () => unit('ExecStart=/usr/bin/smppbridge run -c /etc/smppbridge/smppbridge.json'),
  'systemctl reload smppbridge': () => unit('ExecReload=/bin/kill -HUP $MAINPID'),
  'systemctl restart smppbridge': () => unit('TimeoutStopSec='),
  'journalctl -u smppbridge -p warning': () => assert.match(read('tests/unit/test_log.c'), /the_journal_is_told_priorities/),
};
const unit = (line) => assert.ok(read('config/systemd/smppbridge.service').includes(line), line);

let gateway, simulator, tools, config;

/** The guide's paths, ports and secrets, as they are here. */
const here = (text) =>
  text.replaceAll('/etc/smppbridge/smppbridge.json', gateway.file).replaceAll('/etc/smppbridge', gateway.directory)
    .replaceAll('/var/lib/smppbridge', gateway.directory).replaceAll('127.0.0.1:8081', `127.0.0.1:${gateway.adminPort}`)
    .replaceAll('0.0.0.0:8080', `127.0.0.1:${gateway.callbackPort}`).replaceAll(':2775', `:${gateway.port}`).replaceAll('PASSWORD', 'pw');

before(async () => {
  gateway = await new Gateway().prepare();
  gateway.file = path.join(gateway.directory, 'gateway.json');
  tools = path.join(gateway.directory, 'bin');
  mkdirSync(tools);
  symlinkSync(path.resolve(binary), path.join(tools, 'smppbridge'));
  for (const [name, secret] of [['shop.password', 'pw'], ['smsc.password', '123'], ['callback.secret', 'SECRET'], ['admin.token', 'token']])
    writeFileSync(path.join(gateway.directory, name), `${secret}\n`, { mode: 0o600 });
  const [, handler] = guide.match(/Handler address: `([^`]+)`/);
  simulator = await new Simulator().start({ callback: handler.replace('HOST:8080', `127.0.0.1:${gateway.callbackPort}`) });
  config = JSON.parse(here(block('jsonc')).replace('https://smsc.ru', simulator.url).replace('10.0.0.0/8', '127.0.0.0/8'));
  gateway.config = () => ({ ...config, smpp: { listen: [`127.0.0.1:${gateway.port}`] }, store: { url: `sqlite:${gateway.directory}/gateway.db` } });
  await gateway.start();
});
after(async () => {
  await gateway?.stop();
  await simulator?.kill('SIGTERM');
  gateway?.clean();
});

function run(line) {
  const env = { ...process.env, PATH: `${tools}:${process.env.PATH}`, SMPPBRIDGE_TOKEN: 'token', SMPPBRIDGE_URL: `http://127.0.0.1:${gateway.adminPort}` };
  let command = here(line);
  if (command.startsWith('smppbridge smsc ')) command += ` -c ${gateway.file}`;
  return new Promise((resolve) =>
    execFile('bash', ['-c', command], { env, cwd: gateway.directory, timeout: 60000 }, (error, stdout, stderr) =>
      resolve({ status: error ? (error.code ?? error.signal) : 0, stdout, stderr, command }),
    ),
  );
}

test('a message goes out and its receipt comes back over the handler address as the guide writes it', async () => {
  const [line] = commands.filter((c) => c.startsWith('smppbridge send '));
  const { status, stdout, stderr } = await run(line);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /DELIVRD/);
  const { timeline } = (await gateway.admin('GET', '/v1/messages/79991234567')).json;
  assert.ok(timeline.some((l) => l.event === 'callback'), 'by a callback, not by polling');
});

test('every command of the guide and of the man page does what it is for', async (t) => {
  const esme = new Esme().connect(gateway.port); // a session to look at; receipts are for those who wait
  await esme.bind('bind_transmitter', { system_id: 'shop', password: 'pw' });
  t.after(() => esme.close());
  const n = await until('it is bound', async () => (await gateway.admin('GET', '/v1/sessions')).json.items[0]?.n);
  const says = [
    [/^smppbridge message /, /"?http_reply|callback/], [/explain/, /gsm7/], [/status$/, /"version"|version|sessions/], [/balance/, /\d/],
    [/metrics/, /^smppbridge_build_info/m], [/healthz/, /ok/], [/readyz/, /ready/], [/openapi/, /"openapi"/], [/upstreams pause/, /paused/], [/openssl/, /^[0-9a-f]{48}$/m],
  ];
  for (const line of [...commands, ...examples]) {
    if (STANDS_FOR[line]) {
      STANDS_FOR[line]();
      continue;
    }
    const { status, stdout, stderr, command } = await run(line.replace(/^(smppbridge (?:capture|conformance)) 1\b/, `$1 ${n}`));
    assert.equal(status, 0, `${command}: ${stdout}${stderr}`);
    for (const [which, what] of says) if (which.test(line)) assert.match(stdout, what, line);
  }
  assert.ok(commands.length > 25);
  assert.ok(statSync(path.join(gateway.directory, 'session.pcap')).size > 24);
  assert.equal(statSync(gateway.file).mode & 0o777, 0o640);
  assert.equal(readFileSync(path.join(gateway.directory, 'copy.db')).subarray(0, 15).toString(), 'SQLite format 3');
  assert.equal((await gateway.admin('GET', '/v1/upstreams')).json.items[0].state, 'up');
});

test('a lost store is restored from its copy as the guide says', async () => {
  const { id } = (await gateway.admin('GET', '/v1/messages/79991234567')).json;
  assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
  const file = path.join(gateway.directory, 'gateway.db');
  writeFileSync(file, 'lost');
  const damaged = await run(`smppbridge run -c ${gateway.file}`);
  assert.notEqual(damaged.status, 0);
  assert.match(damaged.stderr, /gateway\.db/);
  copyFileSync(path.join(gateway.directory, 'copy.db'), file);
  chmodSync(file, 0o600);
  for (const beside of ['-wal', '-shm']) assert.ok(!existsSync(file + beside));
  await gateway.start();
  assert.equal((await gateway.admin('GET', `/v1/messages/${id}`)).json.state, 'delivered');
});

test('Kannel binds with the group the guide prints', { skip: !has('bearerbox') && 'no kannel' }, async (t) => {
  const file = path.join(gateway.directory, 'kannel.conf');
  const [admin, box] = [await freePort(), await freePort()];
  const group = block('kannel').replace(/PASSWORD/, 'pw').replace(/port = 2775/, `port = ${gateway.port}`);
  writeFileSync(file, `group = core\nadmin-port = ${admin}\nadmin-interface = 127.0.0.1\nadmin-password = x\nsmsbox-port = ${box}\n` +
    `smsbox-interface = 127.0.0.1\nlog-level = 0\ndlr-storage = internal\n\n${group}\ngroup = smsbox\nbearerbox-host = 127.0.0.1\nsendsms-port = ${await freePort()}\n`);
  const bearerbox = new Daemon('bearerbox', 'bearerbox', [file]);
  t.after(() => bearerbox.stop('SIGKILL'));
  await until('it is bound', async () => (await gateway.admin('GET', '/v1/sessions?system_id=shop')).json.items[0]?.type === 'transceiver');
});

test('the alert file, the unit and the symptoms name what there is', async () => {
  assert.match(read('cmake/package.cmake'), /config\/prometheus DESTINATION/);
  assert.match(block('yaml'), /prometheus\/smppbridge\.rules\.yml/);
  if (spawnSync('sh', ['-c', 'command -v systemd-analyze']).status === 0) {
    const file = path.join(gateway.directory, 'smppbridge.service');
    writeFileSync(file, read('config/systemd/smppbridge.service').replaceAll('/usr/bin/smppbridge', path.join(tools, 'smppbridge')));
    const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
    assert.doesNotMatch(stderr, /smppbridge\.service.*(Unknown|Invalid|Failed to parse|not an absolute)/i);
  }
  // words in the table of symptoms that the program says itself
  const { stdout } = spawnSync('grep', ['-rhoE', '"[a-zA-Z_ ]+"', path.join(root, 'gateway'), path.join(root, 'smpp'), path.join(root, 'config')], { encoding: 'utf8', maxBuffer: 1 << 26 });
  const said = new Set(stdout.split('\n'));
  for (const word of ['wrong_password', 'address_not_allowed', 'too_many_binds', 'locked_out', 'wrong_login', 'no_money', 'paused', 'waiting_parts',
    'bind refused', 'callback refused', 'not started', 'smppbridge_store_writable']) {
    assert.ok(guide.slice(guide.indexOf('## By symptom')).includes(word), word);
    assert.ok(said.has(`"${word}"`), `${word} is said nowhere`);
  }
});

test('each test the README promises by exists', () => {
  const rows = read('README.md').match(/\| promise \| tested by \|\n\| --- \| --- \|\n([\s\S]*?)\n\n/)[1].split('\n');
  assert.ok(rows.length > 20);
  for (const row of rows) {
    const [, promise, tests] = row.split(/(?<!\\)\|/);
    let folder = '';
    const names = [...tests.matchAll(/`([^`]+)`/g)].map((m) => m[1].split(' ')[0]); // a command: its program
    assert.ok(names.length > 0, promise);
    for (const name of names) {
      if (name.includes('/')) folder = path.dirname(name.replace(/\/$/, '')); // `tests/e2e/a`, `b`: b stands beside a
      const file = path.join(root, name.includes('/') ? name : path.join(folder, name));
      assert.ok(existsSync(file), `${promise.trim()}: ${name}`);
    }
  }
});
