// world.mjs - the real binary and the simulated SMSC as processes, and small clients of both. Waits for events only.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { after } from 'node:test';

const require = createRequire(import.meta.url);
export const smpp = require('smpp');

export const binary = process.env.SMPPBRIDGE ?? path.resolve(new URL('.', import.meta.url).pathname, '../../../build/release/smppbridge');
if (!existsSync(binary)) throw new Error(`${binary} is not there: cmake --preset release && cmake --build build/release`);

/** A port nobody listens on now. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Resolves with what `condition` gives as soon as it is truthy; asks again on each turn of `source`'s event, else polls
 * the thing itself (a counter over HTTP, say) every few milliseconds until `within` ms have passed. */
export async function until(what, condition, within = 20000) {
  const end = Date.now() + within;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${within} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** What a failed test left running ends with its file; else node would wait for it. */
const started = new Set();
if (process.env.NODE_TEST_CONTEXT)
  after(() => {
    for (const child of started) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  });

export class Process {
  constructor(name) {
    this.name = name;
    this.lines = [];
    this.watchers = new Set();
  }

  /** `program`, `env`, `uid` and `descriptors` (the most files it may have open) are set before, where a test is about them. */
  spawn(args) {
    const few = this.descriptors ? ['sh', '-c', `ulimit -n ${this.descriptors} && exec "$0" "$@"`] : [];
    const [program, ...rest] = [...few, this.program ?? binary, ...args];
    this.child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...this.env }, uid: this.uid, gid: this.uid });
    started.add(this.child);
    this.exited = new Promise((resolve) => this.child.once('exit', (code, signal) => resolve({ code, signal })));
    for (const stream of [this.child.stdout, this.child.stderr])
      readline.createInterface({ input: stream }).on('line', (line) => {
        this.lines.push(line);
        if (process.env.SHOW) console.error(`[${this.name}] ${line}`);
        for (const watcher of this.watchers) watcher();
      });
    this.exited.then(() => {
      for (const watcher of this.watchers) watcher();
    });
  }

  /** The first line, from `from` on, that matches. */
  line(pattern, from = 0) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = this.lines.slice(from).find((l) => pattern.test(l));
        if (!found && this.child.exitCode === null && this.child.signalCode === null) return;
        this.watchers.delete(look);
        if (found) resolve(found);
        else reject(new Error(`${this.name} ended without ${pattern}:\n${this.lines.join('\n')}`));
      };
      this.watchers.add(look);
      look();
    });
  }

  async kill(signal = 'SIGKILL') {
    if (this.child && this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    return this.exited;
  }
}

export class Simulator extends Process {
  constructor() {
    super('simulator');
  }

  /** `callback` is the handler's address as an operator would enter it. */
  async start({ callback, port, args = [] } = {}) {
    this.port = port ?? (await freePort());
    this.url = `http://127.0.0.1:${this.port}`;
    const options = ['simulator', '--listen', `127.0.0.1:${this.port}`, ...args];
    if (callback) options.push('--callback', callback);
    this.spawn(options);
    await until('the simulator answers', () => this.get('/lab/behaviour').catch(() => null));
    await this.behave({ delivered: 1, flood: 0 }); // the network's own failures only where a test asks for them
    return this;
  }

  async get(where) {
    const reply = await fetch(this.url + where);
    if (!reply.ok) throw new Error(`${where}: ${reply.status} ${await reply.text()}`);
    return reply.json();
  }

  async send(method, where, body) {
    const reply = await fetch(this.url + where, { method, body: JSON.stringify(body) });
    if (!reply.ok) throw new Error(`${where}: ${reply.status} ${await reply.text()}`);
    return reply.json().catch(() => null);
  }

  accepted() {
    return this.get('/lab/accepted');
  }

  behave(behaviour) {
    return this.send('PUT', '/lab/behaviour', behaviour);
  }

  incoming(message) {
    return this.send('POST', '/lab/incoming', message);
  }
}

export class Gateway extends Process {
  constructor(overrides = {}) {
    super('gateway');
    this.directory = mkdtempSync(path.join(os.tmpdir(), 'smppbridge-e2e-'));
    this.overrides = overrides;
  }

  /** Ports are chosen once, so that a restart is found where the first start was. */
  async prepare() {
    this.port ??= await freePort();
    this.callbackPort ??= await freePort();
    this.adminPort ??= await freePort();
    this.callbackUrl = `http://127.0.0.1:${this.callbackPort}/smsc/callback?charset=utf-8&sha1=secret`;
    return this;
  }

  config(upstreamUrl) {
    const { smpp = {}, esme = {}, upstream = {}, callbacks = {}, ...rest } = this.overrides;
    return {
      smpp: { listen: [`127.0.0.1:${this.port}`], ...smpp },
      esmes: [{ system_id: 'demo', password: 'demo', upstream: 'smsc', rate: 0, ...esme }], // rate: only where a test is about it
      upstreams: [{ name: 'smsc', urls: [upstreamUrl], login: 'alex', password: '123', ...upstream }],
      // a list stands as it is, null leaves the section out
      callbacks:
        callbacks === null || Array.isArray(callbacks)
          ? (callbacks ?? undefined)
          : {
              listen: [`127.0.0.1:${this.callbackPort}`],
              upstream: 'smsc',
              hash: 'sha1',
              secret: 'secret',
              ...callbacks,
            },
      incoming: [{ to: '*', system_id: 'demo' }],
      admin: { listen: [`127.0.0.1:${this.adminPort}`], token: 'token' },
      store: { url: `sqlite:${this.directory}/gateway.db` },
      ...rest,
    };
  }

  async start(upstreamUrl) {
    await this.prepare();
    this.upstreamUrl = upstreamUrl ?? this.upstreamUrl;
    this.file = path.join(this.directory, 'gateway.json');
    writeFileSync(this.file, JSON.stringify(this.config(this.upstreamUrl), null, 2), { mode: 0o600 });
    const from = this.lines.length;
    this.spawn(['run', '-c', this.file]);
    await this.line(/listening.*smpp/, from);
    return this;
  }

  /** A request to the administration: { status, headers, json or text }. */
  async admin(method, where, body, headers = { Authorization: 'Bearer token' }) {
    const reply = await fetch(`http://127.0.0.1:${this.adminPort}${where}`, {
      method,
      headers,
      body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await reply.text();
    let json = null;
    try {
      json = JSON.parse(text);
    } catch {
      // no JSON: the text is what the caller wants
    }
    return { status: reply.status, headers: reply.headers, text, json };
  }

  async stop() {
    return this.kill('SIGTERM');
  }

  clean() {
    if (process.env.KEEP) console.error(`kept: ${this.directory}`);
    else rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Does this program take these settings? Keys whose feature it does not have are refused by `check`. */
export function accepts(overrides) {
  const gateway = new Gateway(overrides);
  Object.assign(gateway, { port: 1, callbackPort: 2, adminPort: 4, file: path.join(gateway.directory, 'gateway.json') });
  writeFileSync(gateway.file, JSON.stringify(gateway.config('http://127.0.0.1:3')), { mode: 0o600 });
  const { status } = spawnSync(binary, ['check', '-c', gateway.file]);
  gateway.clean();
  return status === 0;
}

/** What the simulator holds for one phone, oldest first, read as one text. Where the gateway does not join parts they
 * travel as binary with their header, and are put in order by it here. */
export async function textUpstream(simulator, phone) {
  const items = (await simulator.get(`/lab/messages?phone=${phone}`)).items.reverse();
  const parts = items.map(({ text }) => /^050003[0-9A-F]{6}/i.test(text) && Buffer.from(text, 'hex'));
  if (joins() || !parts.length || !parts.every(Boolean)) return items.map(({ text }) => text).join('');
  parts.sort((a, b) => a[5] - b[5]);
  return Buffer.concat(parts.map((part) => part.subarray(6))).toString('latin1');
}
let doesJoin;
const joins = () => (doesJoin ??= accepts({ esme: { reassemble: '10m' } }));

/** How a message_id looks: decimal of 18 or 19 digits; 8 hexadecimal digits where the bind is 3.3, which has no more room. */
export const idPattern = (version = 0x34) => (version <= 0x33 ? /^[1-9a-f][0-9a-f]{7}$/ : /^[1-9]\d{17,18}$/);

/** An ESME on the npm package smpp. */
export class Esme {
  constructor(library = smpp) {
    this.library = library;
    this.delivered = []; // deliver_sm in order of arrival
    this.watchers = new Set();
    this.answerDelivery = true;
  }

  connect(port, options = {}) {
    this.session = this.library.connect({ host: '127.0.0.1', port, auto_enquire_link_period: 10000, ...options });
    this.session.on('error', (error) => {
      this.error = error;
      this.wake();
    });
    this.closed = new Promise((resolve) => this.session.on('close', resolve));
    this.session.on('deliver_sm', (pdu) => {
      this.delivered.push(pdu);
      if (this.answerDelivery) this.session.send(pdu.response());
      this.wake();
    });
    return this;
  }

  wake() {
    for (const watcher of this.watchers) watcher();
  }

  request(pdu) {
    return new Promise((resolve) => this.session.send(pdu, resolve));
  }

  /** Binds once `ready` has come ('secureConnect' over TLS); resolves with bind_resp. */
  bind(command = 'bind_transceiver', fields = {}, ready = 'connect') {
    return new Promise((resolve, reject) => {
      this.session.on(ready, () =>
        this.session[command](
          { system_id: 'demo', password: 'demo', interface_version: 0x34, ...fields },
          resolve,
        ),
      );
      this.session.on('error', reject);
    });
  }

  submit(fields) {
    return new Promise((resolve) =>
      this.session.submit_sm(
        { source_addr: 'ivan', destination_addr: '79990000001', short_message: 'Hello', registered_delivery: 1, ...fields },
        resolve,
      ),
    );
  }

  /** The first delivery that fits, arrived or still to come. */
  delivery(fits, within = 30000) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.watchers.delete(look);
        reject(new Error(`no such delivery within ${within} ms; ${this.delivered.length} others`));
      }, within);
      const look = () => {
        const found = this.delivered.find(fits);
        if (!found) return;
        clearTimeout(timer);
        this.watchers.delete(look);
        resolve(found);
      };
      this.watchers.add(look);
      look();
    });
  }

  close() {
    return new Promise((resolve) => {
      if (!this.session) return resolve();
      this.closed.then(resolve);
      this.session.close();
    });
  }
}

/** The text of a delivery's short message. */
export function textOf(pdu) {
  const message = pdu.short_message;
  return typeof message === 'string' ? message : (message?.message ?? '').toString();
}

export function receiptOf(pdu) {
  const fields = {};
  for (const [, key, value] of textOf(pdu).matchAll(/(id|sub|dlvrd|submit date|done date|stat|err|text):(\S*)/g))
    fields[key] = value;
  return fields;
}

/** Gateway and simulator, knowing each other. */
export async function startWorld(overrides = {}, simulatorOptions = {}) {
  const gateway = await new Gateway(overrides).prepare();
  const simulator = await new Simulator().start({ callback: gateway.callbackUrl, ...simulatorOptions });
  await gateway.start(simulator.url);
  return {
    gateway,
    simulator,
    async esme(command, fields, library) {
      const esme = new Esme(library).connect(gateway.port);
      esme.bindResponse = await esme.bind(command, fields);
      return esme;
    },
    async end() {
      await gateway.stop();
      await simulator.kill('SIGTERM');
      gateway.clean();
    },
  };
}
