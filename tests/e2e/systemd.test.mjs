// systemd.test.mjs - the Debian package under a real systemd (lib/machine.sh): installed, started inside its sandbox, used,
// reloaded, upgraded by the command and by dpkg, revived, woken by a socket, removed and purged. Needs root; skipped elsewhere.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { until } from './lib/world.mjs';

const here = new URL('.', import.meta.url).pathname;
const build = path.resolve(here, '../../build/release');
const has = (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
let skip =
  (process.getuid() !== 0 && 'needs root') ||
  (!['unshare', 'nsenter', 'cpack', 'dpkg-shlibdeps', 'systemd-analyze'].every(has) && 'no unshare, nsenter, cpack, dpkg-dev or systemd') ||
  (!existsSync(path.join(build, 'CPackConfig.cmake')) && 'no release build') ||
  (spawnSync('unshare', ['--mount', '--pid', '--fork', '--net', '--cgroup', 'true']).status !== 0 && 'namespaces cannot be made here');
let machine;

class Machine {
  async start() {
    this.directory = mkdtempSync(path.join(os.tmpdir(), 'smppbridge-machine-'));
    this.child = spawn(path.join(here, 'lib/machine.sh'), [this.directory], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.said = '';
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on('data', (data) => (this.said += data));
    this.exited = new Promise((resolve) => this.child.once('exit', resolve));
    const childOf = (pid) => {
      try {
        return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number).filter(Boolean);
      } catch {
        return [];
      }
    };
    const isInit = (pid) => /systemd\0--system/.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1'));
    await until('systemd is the first process', () => {
      if (this.child.exitCode !== null) throw new Error(this.said);
      const all = childOf(this.child.pid).flatMap((pid) => [pid, ...childOf(pid)]);
      this.init = all.find((pid) => existsSync(`/proc/${pid}/cmdline`) && isInit(pid));
      return this.init;
    }, 30000);
    await until('systemd has started', () => /running|degraded/.test(this.run('systemctl', 'is-system-running').stdout), 30000);
    return this;
  }

  /** A command in the machine: { status, stdout, stderr }. */
  run(...args) {
    return spawnSync('nsenter', ['-t', String(this.init), '-a', '-r', '-w', ...args], { encoding: 'utf8', timeout: 120000 });
  }

  /** The same; it must go well. */
  do(...args) {
    const { status, stdout, stderr } = this.run(...args);
    assert.equal(status, 0, `${args.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  }

  /** Runs on until the machine ends. */
  background(...args) {
    return spawn('nsenter', ['-t', String(this.init), '-a', '-r', '-w', ...args], { stdio: 'ignore' });
  }

  write(file, text) {
    const { status, stderr } = spawnSync('nsenter', ['-t', String(this.init), '-a', '-r', '-w', 'tee', file], { input: text, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  }

  show(property, unit = 'smppbridge.service') {
    return this.do('systemctl', 'show', '-P', property, unit).trim();
  }

  journal() {
    return this.do('journalctl', '--no-pager', '-o', 'cat', '-u', 'smppbridge.service');
  }

  async end() {
    this.child.stdin.end();
    await this.exited;
    rmSync(this.directory, { recursive: true, force: true });
  }
}

before(async () => {
  if (skip) return;
  machine = await new Machine().start();
  const made = mkdtempSync(path.join(os.tmpdir(), 'smppbridge-deb-'));
  try {
    execFileSync('cpack', ['-G', 'DEB', '-B', made], { cwd: build, stdio: 'ignore' });
    const deb = readdirSync(made).find((name) => name.endsWith('.deb'));
    copyFileSync(path.join(made, deb), path.join('/proc', String(machine.init), 'root', 'tmp', 'smppbridge.deb'));
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
});
after(() => machine?.end());

const configuration = (more = {}) => JSON.stringify({
  smpp: { listen: ['127.0.0.1:2775'] },
  esmes: [{ system_id: 'demo', password: 'demo' }],
  upstreams: [{ name: 'smsc', urls: ['http://127.0.0.1:8082'], login: 'alex', password: '123' }],
  callbacks: { listen: ['127.0.0.1:8080'], hash: 'sha1', secret: 'secret' },
  admin: { listen: ['127.0.0.1:8081'], token: 'a-token-of-some-length' },
  ...more,
});
const file = '/etc/smppbridge/smppbridge.json';
const send = (to) => machine.run('smppbridge', 'send', '--url', 'smpp://demo:demo@127.0.0.1:2775', '--to', to, '--text', 'Hello', '--wait');
const mainPid = () => Number(machine.show('MainPID'));

test('installed: its user, its directories for nobody else', { skip }, () => {
  machine.do('dpkg', '--no-triggers', '-i', '/tmp/smppbridge.deb');
  assert.match(machine.do('getent', 'passwd', 'smppbridge'), /smppbridge/);
  assert.equal(machine.do('stat', '-c', '%a %U %G', '/etc/smppbridge').trim(), '750 root smppbridge');
  assert.equal(machine.do('stat', '-c', '%a %U', '/var/lib/smppbridge').trim(), '700 smppbridge');
  assert.notEqual(machine.run('systemctl', 'is-active', 'smppbridge').status, 0, 'nothing runs before it is configured');
});

test('the units are what systemd understands, and the sandbox is tight', { skip }, () => {
  const verified = machine.run('systemd-analyze', 'verify', '/lib/systemd/system/smppbridge.service', '/lib/systemd/system/smppbridge.socket');
  assert.doesNotMatch(verified.stdout + verified.stderr, /smppbridge/);
  const rows = machine.do('systemd-analyze', 'security', '--no-pager', 'smppbridge.service');
  const exposure = Number(/exposure level for smppbridge\.service: ([\d.]+)/.exec(rows)[1]);
  assert.ok(exposure <= 2, `exposure ${exposure}:\n${rows}`);
});

test('started: ready when it says so, as its user, without a privilege, in a read-only system', { skip }, () => {
  machine.write(file, configuration());
  machine.do('chown', 'root:smppbridge', file);
  machine.do('chmod', '640', file);
  machine.background('/usr/bin/smppbridge', 'simulator', '--listen', '127.0.0.1:8082', '--callback', 'http://127.0.0.1:8080/smsc/callback?charset=utf-8&sha1=secret');
  const started = machine.run('systemctl', 'start', 'smppbridge');
  assert.equal(started.status, 0, started.stderr + machine.journal());
  assert.equal(machine.show('ActiveState'), 'active');
  assert.equal(machine.show('StatusText'), 'serving', 'it has told systemd that it is ready');
  const status = machine.do('cat', `/proc/${mainPid()}/status`);
  assert.match(status, /^NoNewPrivs:\s+1$/m);
  assert.match(status, /^Seccomp:\s+2$/m);
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) assert.match(status, new RegExp(`^${set}:\\s+0+$`, 'm'));
  assert.equal(machine.do('stat', '-c', '%U', `/proc/${mainPid()}`).trim(), 'smppbridge');
  const inside = (command) => machine.run('nsenter', '-t', String(mainPid()), '-m', 'sh', '-c', command).status;
  assert.notEqual(inside('touch /usr/here /etc/here'), 0, 'the system is read-only');
  assert.equal(inside('touch /var/lib/smppbridge/here && rm /var/lib/smppbridge/here'), 0);
  assert.equal(machine.do('stat', '-c', '%a', '/var/lib/smppbridge/smppbridge.db').trim(), '600');
});

test('used: a message goes out and its receipt comes back', { skip }, async () => {
  await until('a receipt', () => send('79991110001').status === 0, 60000);
});

test('reloaded: a good file is followed, a bad one changes nothing', { skip }, () => {
  const pid = mainPid();
  machine.write(file, configuration({ log: { level: 'debug' } }));
  machine.do('systemctl', 'reload', 'smppbridge');
  assert.match(machine.journal(), /configuration reloaded/);
  machine.write(file, '{');
  machine.do('systemctl', 'reload', 'smppbridge');
  assert.match(machine.journal(), /nothing has been changed/);
  assert.equal(mainPid(), pid);
  machine.write(file, configuration());
});

test('upgraded by the command and by dpkg: systemd follows the new main process, nothing is restarted', { skip }, async () => {
  const pid = mainPid();
  machine.do('smppbridge', 'upgrade');
  await until('the new main process', () => mainPid() !== pid && mainPid() !== 0);
  const second = mainPid();
  machine.do('dpkg', '--no-triggers', '-i', '/tmp/smppbridge.deb');
  await until('the packaged one', () => mainPid() !== second && mainPid() !== 0);
  assert.equal(machine.show('ActiveState'), 'active');
  assert.equal(machine.show('NRestarts'), '0');
  assert.equal(machine.journal().match(/the new process serves/g).length, 2);
  assert.doesNotMatch(machine.journal(), /Stopping/);
  await until('a receipt', () => send('79991110002').status === 0, 60000);
});

test('a package whose program finds a mistake in the configuration leaves the old process at work', { skip }, () => {
  const pid = mainPid();
  machine.write(file, '{');
  assert.match(machine.run('dpkg', '--no-triggers', '-i', '/tmp/smppbridge.deb').stderr, /the old process goes on/);
  assert.equal(mainPid(), pid);
  machine.write(file, configuration());
});

test('killed: it comes back by itself', { skip }, async () => {
  const pid = mainPid();
  machine.do('kill', '-9', String(pid));
  await until('it is back', () => machine.show('ActiveState') === 'active' && mainPid() !== pid && mainPid() !== 0, 30000);
  assert.equal(machine.show('NRestarts'), '1');
});

test('woken by a socket; a connection waits while the service restarts', { skip }, async () => {
  machine.do('systemctl', 'stop', 'smppbridge');
  machine.do('mkdir', '-p', '/etc/systemd/system/smppbridge.socket.d');
  machine.write('/etc/systemd/system/smppbridge.socket.d/addresses.conf',
    '[Socket]\nListenStream=\nListenStream=127.0.0.1:2775\nListenStream=127.0.0.1:8080\nListenStream=127.0.0.1:8081\n');
  machine.do('systemctl', 'daemon-reload');
  machine.do('systemctl', 'start', 'smppbridge.socket');
  assert.equal(machine.show('ActiveState'), 'inactive');
  await until('a receipt', () => send('79991110003').status === 0, 60000);
  assert.equal(machine.show('ActiveState'), 'active');
  assert.match(machine.journal(), /listening what=smpp address=127\.0\.0\.1:2775 port=2775 inherited=yes/);
  const restart = machine.background('systemctl', 'restart', 'smppbridge');
  const ended = new Promise((resolve) => restart.once('exit', resolve));
  let restarted = false;
  ended.then(() => (restarted = true));
  do {
    // what the old process had accepted may end with it; but nobody is refused
    assert.doesNotMatch(machine.run('smppbridge', 'status').stderr, /refused|connect to server/i);
    await new Promise((resolve) => setImmediate(resolve));
  } while (!restarted);
  assert.equal(await ended, 0);
  assert.equal(machine.run('smppbridge', 'status').status, 0);
  machine.do('smppbridge', 'upgrade');
  assert.equal(machine.show('ActiveState'), 'active');
});

test('removed: stopped, its data kept; purged: nothing is left', { skip }, () => {
  machine.do('dpkg', '--no-triggers', '-r', 'smppbridge');
  assert.notEqual(machine.run('systemctl', 'is-active', 'smppbridge').status, 0);
  machine.do('test', '-f', file);
  machine.do('test', '-f', '/var/lib/smppbridge/smppbridge.db');
  machine.do('dpkg', '--no-triggers', '-P', 'smppbridge');
  for (const gone of ['/etc/smppbridge', '/var/lib/smppbridge', '/usr/bin/smppbridge', '/lib/systemd/system/smppbridge.service'])
    assert.equal(machine.run('test', '-e', gone).status, 1, gone);
});
