// soak.mjs - the way back under faults: callbacks dropped, doubled, delayed, reordered and forged, ESMEs that come and go,
// kill -9 at random moments. Counts what arrives; says what was wrong and names every delivery that came twice and why it
// may have (lib/ledger.mjs). Same seed, same decisions (not the same timing).
import http from 'node:http';
import { Ledger } from './ledger.mjs';
import { Esme, freePort, receiptOf, smpp, startWorld, textOf, until } from './world.mjs';

function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Stands between the aggregator and the gateway and spoils callbacks. */
class Meddler {
  constructor(target, random) {
    Object.assign(this, { target, random, passed: 0, dropped: 0, doubled: 0, delayed: 0, forged: 0, refused: 0, accepted_forgeries: 0, honest: false });
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 32 });
    this.server = http.createServer((request, reply) => {
      const chunks = [];
      request.on('data', (chunk) => chunks.push(chunk));
      request.on('end', () => this.meddle(request, Buffer.concat(chunks), reply));
    });
  }

  async listen() {
    const port = await freePort();
    await new Promise((resolve) => this.server.listen(port, '127.0.0.1', resolve));
    this.port = port;
    return this;
  }

  forward(request, body) {
    return new Promise((resolve) => {
      const { port } = new URL(this.target);
      const out = http.request(
        { host: '127.0.0.1', port, path: request.url, method: 'POST', agent: this.agent, headers: { 'Content-Type': request.headers['content-type'], 'Content-Length': body.length } },
        (reply) => {
          reply.resume();
          reply.on('end', () => resolve(reply.statusCode));
        },
      );
      out.on('error', () => resolve(503)); // the gateway is down
      out.end(body);
    });
  }

  async meddle(request, body, reply) {
    const answer = (status) => {
      if (status !== 200) this.refused++;
      reply.writeHead(status).end();
    };
    const draw = this.honest ? 1 : this.random();
    if (draw < 0.08) {
      this.dropped++;
      return answer(200); // the aggregator thinks we have it
    }
    if (draw < 0.16) {
      this.doubled++;
      const statuses = await Promise.all([this.forward(request, body), this.forward(request, body)]);
      return answer(statuses.every((s) => s === 200) ? 200 : 503);
    }
    if (draw < 0.3) {
      this.delayed++;
      return setTimeout(async () => answer(await this.forward(request, body)), 1500 * this.random());
    }
    if (draw < 0.4) {
      this.forged++;
      const text = body.toString();
      const other = text.includes('status=1&') ? text.replace('status=1&', 'status=20&') : text.replace(/status=\d+/, 'status=1').replace(/mes=/, 'mes=forged');
      if ((await this.forward(request, Buffer.from(other))) === 200 && other !== text) this.accepted_forgeries++;
    }
    this.passed++;
    return answer(await this.forward(request, body));
  }

  close() {
    this.agent.destroy();
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }
}

export async function soak({ messages = 1500, incoming = 200, kills = 3, seed = 1, say = () => {} } = {}) {
  const random = randomOf(seed);
  const meddler = new Meddler('http://127.0.0.1:1', random);
  await meddler.listen();
  const world = await startWorld(
    {
      esme: { deliver_retry: '100ms', rate: 0, burst: 0, deliver_rate: 0 },
      upstream: { poll: { status_after: '2s', every: '1s', incoming: '1s' }, retry: { first: '100ms', max: '500ms' }, timeout: '3s' },
    },
    { callback: `http://127.0.0.1:${meddler.port}/smsc/callback?charset=utf-8&sha1=secret` },
  );
  meddler.target = `http://127.0.0.1:${world.gateway.callbackPort}`;
  const ledger = new Ledger();
  const accepted = new Map(); // message id -> { phone, registered }
  const unanswered = new Set(); // phones whose submit_sm_resp never came
  const faults = [];
  let refusals = 0;
  let stopped = false;

  try {
    await world.simulator.behave({ limits: 0, time_factor: 240, delay_min_ms: 20, delay_max_ms: 1200, delivered: 0.85, read_ratio: 0.1, intermediate: 1 });

    const bind = async () => {
      const esme = new Esme().connect(world.gateway.port);
      const session = ledger.session(esme.closed);
      // before the bind: deliveries may stand in the same packet as bind_resp
      esme.session.removeAllListeners('deliver_sm');
      esme.session.on('deliver_sm', (pdu) => {
        if (!stopped && random() < 0.02) {
          refusals++;
          return esme.session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
        }
        const id = receiptOf(pdu).id;
        if ((pdu.esm_class & 0x3c) === 0x20) return esme.session.send(pdu.response()); // a notification is not counted
        esme.session.send(pdu.response());
        ledger.arrived(id ? `receipt ${id}` : `incoming ${textOf(pdu)}`, session);
      });
      const answer = await Promise.race([
        new Promise((resolve) => {
          esme.session.on('error', () => resolve(null));
          esme.closed.then(() => resolve(null));
        }),
        new Promise((resolve) =>
          esme.session.on('connect', () => esme.session.bind_transceiver({ system_id: 'demo', password: 'demo', interface_version: 0x34 }, resolve)),
        ),
      ]);
      if (!answer || answer.command_status !== 0) return null;
      esme.ledgerSession = session;
      return esme;
    };

    let sent = 0;
    /** One ESME after the other on this place: binds, submits a burst, leaves politely or not. */
    const place = async () => {
      while (!stopped) {
        const esme = await bind();
        if (!esme) {
          await new Promise((resolve) => setTimeout(resolve, 50)); // the gateway is down: an ESME tries again
          continue;
        }
        const burst = 30 + Math.floor(random() * 90);
        const answers = [];
        for (let i = 0; i < burst && sent < messages; i++) {
          const n = sent++;
          const destination_addr = `7998${String(n).padStart(7, '0')}`;
          const registered = [1, 1, 1, 0, 2, 0x11][Math.floor(random() * 6)];
          const tick = ledger.submitting(esme.ledgerSession);
          unanswered.add(destination_addr);
          answers.push(
            Promise.race([
              esme.closed,
              new Promise((resolve) =>
                esme.session.submit_sm(
                  { source_addr: 'soak', destination_addr, short_message: `soak ${n}`, registered_delivery: registered },
                  (answer) => {
                    unanswered.delete(destination_addr);
                    resolve();
                    if (answer.command_status !== 0) return;
                    accepted.set(answer.message_id, { phone: destination_addr, registered });
                    ledger.submitted(esme.ledgerSession, tick);
                  },
                ),
              ),
            ]),
          );
          if (i % 10 === 9) await Promise.race([new Promise((resolve) => setTimeout(resolve, 60 * random())), esme.closed]);
        }
        await Promise.all(answers);
        const end = random();
        if (end < 0.4) esme.session.socket.destroy();
        else if (end < 0.7) esme.session.unbind(() => esme.session.close());
        else await Promise.race([esme.closed, new Promise((resolve) => setTimeout(resolve, 300 + 700 * random()))]).then(() => esme.session.socket.destroy());
        await esme.closed;
      }
    };
    const places = [place(), place(), place()];

    let written = 0;
    const writer = (async () => {
      while (written < incoming) {
        await world.simulator.incoming({ phone: `7997${String(written).padStart(7, '0')}`, to: '79030000000', text: `word ${written}` });
        written++;
        await new Promise((resolve) => setTimeout(resolve, (messages * 4) / incoming));
      }
    })();

    for (let kill = 1; kill <= kills; kill++) {
      const at = Math.floor((messages * (kill - 0.5 + 0.4 * (random() - 0.5))) / kills);
      await until(`${at} of ${messages} submitted`, () => sent >= at, 120000);
      await new Promise((resolve) => setTimeout(resolve, 200 * random())); // any moment, not only between two submits
      await ledger.kill(world.gateway);
      await world.gateway.start();
      say(`kill ${kill} after ${sent} messages`);
    }
    await until('all submitted', () => sent >= messages, 180000);
    await writer;
    stopped = true;
    await Promise.all(places);
    meddler.honest = true; // what is still to come is not lost any more; what was lost is lost
    const last = await bind();

    // what has to arrive: by the outcome the aggregator knows
    const outcome = new Map();
    await until(
      'the aggregator has an outcome for every accepted message',
      async () => {
        let after = '';
        for (;;) {
          const { items, next } = await world.simulator.get(`/lab/messages?limit=1000${after ? `&after=${after}` : ''}`);
          for (const item of items) outcome.set(item.phone, item.status);
          if (!next) break;
          after = next;
        }
        return [...accepted.values()].every(({ phone }) => outcome.has(phone) && outcome.get(phone) > 0);
      },
      120000,
    );
    const expected = new Set();
    for (const [id, { phone, registered }] of accepted) {
      const delivered = [1, 2, 4].includes(outcome.get(phone));
      if ((registered & 3) === 1 || ((registered & 3) === 2 && !delivered)) expected.add(`receipt ${id}`);
    }
    for (let i = 0; i < incoming; i++) expected.add(`incoming word ${i}`);
    const detail = (key) => {
      const id = key.slice('receipt '.length);
      const { phone, registered } = accepted.get(id) ?? {};
      const said = world.gateway.lines.filter((line) => line.includes(id)).slice(-3);
      return `${key} (to ${phone}, registered_delivery ${registered}, status ${outcome.get(phone)}) ${said.join(' | ')}`;
    };
    say(`${accepted.size} accepted, ${unanswered.size} never answered; waiting for ${expected.size} deliveries`);
    await until('everything has arrived', () => [...expected].every((key) => ledger.arrivals.has(key)), 120000).catch(() => {
      const missing = [...expected].filter((key) => !ledger.arrivals.has(key));
      faults.push(`${missing.length} never came, such as ${missing.slice(0, 5).map((key) => detail(key)).join(', ')}`);
    });
    await new Promise((resolve) => last.session.unbind(() => resolve()));
    last.session.close();
    await last.closed;

    // nothing is stuck: a start after a clean stop finds nothing open
    await until('the last answers are durable', async () => {
      await world.gateway.stop();
      const from = world.gateway.lines.length;
      await world.gateway.start();
      const resumed = world.gateway.lines.slice(from).find((line) => /event=resumed/.test(line));
      if (!resumed) return true;
      const drain = await bind();
      await new Promise((resolve) => setTimeout(resolve, 1000));
      drain.session.unbind(() => drain.session.close());
      await drain.closed;
      return false;
    }, 60000).catch(() => faults.push(`stuck: ${world.gateway.lines.filter((line) => /event=resumed/.test(line)).at(-1)}`));

    const { excused, wrong } = ledger.repeats();
    const known = new Set([...expected]);
    const foreign = [...ledger.arrivals.keys()].filter((key) => !known.has(key));
    const unasked = foreign.filter((key) => accepted.has(key.slice('receipt '.length)));
    if (wrong.length) faults.push(`${wrong.length} came twice though they may not, such as ${wrong.slice(0, 3).join('; ')}`);
    if (unasked.length) faults.push(`${unasked.length} receipts nobody asked for, such as ${unasked.slice(0, 3).map((key) => detail(key)).join(', ')}`);
    if (foreign.length - unasked.length > unanswered.size) faults.push(`${foreign.length - unasked.length} deliveries of unknown origin`);
    if (meddler.accepted_forgeries) faults.push(`${meddler.accepted_forgeries} forged callbacks answered 200`);
    const { duplicates } = await world.simulator.accepted();
    if (duplicates) faults.push(`${duplicates} messages sent twice`);
    const { passed, dropped, doubled, delayed, forged, refused } = meddler;
    return {
      messages: accepted.size,
      expected: expected.size,
      sessions: ledger.sessions,
      kills,
      callbacks: { passed, dropped, doubled, delayed, forged, refused },
      refusals,
      repeated: excused,
      faults,
    };
  } finally {
    stopped = true;
    await world.end();
    await meddler.close();
  }
}
