// kannel.mjs - Debian's Kannel as a client: bearerbox binds to the gateway, smsbox takes messages by HTTP and tells by HTTP.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { Daemon } from './daemon.mjs';
import { freePort, until } from './world.mjs';

/** What Kannel fetches: each URL with its parameters, in order. */
export async function listener() {
  const calls = [];
  const server = http.createServer((request, reply) => {
    const url = new URL(request.url, 'http://kannel');
    calls.push({ path: url.pathname, ...Object.fromEntries(url.searchParams) });
    reply.end('');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { calls, url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

/** `transceiver` false: a transmitter and a receiver; `ssl`: over TLS, without asking who the other side is. */
function configuration({ admin, box, sendsms, smsc, callbacks, interfaceVersion, transceiver = true, ssl = false, address = '' }) {
  const smscGroup = (port) => `group = smsc
smsc = smpp
smsc-id = gateway
host = 127.0.0.1
${port} = ${smsc}
transceiver-mode = ${transceiver}
use-ssl = ${ssl ? 'yes' : 'no'}
smsc-username = demo
smsc-password = demo
system-type = kannel
interface-version = ${interfaceVersion}
address-range = "${address}"
source-addr-autodetect = true
reconnect-delay = 1
enquire-link-interval = 5
`;
  return `
group = core
admin-port = ${admin}
admin-interface = 127.0.0.1
admin-password = admin
smsbox-port = ${box}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
log-level = 0
dlr-storage = internal

${(transceiver ? ['port'] : ['port', 'receive-port']).map(smscGroup).join('\n')}
group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = ${sendsms}
sendsms-interface = 127.0.0.1
sendsms-chars = "0123456789 +-"
log-level = 0

group = sendsms-user
username = user
password = pass
concatenation = true
max-messages = 20

group = sms-service
keyword = default
catch-all = true
max-messages = 0
get-url = "${callbacks}/mo?from=%p&to=%P&text=%b&charset=utf-8&coding=%c"
`;
}

/** A connection of its own for each request: Kannel closes idle ones just when fetch might use them again. */
function getOnce(url) {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent: false }, (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (part) => (text += part));
      reply.on('end', () => resolve({ status: reply.statusCode, text })).on('error', reject);
    });
    request.on('error', reject);
  });
}

export class Kannel {
  async start(smsc, callbacks, interfaceVersion, options = {}) {
    this.directory = mkdtempSync(path.join(os.tmpdir(), 'smppbridge-kannel-'));
    const [admin, box, sendsms] = [await freePort(), await freePort(), await freePort()];
    const file = path.join(this.directory, 'kannel.conf');
    writeFileSync(file, configuration({ admin, box, sendsms, smsc, callbacks, interfaceVersion, ...options }));
    this.admin = `http://127.0.0.1:${admin}`;
    this.sendsms = `http://127.0.0.1:${sendsms}/cgi-bin/sendsms`;
    this.bearerbox = new Daemon('bearerbox', 'bearerbox', ['-v', '0', file], { cwd: this.directory });
    await until('bearerbox is online', async () => /gateway.*online/.test(await this.status()));
    this.smsbox = new Daemon('smsbox', 'smsbox', ['-v', '0', file], { cwd: this.directory });
    await until('smsbox is connected', async () => /smsbox:/.test(await this.status()));
    return this;
  }

  status() {
    if (this.bearerbox.ended) throw new Error(`bearerbox ended:\n${this.bearerbox.lines.slice(-20).join('\n')}`);
    return fetch(`${this.admin}/status.txt?password=admin`).then((r) => r.text(), () => '');
  }

  async send(parameters) {
    const query = new URLSearchParams({ username: 'user', password: 'pass', ...parameters });
    const { status, text } = await getOnce(`${this.sendsms}?${query}`);
    assert.equal(status, 202, text);
  }

  async stop() {
    await this.smsbox?.stop();
    await this.bearerbox?.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

