// node_bridge.mjs - the yardstick: the same bridge as one would write it by hand in an afternoon, npm smpp + keep-alive
// HTTP, nothing stored. submit_sm -> one send.php -> submit_sm_resp; callback -> deliver_sm. Not a product: it loses
// everything it holds when it stops.
import http from 'node:http';
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(path.resolve(new URL('.', import.meta.url).pathname, '../e2e/package.json'));
const smpp = require('smpp');

const { SMPP_PORT, CALLBACK_PORT, UPSTREAM, CONNECTIONS = '14' } = process.env;
const upstream = new URL(UPSTREAM);
const agent = new http.Agent({ keepAlive: true, maxSockets: Number(CONNECTIONS) });

const sessions = new Set();
const sent = new Map(); // our id -> what the receipt needs
let nextId = 100000000000000000n;
let nextReceiver = 0;

function send(id, phone, sender, text, done) {
  const body = new URLSearchParams({
    login: 'alex', psw: '123', id: `s${id}`, phones: phone, mes: text, sender, charset: 'utf-8', fmt: '3', cost: '3',
  }).toString();
  const request = http.request(
    {
      agent, host: upstream.hostname, port: upstream.port, path: '/sys/send.php', method: 'POST',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': Buffer.byteLength(body) },
    },
    (reply) => {
      let text_ = '';
      reply.setEncoding('utf8');
      reply.on('data', (chunk) => (text_ += chunk));
      reply.on('end', () => {
        try {
          const answer = JSON.parse(text_);
          done(answer.error_code ? new Error(answer.error) : null);
        } catch (error) {
          done(error);
        }
      });
    },
  );
  request.on('error', done);
  request.end(body);
}

function date(d) {
  const two = (n) => String(n).padStart(2, '0');
  return two(d.getUTCFullYear() % 100) + two(d.getUTCMonth() + 1) + two(d.getUTCDate()) + two(d.getUTCHours()) + two(d.getUTCMinutes());
}

function deliver(id, stat) {
  const m = sent.get(id);
  if (!m) return;
  sent.delete(id);
  const receivers = [...sessions];
  if (receivers.length === 0) return;
  const session = receivers[nextReceiver++ % receivers.length];
  const text = `id:${id} sub:001 dlvrd:001 submit date:${date(m.at)} done date:${date(new Date())} stat:${stat} err:000 text:${m.text.slice(0, 20)}`;
  session.deliver_sm({
    source_addr: m.to, destination_addr: m.from, esm_class: 4, short_message: text,
    receipted_message_id: id, message_state: 2,
  });
}

smpp
  .createServer((session) => {
    session.on('error', () => session.destroy());
    session.on('close', () => sessions.delete(session));
    for (const command of ['bind_transceiver', 'bind_receiver', 'bind_transmitter'])
      session.on(command, (pdu) => {
        if (command !== 'bind_transmitter') sessions.add(session);
        session.send(pdu.response({ system_id: 'node' }));
      });
    session.on('enquire_link', (pdu) => session.send(pdu.response()));
    session.on('unbind', (pdu) => session.send(pdu.response()));
    session.on('submit_sm', (pdu) => {
      const id = String(nextId++);
      const text = pdu.short_message.message;
      sent.set(id, { from: pdu.source_addr, to: pdu.destination_addr, text, at: new Date() });
      send(id, pdu.destination_addr, pdu.source_addr, text, (error) =>
        session.send(pdu.response(error ? { command_status: 8 } : { message_id: id })),
      );
    });
  })
  .listen(Number(SMPP_PORT), '127.0.0.1');

http
  .createServer((request, reply) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      const fields = new URLSearchParams(body);
      reply.end('OK');
      deliver(fields.get('id').slice(1), fields.get('status') === '1' ? 'DELIVRD' : 'UNDELIV');
    });
  })
  .listen(Number(CALLBACK_PORT), '127.0.0.1', () => console.log('ready'));
