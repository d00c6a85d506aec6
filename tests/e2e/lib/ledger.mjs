// ledger.mjs - what arrived at which session, how often, and whether a repetition may be. The ESME's side of the promise:
// a deliver_sm comes again only when its answer may not have become durable before its session or the gateway ended.
//
// Proof without a clock: the gateway reads one session in order, and its store commits in order. So once a submit_sm sent
// after a deliver_sm_resp is answered with status 0, the end of that delivery is on stable storage: no repetition.

/** Between an answer and the end of its session or process; a commit takes milliseconds, a busy machine some hundred. */
const COMMIT_WITHIN_MS = 1000;

export class Ledger {
  constructor() {
    this.arrivals = new Map(); // key -> [{ at, tick, session }]
    this.kills = []; // { from, to }
    this.sessions = 0;
  }

  /** A session: `ended` resolves when it is closed. */
  session(ended) {
    const session = { number: ++this.sessions, tick: 0, settled: 0, end: undefined };
    ended.then(() => (session.end = Date.now()));
    return session;
  }

  /** A delivery was answered with status 0, just now. */
  arrived(key, session) {
    const list = this.arrivals.get(key) ?? [];
    list.push({ at: Date.now(), tick: ++session.tick, session });
    this.arrivals.set(key, list);
  }

  /** Around a submit: call with what submitting() gave when its answer of status 0 has come. */
  submitting(session) {
    return session.tick;
  }

  submitted(session, tick) {
    session.settled = Math.max(session.settled, tick);
  }

  async kill(gateway) {
    const kill = { from: Date.now() };
    this.kills.push(kill);
    await gateway.kill('SIGKILL');
    kill.to = Date.now() + COMMIT_WITHIN_MS; // its sessions learn of it a little later
  }

  /** Deliveries that came more than once, one line each: those that may have, and the others. */
  repeats() {
    const excused = [];
    const wrong = [];
    for (const [key, list] of this.arrivals)
      for (const before of list.slice(0, -1)) {
        const { number, settled, end } = before.session;
        const kill = this.kills.findLastIndex(({ from, to }) => end >= from && end <= to);
        const ago = `answered ${end - before.at} ms before ${kill < 0 ? `the end of session ${number}` : `kill ${kill + 1}`}`;
        if (before.tick <= settled) wrong.push(`${key}: its answer in session ${number} was durable, proven by a later submit_sm_resp`);
        else if (end === undefined) wrong.push(`${key}: answered in session ${number}, which lives`);
        else if (end - before.at > COMMIT_WITHIN_MS) wrong.push(`${key}: ${ago}`);
        else excused.push(`${key}: ${ago}`);
      }
    return { excused, wrong };
  }
}
