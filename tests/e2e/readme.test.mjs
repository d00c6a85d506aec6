// readme.test.mjs - what the README tells people to type does what it says; its configuration is accepted as printed.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { binary } from './lib/world.mjs';

const run = promisify(execFile);
const root = path.resolve(new URL('.', import.meta.url).pathname, '../..');
const readme = readFileSync(path.join(root, 'README.md'), 'utf8');
const commands = [...readme.matchAll(/^ {4}((?:\.\/|build\/).*)$/gm)].map((m) => m[1]);

test('five minutes to the first message: ./run, then the send command', { timeout: 300000 }, async (t) => {
  const [start, ...others] = commands;
  assert.equal(start, './run');
  // a process group of its own: ./run becomes the lab, and what it may have started ends with it
  const lab = spawn('bash', ['-c', `exec ${start}`], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const exited = new Promise((resolve) => lab.once('exit', (code, signal) => resolve({ code, signal })));
  t.after(() => {
    if (lab.exitCode === null && lab.signalCode === null) process.kill(-lab.pid, 'SIGKILL');
  });
  const said = [];
  await new Promise((resolve, reject) => {
    for (const stream of [lab.stdout, lab.stderr])
      readline.createInterface({ input: stream }).on('line', (line) => {
        said.push(line);
        if (line.startsWith('try ')) resolve();
      });
    exited.then(() => reject(new Error(`./run ended:\n${said.join('\n')}`)));
  });
  assert.ok(said.some((line) => line.includes('smpp://demo:demo@127.0.0.1:2775')));
  for (const command of others.filter((c) => c.includes('smppbridge send'))) {
    const { stdout } = await run('bash', ['-c', command], { cwd: root });
    assert.match(stdout, /DELIVRD/);
  }
  process.kill(lab.pid, 'SIGTERM');
  assert.deepEqual(await exited, { code: 0, signal: null });
});

test('every command line of the README is one this file runs', () => {
  for (const command of commands)
    assert.match(command, /^(\.\/run|build\/release\/smppbridge send .*--wait|tests\/bench\/run.*)$/, command);
});

test('the configuration it prints is accepted, and mistakes read as it says', async (t) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'smppbridge-readme-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  for (const name of ['shop.password', 'callback.secret'])
    writeFileSync(path.join(directory, name), 'secret\n', { mode: 0o600 });
  const printed = readme.match(/```jsonc\n([\s\S]*?)```/)[1].replaceAll('/etc/smppbridge', directory);
  const file = path.join(directory, 'smppbridge.json');
  writeFileSync(file, printed);
  await run(binary, ['check', '-c', file], { env: { ...process.env, SMSC_PASSWORD: 'x' } });

  writeFileSync(file, printed.replace('"system_id"', '"widnow": 1, "system_id"').replace('"login"', '"balance_every": "5s", "login"'));
  const failed = await run(binary, ['check', '-c', file], { env: { ...process.env, SMSC_PASSWORD: 'x' } }).catch((e) => e);
  assert.equal(failed.code, 2);
  for (const [, line] of readme.matchAll(/^ {6}smppbridge\.json: (.*?) \(line \d+\)$/gm))
    assert.ok(failed.stderr.includes(line), `${line}\n---\n${failed.stderr}`);
});
