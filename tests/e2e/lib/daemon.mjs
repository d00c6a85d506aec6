// daemon.mjs - programs nobody here wrote, started and ended by the test that needs them.
import { spawn, spawnSync } from 'node:child_process';
import readline from 'node:readline';

/** Is the program there? Debian puts daemons into sbin, which users' paths leave out. */
export function has(program) {
  return spawnSync('sh', ['-c', `PATH=$PATH:/usr/sbin:/sbin command -v ${program}`]).status === 0;
}

export class Daemon {
  constructor(name, command, args, options = {}) {
    this.name = name;
    this.lines = [];
    this.watchers = new Set();
    const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env, ...options });
    this.ended = false;
    this.exited = new Promise((resolve) => {
      this.child.once('error', (error) => resolve({ error }));
      this.child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    for (const stream of [this.child.stdout, this.child.stderr])
      readline.createInterface({ input: stream }).on('line', (line) => {
        this.lines.push(line);
        if (process.env.SHOW) console.error(`[${name}] ${line}`);
        for (const watcher of [...this.watchers]) watcher();
      });
    this.exited.then(() => {
      this.ended = true;
      for (const watcher of [...this.watchers]) watcher();
    });
  }

  /** The first line that matches, printed already or later. */
  line(pattern, within = 20000) {
    return new Promise((resolve, reject) => {
      const end = (fail, value) => {
        clearTimeout(timer);
        this.watchers.delete(look);
        if (fail) reject(new Error(`${this.name}: ${fail} ${pattern}:\n${this.lines.slice(-40).join('\n')}`));
        else resolve(value);
      };
      const look = () => {
        const found = this.lines.find((l) => pattern.test(l));
        if (found) end(null, found);
        else if (this.ended) end('ended without');
      };
      const timer = setTimeout(() => end(`not within ${within} ms`), within);
      this.watchers.add(look);
      look();
    });
  }

  async stop(signal = 'SIGTERM', patience = 10000) {
    if (!this.ended) this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), patience);
    const how = await this.exited;
    clearTimeout(timer);
    return how;
  }
}
