// raw.mjs - SMPP by hand over a bare socket, for what no client library would send. Knows bytes and lengths, no meaning.
import net from 'node:net';

export const cmd = {
  generic_nack: 0x80000000, bind_receiver: 1, bind_transmitter: 2, query_sm: 3, submit_sm: 4, deliver_sm: 5, unbind: 6,
  replace_sm: 7, cancel_sm: 8, bind_transceiver: 9, outbind: 0x0b, enquire_link: 0x15, submit_multi: 0x21,
  alert_notification: 0x102, data_sm: 0x103, broadcast_sm: 0x111, query_broadcast_sm: 0x112, cancel_broadcast_sm: 0x113,
};
export const response = (id) => (id | 0x80000000) >>> 0;

export const str = (text) => Buffer.from(`${text}\0`, 'latin1');
export const bytes = (...values) => Buffer.from(values);
export const hex = (text) => Buffer.from(text.replace(/\s/g, ''), 'hex');

/** `length` overrides the command_length. */
export function pdu(id, { status = 0, seq = 1, body = Buffer.alloc(0), length } = {}) {
  const header = Buffer.alloc(16);
  header.writeUInt32BE((length ?? 16 + body.length) >>> 0, 0);
  header.writeUInt32BE(id >>> 0, 4);
  header.writeUInt32BE(status >>> 0, 8);
  header.writeUInt32BE(seq >>> 0, 12);
  return Buffer.concat([header, body]);
}

export function tlv(tag, value = Buffer.alloc(0), length = value.length) {
  const header = Buffer.alloc(4);
  header.writeUInt16BE(tag, 0);
  header.writeUInt16BE(length, 2);
  return Buffer.concat([header, value]);
}

/** Body of submit_sm and deliver_sm. */
export function smBody(fields = {}) {
  const f = {
    service_type: '', source_ton: 5, source_npi: 0, source: 'raw', dest_ton: 1, dest_npi: 1, dest: '79990001122',
    esm_class: 0, protocol_id: 0, priority: 0, schedule: '', validity: '', registered: 0, replace: 0, data_coding: 0,
    default_msg_id: 0, text: Buffer.from('hello'), tlvs: [], ...fields,
  };
  return Buffer.concat([
    str(f.service_type), bytes(f.source_ton, f.source_npi), str(f.source), bytes(f.dest_ton, f.dest_npi), str(f.dest),
    bytes(f.esm_class, f.protocol_id, f.priority), str(f.schedule), str(f.validity),
    bytes(f.registered, f.replace, f.data_coding, f.default_msg_id, f.sm_length ?? f.text.length), f.text, ...f.tlvs,
  ]);
}

export function dataBody(fields = {}) {
  const f = {
    source: 'raw', dest: '79990001122', esm_class: 0, registered: 0, data_coding: 0,
    tlvs: [tlv(0x0424, Buffer.from('hello'))], ...fields,
  };
  return Buffer.concat([
    str(''), bytes(5, 0), str(f.source), bytes(1, 1), str(f.dest), bytes(f.esm_class, f.registered, f.data_coding), ...f.tlvs,
  ]);
}

/** `dests`: whole dest_address entries; `count` overrides their number. */
export function multiBody({ dests = [], count = dests.length, text = Buffer.from('hello'), schedule = '' } = {}) {
  return Buffer.concat([
    str(''), bytes(5, 0), str('raw'), bytes(count), ...dests, bytes(0, 0, 0), str(schedule), str(''), bytes(0, 0, 0, 0, text.length), text,
  ]);
}
export const sme = (number) => Buffer.concat([bytes(1, 1, 1), str(number)]);
export const list = (name) => Buffer.concat([bytes(2), str(name)]);

export function bindBody({ system_id = 'demo', password = 'demo', system_type = '', version = 0x34, range = '', tlvs = [] } = {}) {
  return Buffer.concat([str(system_id), str(password), str(system_type), bytes(version, 0, 0), str(range), ...tlvs]);
}

/** A connection. PDUs from the other side queue up in `inbox`; `closed` resolves with what was received in all. */
export class Peer {
  /** `socket`: one made elsewhere (TLS, behind a PROXY header), with the event that says it is ready. */
  constructor(port, socket, ready = 'connect') {
    this.inbox = [];
    this.received = 0; // bytes
    this.pending = Buffer.alloc(0);
    this.wakers = new Set();
    this.ended = false;
    this.sequence = 1000000;
    this.socket = socket ?? net.connect({ host: '127.0.0.1', port, noDelay: true });
    this.socket.on('data', (data) => this.#take(data));
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) =>
      this.socket.on('close', () => {
        this.ended = true;
        this.#wake();
        resolve(this);
      }),
    );
    this.connected = new Promise((resolve, reject) => this.socket.once(ready, resolve).once('error', reject));
    this.connected.catch(() => {}); // who waits for it is told
  }

  #take(data) {
    this.received += data.length;
    this.pending = this.pending.length ? Buffer.concat([this.pending, data]) : data;
    while (this.pending.length >= 16) {
      const length = this.pending.readUInt32BE(0);
      if (this.pending.length < length) break;
      const raw = this.pending.subarray(0, length);
      this.pending = this.pending.subarray(length);
      this.inbox.push({
        id: raw.readUInt32BE(4), status: raw.readUInt32BE(8), seq: raw.readUInt32BE(12), body: raw.subarray(16), raw,
      });
    }
    this.#wake();
  }

  #wake() {
    for (const wake of [...this.wakers]) wake();
  }

  write(...buffers) {
    this.socket.write(Buffer.concat(buffers));
  }

  /** Takes the first PDU that fits out of the inbox, now or when it comes. */
  take(fits = () => true, within = 10000, what = 'PDU') {
    return new Promise((resolve, reject) => {
      const look = () => {
        const at = this.inbox.findIndex(fits);
        if (at < 0 && !this.ended) return;
        this.wakers.delete(look);
        clearTimeout(timer);
        if (at < 0) reject(new Error(`connection closed before the ${what}; received ${this.received} bytes`));
        else resolve(this.inbox.splice(at, 1)[0]);
      };
      const timer = setTimeout(() => {
        this.wakers.delete(look);
        reject(new Error(`no ${what} within ${within} ms`));
      }, within);
      this.wakers.add(look);
      look();
    });
  }

  async bind(options = {}) {
    await this.connected;
    const id = options.command ?? cmd.bind_transceiver;
    this.write(pdu(id, { seq: 1, body: bindBody(options) }));
    return this.take((p) => p.id === response(id), 10000, 'bind_resp');
  }

  /** An enquire_link and its answer: everything sent before has been looked at. */
  async fence() {
    const seq = this.sequence++;
    this.write(pdu(cmd.enquire_link, { seq }));
    const answer = await this.take((p) => p.id === response(cmd.enquire_link) && p.seq === seq, 10000, 'enquire_link_resp');
    return answer;
  }

  end() {
    this.socket.destroy();
    return this.closed;
  }
}
