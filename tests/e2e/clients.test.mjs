// clients.test.mjs - client software nobody here wrote, each version and bind form, each alphabet, a long message; what
// it sent must be read upstream and its receipts must be understood by it; plain and over TLS. Prints a table. Kannel:
// kannel.test.mjs.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { Certificates } from './lib/certificates.mjs';
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
const longOnes = longParts.map((hex, i) => ({ name: `part ${i + 1}`, long: true, data_coding: 0, esm_class: 0x40, hex }));
const payload = { name: 'payload', data_coding: 0, payload: ascii(LONG), hex: '', text: LONG };

let world, made, ca, relay, tlsPort, run = 0;
const table = [];
before(async () => {
  made = new Certificates();
  ca = made.authority('authority');
  const server = made.leaf('server', 'authority');
  tlsPort = await freePort();
  world = await startWorld({
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
  console.log(`\n${'client'.padEnd(width)}  SMPP  over   ${'bind'.padEnd(22)}  result`);
  for (const row of table) console.log(`${row.client.padEnd(width)}  ${row.version}   ${row.over.padEnd(5)}  ${row.form.padEnd(22)}  ${row.result}`);
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
    const messages = all.map((m, i) => ({ ...m, to: `${prefix}${m.long ? '7777777' : 1000000 + i}` }));
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
    row.result = `ok: ${alphabets.length} alphabets, ${longParts.length} parts${code >= 0x34 ? ', payload' : ''}, ${receipts.length} receipts`;
  });
