// pcap.mjs - a TCP relay that keeps what passed through it, as a capture file that Wireshark reads: the bytes and their
// order are those of the wire, the addresses are made up. Needs no privileges, unlike a capture on an interface.
import net from 'node:net';
import { writeFileSync } from 'node:fs';

const SERVER = { address: [192, 0, 2, 1], port: 2775 };

export class Relay {
  constructor() {
    this.segments = []; // { connection, fromServer, data, at, kind }
    this.connections = 0;
    this.sockets = new Set();
  }

  /** Resolves with the port to connect to. */
  listen(target) {
    return new Promise((resolve) => {
      this.server = net.createServer((client) => {
        const connection = this.connections++;
        const upstream = net.connect({ host: '127.0.0.1', port: target, noDelay: true });
        client.setNoDelay(true);
        for (const [from, to, fromServer] of [[client, upstream, false], [upstream, client, true]]) {
          this.sockets.add(from);
          from.on('data', (data) => {
            this.segments.push({ connection, fromServer, data, at: Date.now() });
            to.write(data);
          });
          from.on('end', () => to.end());
          from.on('error', () => to.destroy());
        }
      });
      this.server.listen(0, '127.0.0.1', () => resolve(this.server.address().port));
    });
  }

  close() {
    for (const socket of this.sockets) socket.destroy();
    this.server?.close();
  }

  /** Whole PDUs that passed, by the length they state. */
  pdus() {
    const streams = new Map();
    const found = [];
    for (const { connection, fromServer, data } of this.segments) {
      const key = `${connection}/${fromServer}`;
      let rest = Buffer.concat([streams.get(key) ?? Buffer.alloc(0), data]);
      while (rest.length >= 16 && rest.length >= rest.readUInt32BE(0)) {
        const length = rest.readUInt32BE(0);
        found.push({ fromServer, id: rest.readUInt32BE(4), status: rest.readUInt32BE(8), raw: rest.subarray(0, length) });
        rest = rest.subarray(length);
      }
      streams.set(key, rest);
    }
    return found;
  }

  write(file) {
    const header = Buffer.alloc(24);
    header.writeUInt32LE(0xa1b2c3d4, 0);
    header.writeUInt16LE(2, 4);
    header.writeUInt16LE(4, 6);
    header.writeUInt32LE(262144, 16);
    header.writeUInt32LE(101, 20); // raw IP
    const out = [header];
    const sequences = new Map();
    const SYN = 2, PUSH_ACK = 0x18, ACK = 0x10;
    const segment = (connection, fromServer, flags, data, at) => {
      const seq = sequences.get(`${connection}/${fromServer}`) ?? 1000;
      const ack = sequences.get(`${connection}/${!fromServer}`) ?? 0;
      sequences.set(`${connection}/${fromServer}`, (seq + data.length + (flags & SYN ? 1 : 0)) >>> 0);
      const client = { address: [192, 0, 2, 100], port: 40000 + connection };
      const [from, to] = fromServer ? [SERVER, client] : [client, SERVER];
      const packet = Buffer.alloc(40 + data.length);
      packet[0] = 0x45;
      packet.writeUInt16BE(packet.length, 2);
      packet[8] = 64;
      packet[9] = 6; // TCP
      packet.set(from.address, 12);
      packet.set(to.address, 16);
      packet.writeUInt16BE(from.port, 20);
      packet.writeUInt16BE(to.port, 22);
      packet.writeUInt32BE(seq, 24);
      packet.writeUInt32BE(ack, 28);
      packet[32] = 0x50;
      packet[33] = flags;
      packet.writeUInt16BE(65535, 34);
      packet.set(data, 40);
      const record = Buffer.alloc(16);
      record.writeUInt32LE(Math.floor(at / 1000), 0);
      record.writeUInt32LE((at % 1000) * 1000, 4);
      record.writeUInt32LE(packet.length, 8);
      record.writeUInt32LE(packet.length, 12);
      out.push(record, packet);
    };
    const opened = new Set();
    const none = Buffer.alloc(0);
    for (const { connection, fromServer, data, at } of this.segments) {
      if (!opened.has(connection)) {
        opened.add(connection);
        segment(connection, false, SYN, none, at);
        segment(connection, true, SYN | ACK, none, at);
        segment(connection, false, ACK, none, at);
      }
      for (let from = 0; from < data.length; from += 32768)
        segment(connection, fromServer, PUSH_ACK, data.subarray(from, from + 32768), at);
    }
    writeFileSync(file, Buffer.concat(out));
  }
}
