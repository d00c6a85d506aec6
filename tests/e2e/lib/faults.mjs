// faults.mjs - a gateway whose disk and wall clock do what the test says: tests/shim/faults.c, loaded into the real binary.
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { binary } from './world.mjs';

const ENOSPC = 28;
const EIO = 5;
const shim = path.join(path.dirname(binary), 'tests', 'libfaults.so');

/** What is to go wrong, in four numbers the gateway reads: errno of writes, errno of syncs, ms added to the wall clock, and
 * how many calls it has failed. */
export class Faults {
  constructor() {
    if (!existsSync(shim)) throw new Error(`${shim} is not there: cmake --build build/release`);
    this.directory = mkdtempSync(path.join(os.tmpdir(), 'smppbridge-faults-'));
    this.file = path.join(this.directory, 'orders');
    writeFileSync(this.file, Buffer.alloc(32));
    this.fd = openSync(this.file, 'r+');
  }

  /** The environment of a gateway whose files are below `under`. */
  env(under) {
    return { LD_PRELOAD: shim, FAULT_FILE: this.file, FAULT_UNDER: under };
  }

  order(place, value) {
    const number = Buffer.alloc(8);
    number.writeBigInt64LE(BigInt(value));
    writeSync(this.fd, number, 0, 8, place * 8);
  }

  diskFull(is = true) {
    this.order(0, is ? ENOSPC : 0);
  }

  syncFails(is = true) {
    this.order(1, is ? EIO : 0);
  }

  jump(ms) {
    this.order(2, ms);
  }

  failed() {
    const number = Buffer.alloc(8);
    readSync(this.fd, number, 0, 8, 24);
    return Number(number.readBigInt64LE());
  }

  end() {
    closeSync(this.fd);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK']));

/** Seconds of processor time a process has used. */
export function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Bytes a process has resident. */
export function residentBytes(pid) {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))[1]) * 1024;
}

/** One number of GET /metrics, 0 when it is not there. */
export async function metric(gateway, name) {
  const { text } = await gateway.admin('GET', '/metrics');
  const line = text.split('\n').find((l) => l.startsWith(`${name} `));
  return line ? Number(line.slice(name.length + 1)) : 0;
}
