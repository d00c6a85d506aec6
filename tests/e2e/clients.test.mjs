// clients.test.mjs - client software nobody here wrote, each version and bind form, plain and over TLS, each alphabet it can
// write, long messages; what it sent must be read upstream and its receipts must be understood by it. Prints a table.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { Certificates } from './lib/certificates.mjs';
import { has } from './lib/daemon.mjs';
import { Kannel, listener } from './lib/kannel.mjs';
import { Esme, freePort, idPattern, receiptOf, startWorld, textUpstream, until } from './lib/world.mjs';

const require = createRequire(import.meta.url);
const VERSIONS = { '3.3': 0x33, '3.4': 0x34, '5.0': 0x50 };
const FORMS = ['transceiver', 'transmitter + receiver'];
const LONG = 'A long message in several parts, which the gateway puts together again. '.repeat(5).trim();

const ascii = (text) => Buffer.from(text, 'latin1').toString('hex');
const ucs2 = (text) => Buffer.from(text, 'utf16le').swap16().toString('hex');
const parts = (bytes, size) => {
  const count = Math.ceil(bytes.length / size);
  return Array.from({ length: count }, (_, i) =>
    Buffer.concat([Buffer.from([5, 0, 3, 0x77, count, i + 1]), bytes.subarray(i * size, (i + 1) * size)]).toString('hex'));
};

/** Texts as bytes on the wire, and how they read upstream. Destinations are made distinct per run. */
const alphabets = [
  { name: 'gsm7', data_coding: 0, hex: '00 47 72 7e 1e 65 20 1b 3c 31 30 30 1b 65 1b 3e'.replaceAll(' ', ''), text: '@Grüße [100€]' },
  { name: 'ascii', data_coding: 1, hex: ascii('Hello {ASCII}'), text: 'Hello {ASCII}' },
  { name: 'latin1', data_coding: 3, hex: ascii('ñandú à Ève'), text: 'ñandú à Ève' },
  { name: 'cyrillic', data_coding: 6, hex: 'bfe0d8d2d5e2', text: 'Привет' },
  { name: 'hebrew', data_coding: 7, hex: 'f9ece5ed', text: 'שלום' },
  { name: 'ucs2', data_coding: 8, hex: ucs2('Привет 😀'), text: 'Привет 😀' },
  { name: 'flash', data_coding: 0x10, hex: ascii('Flash'), text: 'Flash' },
  { name: 'class 1', data_coding: 0xf1, hex: ascii('Class one'), text: 'Class one' },
];
const longParts = parts(Buffer.from(LONG), 152);
const LONG_WIDE = 'Длинное сообщение в нескольких частях 😀. '.repeat(4).trim();
const wideParts = parts(Buffer.from(LONG_WIDE, 'utf16le').swap16(), 134);
const part = (data_coding, to) => (hex, i) => ({ name: `part ${i + 1} of data_coding ${data_coding}`, long: to, data_coding, esm_class: 0x40, hex });
const longOnes = [...longParts.map(part(0, '7777777')), ...wideParts.map(part(8, '8888888'))];
const payload = { name: 'payload', data_coding: 0, payload: ascii(LONG), hex: '', text: LONG };

let world, made, ca, relay, tlsPort, run = 0;
const table = [];
before(async () => {
  made = new Certificates();
  ca = made.authority('authority');
  const server = made.leaf('server', 'authority');
  tlsPort = await freePort();
  world = await startWorld({
    esmes: ['demo', 'app-plain', 'app-TLS'].map((system_id) => ({ system_id, password: 'demo', upstream: 'smsc', rate: 0 })),
    smpp: { tls: { listen: [`127.0.0.1:${tlsPort}`], certificate_file: server.certificate, key_file: server.key } },
  });
  await world.gateway.line(/listening.*smpps/);
  // for a client without TLS of its own: what stunnel would do
  relay = net.createServer((plain) => {
    const secure = tls.connect({ host: '127.0.0.1', port: tlsPort, ca: ca.cert });
    for (const [from, to] of [[plain, secure], [secure, plain]]) from.on('error', () => to.destroy()).pipe(to);
  });
  await new Promise((resolve) => relay.listen(0, '127.0.0.1', resolve));
});
after(async () => {
  relay?.close();
  await world?.end();
  made?.clean();
  const width = Math.max(...table.map(({ client }) => client.length));
  const line = (...cells) => console.log(cells.map((c, i) => String(c).padEnd([width, 4, 5, 22, 8, 62, 38][i])).join('  '));
  console.log('');
  line('client', 'SMPP', 'over', 'bind', 'result', 'alphabets', 'long messages', 'receipts understood');
  for (const r of table) line(r.client, r.version, r.over, r.form, r.result, r.alphabets ?? '', r.long ?? '', r.receipts ?? '');
});

/** An npm `smpp`: { answers, receipts } as net_smpp.pl prints them. */
function npm(library) {
  return async ({ port, over, version, form, messages, seconds }) => {
    const bound = async (command) => {
      const esme = new Esme(library).connect(port, over === 'TLS' ? { tls: true, ca: ca.cert, rejectUnauthorized: true } : {});
      const answer = await esme.bind(command, { interface_version: version }, over === 'TLS' ? 'secureConnect' : 'connect');
      assert.equal(answer.command_status, 0, command);
      return esme;
    };
    const tx = await bound(form === 'transceiver' ? 'bind_transceiver' : 'bind_transmitter');
    const rx = form === 'transceiver' ? tx : await bound('bind_receiver');
    const answers = await Promise.all(
      messages.map(async (m) => {
        const fields = { source_addr: 'npm', source_addr_ton: 5, destination_addr: m.to, dest_addr_ton: 1, dest_addr_npi: 1,
          data_coding: m.data_coding, esm_class: m.esm_class ?? 0, short_message: Buffer.from(m.hex, 'hex') };
        if (m.payload) fields.message_payload = Buffer.from(m.payload, 'hex');
        const answer = await tx.submit(fields);
        return { name: m.name, status: answer.command_status, id: answer.message_id };
      }),
    );
    await until('a receipt for each', () => rx.delivered.length >= answers.filter((a) => a.status === 0).length, seconds * 1000);
    const receipts = rx.delivered.map((pdu) => ({
      text: pdu.short_message.message, esm_class: pdu.esm_class, source: pdu.source_addr, dest: pdu.destination_addr,
      id: pdu.receipted_message_id, state: pdu.message_state,
    }));
    for (const esme of new Set([tx, rx])) {
      await new Promise((resolve) => esme.session.unbind(resolve));
      await esme.close();
    }
    return { answers, receipts };
  };
}

async function perl(task) {
  const child = spawn('perl', [path.join(new URL('.', import.meta.url).pathname, 'lib/net_smpp.pl')], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify(task));
  let text = '';
  for await (const chunk of child.stdout) text += chunk;
  const out = JSON.parse(text);
  assert.equal(out.error, undefined, `${out.error} after ${JSON.stringify(out)}`);
  return out;
}
const perlThere = spawnSync('perl', ['-MNet::SMPP', '-e', '1']).status === 0;

const direct = (over) => (over === 'TLS' ? tlsPort : world.gateway.port);
const clients = [
  { name: 'npm smpp 0.4.0', drive: npm(require('smpp-old')), port: direct },
  { name: 'npm smpp 0.5.1', drive: npm(require('smpp')), port: direct },
  { name: 'npm smpp 0.6.0-rc.4', drive: npm(require('smpp-next')), port: direct },
  { name: 'Net::SMPP 1.19 (Debian)', drive: perl, port: (over) => (over === 'TLS' ? relay.address().port : world.gateway.port), skip: perlThere ? false : 'libnet-smpp-perl is not installed' },
];

const cases = clients.flatMap((client) =>
  Object.entries(VERSIONS).flatMap(([version, code]) =>
    FORMS.flatMap((form) => ['plain', 'TLS'].map((over) => ({ client, version, code, form, over })))));

for (const { client, version, code, form, over } of cases)
  test(`${client.name}, SMPP ${version}, ${form}, ${over}`, { skip: client.skip ?? false }, async () => {
    const row = { client: client.name, version, over, form, result: 'FAILED' };
    table.push(row);
    const prefix = `7${String(++run).padStart(3, '0')}`;
    const all = [...alphabets, ...longOnes, ...(code >= 0x34 ? [payload] : [])];
    const messages = all.map((m, i) => ({ ...m, to: `${prefix}${m.long ?? 1000000 + i}` }));
    const { answers, receipts } = await client.drive({ port: client.port(over), over, version: code, form, messages, seconds: 30 });

    assert.equal(answers.length, messages.length);
    for (const { name, status, id } of answers) {
      assert.equal(status, 0, `${name} is accepted`);
      assert.match(id, idPattern(code), name);
    }
    for (const { name, id } of answers) {
      const mine = receipts.filter((r) => receiptOf({ short_message: r.text }).id === id);
      assert.equal(mine.length, 1, `one receipt for ${name}`);
      assert.equal(mine[0].esm_class & 0x3c, 4);
      assert.equal(receiptOf({ short_message: mine[0].text }).stat, 'DELIVRD');
      if (code >= 0x34) {
        assert.equal(mine[0].id?.replace('\0', ''), id, 'receipted_message_id');
        assert.equal(mine[0].state, 2, 'message_state');
      } else {
        assert.equal(mine[0].id ?? null, null, 'no TLVs for a 3.3 bind');
      }
    }
    for (const m of messages.filter((x) => x.text)) {
      assert.equal(await textUpstream(world.simulator, m.to), m.text, m.name);
    }
    assert.equal(await textUpstream(world.simulator, `${prefix}7777777`), LONG, 'the long message');
    assert.equal(await textUpstream(world.simulator, `${prefix}8888888`), LONG_WIDE, 'the long message in UCS-2');
    Object.assign(row, {
      result: 'ok', alphabets: alphabets.map(({ name }) => name).join(' '), receipts: receipts.length,
      long: `${longParts.length} gsm7, ${wideParts.length} ucs2${code >= 0x34 ? ', payload' : ''}`,
    });
  });

/* Kannel chooses data_coding and parts by itself. */
const kannelTexts = [
  { name: 'gsm7', text: '@ £ Grüße [100 €]' }, { name: 'ucs2', coding: '2', text: 'Привет 😀' },
  { name: 'flash', mclass: '0', text: 'Flash' }, { name: 'class 1', mclass: '1', text: 'Class one' },
  { name: 'long gsm7', text: LONG }, { name: 'long ucs2', coding: '2', text: LONG_WIDE },
];
for (const [version, interfaceVersion] of [['3.3', '33'], ['3.4', '34'], ['5.0', '50']])
  for (const form of FORMS)
    for (const over of ['plain', 'TLS'])
      test(`Kannel, SMPP ${version}, ${form}, ${over}`, { skip: has('bearerbox') ? false : 'Kannel is not installed' }, async (t) => {
        const row = { client: 'Kannel 1.4.5 (Debian)', version, over, form, result: 'FAILED' };
        table.push(row);
        const local = await listener();
        const kannel = new Kannel();
        t.after(async () => {
          await kannel.stop();
          local.close();
        });
        await kannel.start(direct(over), local.url, interfaceVersion, { transceiver: form === 'transceiver', ssl: over === 'TLS' });
        const prefix = `7${String(++run).padStart(3, '0')}`;
        const sent = kannelTexts.map((m, i) => ({ ...m, to: `${prefix}${1000000 + i}` }));
        for (const { name, text, to, ...more } of sent)
          await kannel.send({ from: '13013', to, charset: 'UTF-8', text, 'dlr-mask': '31', 'dlr-url': `${local.url}/dlr?key=${encodeURIComponent(name)}&type=%d&id=%F`, ...more });
        const reports = (name) => local.calls.filter((c) => c.path === '/dlr' && c.key === name);
        for (const { name, text, to } of sent) {
          const all = await until(`both reports for ${name}`, () => ['8', '1'].every((type) => reports(name).some((c) => c.type === type)) && reports(name));
          assert.deepEqual([...new Set(all.map((c) => c.type))].sort(), ['1', '8'], `${name}: accepted, delivered, nothing else`);
          for (const { id } of all.filter((c) => c.type === '1')) {
            assert.match(id, idPattern(VERSIONS[version]));
            assert.ok(all.some((c) => c.type === '8' && c.id === id), `${name}: the report is found by the id of the answer`);
          }
          assert.equal(await textUpstream(world.simulator, to), text, name);
        }
        Object.assign(row, {
          result: 'ok', alphabets: kannelTexts.slice(0, 4).map(({ name }) => name).join(' '), long: 'gsm7, ucs2',
          receipts: local.calls.filter((c) => c.type === '1').length,
        });
      });

/* An application on npm smpp 0.4: it chooses version and alphabet, and reads the receipt's text by itself. */
for (const over of ['plain', 'TLS'])
  test(`npm smpp-client 1.0.4, ${over}`, async () => {
    const row = { client: 'npm smpp-client 1.0.4', version: '5.0', over, form: 'transceiver', result: 'FAILED' };
    table.push(row);
    const published = [];
    const port = over === 'TLS' ? relay.address().port : world.gateway.port;
    const client = require('smpp-client')(`client-${over}`, '127.0.0.1', port, `app-${over}`, 'demo', 10, (topic, event) => published.push({ topic, ...event }));
    client.init();
    client.enable();
    const prefix = `7${String(++run).padStart(3, '0')}`;
    const texts = [['short', 'Hello from an application'], ['payload', LONG]];
    for (const [i, [name, text]] of texts.entries()) {
      const to = `${prefix}${1000000 + i}`;
      const answer = await until('it is bound and the message is taken', () => client.send(text, to).catch(() => null));
      assert.equal(answer.command_status, 'ESME_ROK', name);
      const dlr = await until(`its receipt for ${name}`, () => published.find((e) => e.topic === `dlr.client-${over}` && e.responseStatusObj.id === answer.message_id));
      assert.equal(dlr.responseStatusObj.stat, 'DELIVRD');
      assert.equal(dlr.responseStatusObj.source_addr, to);
      assert.match(dlr.responseStatusObj.submit_date, /^\d{10}$/);
      assert.equal(await textUpstream(world.simulator, to), text, name);
    }
    Object.assign(row, { result: 'ok', alphabets: 'its own', long: 'payload', receipts: texts.length });
    client.disable(); // it comes back after every lost connection otherwise
  });
