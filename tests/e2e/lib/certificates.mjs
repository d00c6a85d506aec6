// certificates.mjs - an authority, servers and clients made on the spot with openssl, so that nothing secret lies in the tree.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export class Certificates {
  constructor() {
    this.directory = mkdtempSync(path.join(os.tmpdir(), 'smppbridge-tls-'));
    this.serial = 1;
  }

  file(name) {
    return path.join(this.directory, name);
  }

  #openssl(...args) {
    execFileSync('openssl', args, { stdio: 'pipe' });
  }

  #request(name) {
    this.#openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${name}`,
      '-keyout', this.file(`${name}.key`), '-out', this.file(`${name}.csr`));
  }

  /** A certificate of its own authority. */
  authority(name) {
    this.#openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1',
      '-subj', `/CN=${name}`, '-addext', 'basicConstraints=critical,CA:TRUE',
      '-keyout', this.file(`${name}.key`), '-out', this.file(`${name}.pem`));
    return this.pair(name);
  }

  /** A certificate of `authority` for 127.0.0.1; each has its own serial number. */
  leaf(name, authority) {
    this.#request(name);
    writeFileSync(this.file('san.ext'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
    this.#openssl('x509', '-req', '-in', this.file(`${name}.csr`), '-CA', this.file(`${authority}.pem`),
      '-CAkey', this.file(`${authority}.key`), '-set_serial', String(this.serial++), '-days', '1',
      '-extfile', this.file('san.ext'), '-out', this.file(`${name}.pem`));
    return this.pair(name);
  }

  pair(name) {
    const certificate = this.file(`${name}.pem`);
    const key = this.file(`${name}.key`);
    return { certificate, key, cert: readFileSync(certificate), keyText: readFileSync(key) };
  }

  clean() {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
