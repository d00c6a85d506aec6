// package.test.mjs - the Debian package: what is in it and with which rights; with INSTALL_PACKAGE=1 (as root, on a machine to
// spare) also installed, run, removed and purged. The documents' rules and the shell snippets are read by their own programs.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

const source = path.resolve(new URL('.', import.meta.url).pathname, '../..');
const build = path.join(source, 'build/release');
const has = (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
const skip = !(has('cpack') && has('dpkg-deb') && has('dpkg-shlibdeps') && existsSync(path.join(build, 'CPackConfig.cmake'))) && 'no cpack, dpkg-dev or release build';
let directory, deb;

before(() => {
  if (skip) return;
  directory = mkdtempSync(path.join(os.tmpdir(), 'smppbridge-package-'));
  execFileSync('cpack', ['-G', 'DEB', '-B', directory], { cwd: build, stdio: 'ignore' });
  deb = path.join(directory, readdirSync(directory).find((name) => name.endsWith('.deb')));
});
after(() => directory && rmSync(directory, { recursive: true, force: true }));

test('the package holds program, unit, man page, completion, example and nothing writable by others', { skip }, () => {
  const rows = execFileSync('dpkg-deb', ['-c', deb], { encoding: 'utf8' }).trim().split('\n').map((l) => l.split(/\s+/));
  const names = rows.map((r) => r[5]);
  for (const name of ['./usr/bin/smppbridge', './lib/systemd/system/smppbridge.service', './lib/systemd/system/smppbridge.socket', './usr/share/man/man1/smppbridge.1',
    './usr/share/bash-completion/completions/smppbridge', './usr/share/doc/smppbridge/examples/smppbridge.json'])
    assert.ok(names.includes(name), name);
  for (const row of rows) {
    assert.equal(row[1], 'root/root');
    assert.match(row[0], /^.{5}-.{2}-.$/, `${row[0]} ${row[5]}`);
  }
  assert.ok(!names.some((name) => name.startsWith('./etc')), 'the configuration is made at installation, for two readers only');
});

test('the packaged program runs, its scripts and unit are sound', { skip }, () => {
  const root = path.join(directory, 'root');
  execFileSync('dpkg-deb', ['-x', deb, root]);
  execFileSync('dpkg-deb', ['-e', deb, path.join(root, 'DEBIAN')]);
  assert.match(execFileSync(path.join(root, 'usr/bin/smppbridge'), ['--version'], { encoding: 'utf8' }), /^smppbridge \d/);
  for (const script of ['postinst', 'prerm', 'postrm']) {
    assert.equal(statSync(path.join(root, 'DEBIAN', script)).mode & 0o777, 0o755);
    execFileSync('sh', ['-n', path.join(root, 'DEBIAN', script)]);
  }
  assert.match(readFileSync(path.join(root, 'DEBIAN/postinst'), 'utf8'), /0750 -o root -g smppbridge \/etc\/smppbridge/);
  execFileSync('bash', ['-n', path.join(root, 'usr/share/bash-completion/completions/smppbridge')]);
  const unit = readFileSync(path.join(root, 'lib/systemd/system/smppbridge.service'), 'utf8');
  for (const line of ['User=smppbridge', 'NoNewPrivileges=true', 'ProtectSystem=strict', 'CapabilityBoundingSet=', 'ExecReload=/bin/kill -HUP $MAINPID'])
    assert.ok(unit.includes(line), line);
});

test('the container image installs the libraries the program is linked with', { skip: skip || (!has('readelf') && 'no readelf') }, () => {
  const image = readFileSync(path.join(source, 'config/Containerfile'), 'utf8').split(/^FROM/m)[2].replaceAll('\\\n', ' ');
  const installed = /apt-get install .*?recommends (.*?)&&/.exec(image)[1].trim().split(/\s+/);
  const wanted = new Set(['ca-certificates']);
  for (const [, library] of execFileSync('readelf', ['-d', path.join(build, 'smppbridge')], { encoding: 'utf8' }).matchAll(/NEEDED.*\[(.*)\]/g))
    for (const [, owner] of execFileSync('dpkg', ['-S', `*/${library}`], { encoding: 'utf8' }).matchAll(/^([^:]+)/gm))
      if (!owner.startsWith('libc6')) wanted.add(owner);
  assert.deepEqual(installed.sort(), [...wanted].sort());
});

test('the man page names every command, the alert rules and the Grafana dashboard are readable', () => {
  const page = readFileSync(path.join(source, 'config/man/smppbridge.1'), 'utf8');
  const binary = process.env.SMPPBRIDGE ?? path.join(build, 'smppbridge');
  const help = execFileSync(binary, ['--help'], { encoding: 'utf8' });
  for (const [, command] of help.matchAll(/^ {2}([a-z]+) /gm)) assert.match(page, new RegExp(`\\b${command}\\b`), command);
  if (has('promtool')) execFileSync('promtool', ['check', 'rules', path.join(source, 'config/prometheus/smppbridge.rules.yml')]);
  const { panels } = JSON.parse(readFileSync(path.join(source, 'config/grafana/smppbridge.json'), 'utf8'));
  const meters = readFileSync(path.join(source, 'gateway/meters.c'), 'utf8');
  for (const { targets } of panels)
    for (const { expr } of targets)
      for (const [name] of expr.matchAll(/smppbridge_[a-z_]+/g))
        assert.ok(meters.includes(`"${name.replace(/_bucket$/, '')}"`), `${name} is no metric of ours`);
});

test('installed, started, used, removed and purged', { skip: skip || (process.env.INSTALL_PACKAGE !== '1' && 'INSTALL_PACKAGE=1 does it') }, async () => {
  execFileSync('dpkg', ['-i', deb], { stdio: 'ignore' });
  try {
    const { mode } = statSync('/etc/smppbridge');
    assert.equal(mode & 0o777, 0o750);
    const file = '/etc/smppbridge/smppbridge.json';
    writeFileSync(file, JSON.stringify({
      smpp: { listen: ['127.0.0.1:0'] }, esmes: [{ system_id: 'a', password: 'b' }],
      upstreams: [{ name: 'u', urls: ['http://127.0.0.1:1'], login: 'l', password: 'p' }],
      store: { url: 'sqlite:/var/lib/smppbridge/smppbridge.db' },
    }), { mode: 0o640 });
    execFileSync('chown', ['root:smppbridge', file]);
    const run = spawnSync('timeout', ['-s', 'TERM', '2', 'setpriv', '--reuid=smppbridge', '--regid=smppbridge', '--clear-groups',
      '/usr/bin/smppbridge', 'run'], { encoding: 'utf8' });
    assert.match(run.stderr, /listening.*smpp/);
    assert.match(run.stderr, /drained/);
    assert.ok(existsSync('/var/lib/smppbridge/smppbridge.db'));
    execFileSync('dpkg', ['-r', 'smppbridge'], { stdio: 'ignore' });
    assert.ok(existsSync(file), 'remove keeps the configuration');
  } finally {
    execFileSync('dpkg', ['-P', 'smppbridge'], { stdio: 'ignore' });
  }
  assert.ok(!existsSync('/etc/smppbridge') && !existsSync('/var/lib/smppbridge'));
});
