// app.js - the dashboard: live state by server-sent events, everything else by the administration API.
// Text reaches the page as text only, never as markup.
'use strict';
const $ = (selector) => document.querySelector(selector);
let language = localStorage.getItem('language') ?? (navigator.language.startsWith('ru') ? 'ru' : 'en');
let status = null;
let cursor = null;
let source = null;
const plots = {};

const word = (key) => words[language][key] ?? words.en[key] ?? key;
const named = (state) => words[language].states?.[state] ?? String(state).replaceAll('_', ' ');
const number = (value, digits = 0) =>
  value === null || value === undefined ? '–' : value.toLocaleString(locale(), { maximumFractionDigits: digits });
/** The reader's own way of writing dates, where it is of the chosen language. */
const locale = () => navigator.languages.find((l) => l.startsWith(language)) ?? (language === 'en' ? 'en-GB' : language);
const time = (iso) => (iso ? new Date(iso).toLocaleString(locale()) : '–');
const clock = (iso) => new Date(iso).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 });

function element(tag, text, className) {
  const e = document.createElement(tag);
  if (text !== undefined && text !== null) e.textContent = text;
  if (className) e.className = className;
  return e;
}

function button(key, action) {
  const b = element('button', word(key));
  b.type = 'button';
  b.addEventListener('click', action);
  return b;
}

// --- the API -------------------------------------------------------------------------------------------------------

async function api(method, path, body) {
  const reply = await fetch(path, {
    method,
    headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
    body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
  });
  if (reply.status === 401) askToken();
  const json = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new Error([json.error ?? reply.statusText, json.hint].filter(Boolean).join(': '));
  return json;
}

function show(output, text, bad = false) {
  output.textContent = text;
  output.classList.toggle('error', bad);
}

const attempt = (output, action) => async (event) => {
  event?.preventDefault();
  try {
    await action(event);
  } catch (error) {
    show(output, error.message, true);
  }
};

// --- live ----------------------------------------------------------------------------------------------------------

/** Rows by key: those there are changed in place, so that focus and selection stay. */
function fill(table, items, key, cells) {
  const body = table.tBodies[0];
  const rows = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  items.forEach((item, at) => {
    const id = String(item[key]);
    let row = rows.get(id);
    if (!row) {
      row = body.insertRow();
      row.dataset.key = id;
    }
    rows.delete(id);
    if (body.rows[at] !== row) body.insertBefore(row, body.rows[at] ?? null);
    const labels = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
    cells(item).forEach((content, i) => {
      const cell = row.cells[i] ?? row.insertCell();
      cell.dataset.label = labels[i]; // a phone shows it before the value
      if (content instanceof Node) {
        if (cell.dataset.content !== content.dataset.content || !cell.firstChild) cell.replaceChildren(content);
        cell.dataset.content = content.dataset.content ?? '';
      } else {
        const { text, className = '' } = typeof content === 'object' && content !== null ? content : { text: content };
        if (cell.textContent !== String(text ?? '')) cell.textContent = text ?? '';
        if (cell.className !== className) cell.className = className;
      }
    });
  });
  for (const row of rows.values()) row.remove();
}

const figure = (value, digits) => ({ text: number(value, digits), className: 'number' });

function actions(content, ...buttons) {
  const span = element('span');
  span.dataset.content = `${content} ${language}`;
  span.append(...buttons);
  return span;
}

function upTime(seconds) {
  const days = Math.floor(seconds / 86400);
  const rest = new Date((seconds % 86400) * 1000).toISOString().slice(11, 19);
  return days > 0 ? `${days}d ${rest}` : rest;
}

function showCards() {
  const s = status;
  const cards = [
    ['accepted', `${number(s.rates.accepted, 1)} ${word('second')}`],
    ['sent', `${number(s.rates.sent, 1)} ${word('second')}`],
    ['p99', `${number(s.latency_ms.p99, 2)} ${word('ms')}`],
    ['queued', number(s.queues.submit)],
    ['backlog', number(s.queues.receipts)],
    ['sessions', number(s.sessions)],
    ['uptime', upTime(s.uptime)],
  ];
  const list = $('#cards');
  cards.forEach(([key, value], i) => {
    const card = list.children[i] ?? list.appendChild(element('div'));
    if (card.children.length === 0) card.append(element('dt'), element('dd'));
    card.children[0].textContent = word(key);
    card.children[1].textContent = value;
  });
}

function legend(target, parts) {
  target.replaceChildren(
    ...parts.flatMap(([className, label, value]) => [element('b', label, className), ` ${value}   `]),
  );
}

function showState() {
  const s = status;
  const good = s.store.healthy && !s.draining && !s.restart_needed;
  const p = $('#state');
  p.className = `live ${s.store.healthy ? (good ? 'good' : 'warn') : 'bad'}`;
  $('#state-text').textContent = !s.store.healthy
    ? word('sick')
    : s.draining
      ? word('draining')
      : s.restart_needed
        ? `${word('restart')} ${s.restart_needed.trim().replaceAll('\n', ', ')}`
        : word('running');
  $('#version').textContent = s.version;
}

function options(select, values, keepFirst) {
  const have = [...select.options].slice(keepFirst).map((o) => o.value);
  if (have.join('\n') === values.join('\n')) return;
  const chosen = select.value;
  while (select.options.length > keepFirst) select.remove(keepFirst);
  for (const value of values) select.add(new Option(value, value));
  if (values.includes(chosen)) select.value = chosen;
}

function showTables() {
  fill($('#upstreams'), status.upstreams, 'name', (u) => [
    u.name,
    { text: named(u.state), className: u.state === 'up' ? 'good' : u.state === 'trying' || u.state === 'backing_off' ? 'warn' : 'bad' },
    figure(u.balance, 2),
    { text: `${number(u.in_flight)} / ${number(u.connections)}`, className: 'number' },
    figure(u.waiting),
    figure(u.unclear),
    actions(
      u.paused,
      button(u.paused ? 'resume' : 'pause', () =>
        api('POST', `/v1/upstreams/${encodeURIComponent(u.name)}/${u.paused ? 'resume' : 'pause'}`).catch((e) => alert(e.message)),
      ),
    ),
  ]);
  fill($('#accounts'), status.esmes, 'system_id', (a) => [
    a.system_id, figure(a.binds), figure(a.queued), figure(a.receipts), figure(a.accepted), figure(a.refused),
  ]);
  const accounts = status.esmes.filter((a) => a.system_id !== '').map((a) => a.system_id);
  options($('#search select[name=system_id]'), accounts, 1);
  options($('#test select[name=system_id]'), status.esmes.filter((a) => a.configured && a.system_id).map((a) => a.system_id), 0);
}

async function showSessions() {
  const { items } = await api('GET', '/v1/sessions');
  $('#no-sessions').hidden = items.length > 0;
  items.sort((a, b) => a.n - b.n);
  fill($('#sessions'), items.slice(0, 200), 'n', (s) => {
    const capture = element('a', word('capture'), 'button');
    capture.href = `/v1/sessions/${s.n}/capture`;
    capture.download = `session-${s.n}.pcap`;
    return [
      { text: s.n, className: 'number' }, s.system_id, named(s.type), s.version, s.address, time(s.since),
      actions('', button('unbind', () => confirm(word('sureunbind')) && api('DELETE', `/v1/sessions/${s.n}`)), capture),
    ];
  });
}

let beats = 0;
function onStatus(event) {
  status = JSON.parse(event.data);
  showState();
  showCards();
  showTables();
  plots.throughput.add([status.rates.accepted, status.rates.sent, status.rates.delivered]);
  plots.latency.add([status.latency_ms.p50, status.latency_ms.p99]);
  legend($('#throughput-text'), [
    ['one', word('accepteds'), number(status.rates.accepted, 1)],
    ['two', word('sent'), number(status.rates.sent, 1)],
    ['three', word('delivered'), number(status.rates.delivered, 1)],
  ]);
  legend($('#latency-text'), [
    ['one', 'p50', number(status.latency_ms.p50, 2)],
    ['two', 'p99', number(status.latency_ms.p99, 2)],
  ]);
  if (beats++ % 3 === 0 && !document.hidden) {
    showSessions().catch(() => {});
    refreshMessages().catch(() => {});
  }
  if (storyId && $('#story').open) showStory(storyId).catch(() => {});
  if ($('#lab').hidden && status.lab) {
    $('#lab').hidden = false;
    readBehaviour();
  }
}

/** What the gateway has seen before this page was opened. */
function onHistory(event) {
  const { points } = JSON.parse(event.data);
  plots.throughput.fill(points.map((p) => p.slice(0, 3)));
  plots.latency.fill(points.map((p) => p.slice(3)));
}

function listen() {
  source?.close();
  source = new EventSource('/v1/events');
  source.addEventListener('history', onHistory);
  source.addEventListener('status', onStatus);
  source.addEventListener('error', () => {
    $('#state').className = 'bad';
    $('#state-text').textContent = word('lost');
    if (source.readyState === EventSource.CLOSED) setTimeout(start, 3000); // refused: perhaps the token
  });
}

// --- messages ------------------------------------------------------------------------------------------------------

function messageCells(m) {
  const open = button('open', () => showStory(m.id).catch((e) => alert(e.message)));
  open.textContent = m.id;
  open.title = word('open');
  const bad = ['undeliverable', 'rejected', 'expired', 'unknown'].includes(m.state);
  return [
    time(m.accepted_at), m.system_id, m.from, m.to, { text: named(m.state), className: m.state === 'delivered' ? 'good' : bad ? 'bad' : '' },
    figure(m.parts), figure(m.cost, 4), actions(m.id, open),
  ];
}

let shown = []; // the messages of the list
let asked = null; // its filter, without the cursor

function showMessages(items, next) {
  shown = items;
  cursor = next;
  fill($('#messages'), items, 'id', messageCells);
  $('#more').hidden = !next;
  $('#no-messages').hidden = items.length > 0;
}

async function search(event) {
  event?.preventDefault();
  const form = new FormData($('#search'));
  const what = form.get('what').trim();
  if (/^s?\d{8,}$/.test(what) && (what.length >= 18 || what.startsWith('s'))) return showStory(what);
  asked = { limit: '25' };
  if (what) asked.phone = what;
  for (const key of ['system_id', 'state']) if (form.get(key)) asked[key] = form.get(key);
  const { items, next } = await api('GET', `/v1/messages?${new URLSearchParams(asked)}`);
  showMessages(items, next);
}

async function moreMessages() {
  const { items, next } = await api('GET', `/v1/messages?${new URLSearchParams({ ...asked, after: cursor })}`);
  showMessages([...shown, ...items], next);
}

/** The first page follows what happens, unless somebody has read on, works in the list or has marked something. */
async function refreshMessages() {
  if (!asked || shown.length > 25 || $('#messages').contains(document.activeElement) || !getSelection().isCollapsed) return;
  const { items, next } = await api('GET', `/v1/messages?${new URLSearchParams(asked)}`);
  if (shown.length <= 25) showMessages(items, next);
}

let storyId = null;
let storyText = '';

async function showStory(id) {
  const m = await api('GET', `/v1/messages/${encodeURIComponent(id)}`);
  const text = JSON.stringify(m) + language;
  if ($('#story').open && storyId === m.id && storyText === text) return; // nothing new: what is marked stays marked
  [storyId, storyText] = [m.id, text];
  const facts = [['id', m.id], [word('upstreamid'), m.upstream_id], [word('account'), m.system_id], [word('from'), m.from], [word('to'), m.to],
    [word('state'), named(m.state)], [word('receiptis'), named(m.receipt)], [word('parts'), m.parts], [word('cost'), m.cost === null ? null : number(m.cost, 4)],
    [word('text'), m.text]];
  $('#facts').replaceChildren(
    ...facts.filter(([, v]) => v !== null && v !== '').flatMap(([k, v]) => [element('dt', k), element('dd', v)]),
  );
  const begin = new Date(m.timeline[0]?.at ?? 0);
  $('#timeline').replaceChildren(
    ...m.timeline.map(({ at, event, ...rest }) => {
      const li = element('li');
      const t = element('time', clock(at));
      t.dateTime = at;
      const since = (new Date(at) - begin) / 1000;
      const more = Object.entries(rest).map(([k, v]) => `${k} ${v}`).join(', ');
      li.append(t, element('b', words[language].events?.[event] ?? event), ' ', element('small', more));
      if (since > 0) li.append(' ', element('small', `+${number(since, 3)} ${word('seconds')}`, 'since'));
      return li;
    }),
  );
  const cancel = $('#cancel');
  cancel.hidden = !['queued', 'scheduled', 'waiting_parts'].includes(m.state);
  cancel.onclick = async () => {
    await api('DELETE', `/v1/messages/${m.id}`).catch((e) => alert(e.message));
    await showStory(m.id);
  };
  if (!$('#story').open) $('#story').showModal();
}

// --- forms ---------------------------------------------------------------------------------------------------------

function testMessage() {
  const form = new FormData($('#test'));
  const message = Object.fromEntries(['system_id', 'from', 'to', 'text'].map((k) => [k, form.get(k)]));
  if (form.get('registered_delivery')) message.registered_delivery = 1;
  return message;
}

async function sendTest() {
  const { id } = await api('POST', '/v1/messages', testMessage());
  const link = element('button', id);
  link.type = 'button';
  link.addEventListener('click', () => showStory(id));
  show($('#test-result'), word('queuedid'));
  $('#test-result').append(link);
}

async function explainTest() {
  const e = await api('POST', '/v1/explain', testMessage());
  const requests = e.requests.map(
    (r) => `${r.method} ${r.url}\n${Object.entries(r.parameters).map(([k, v]) => `  ${k}=${v}`).join('\n')}`,
  );
  show($('#test-result'),
    `${word('alphabet')}: ${e.alphabet}, ${word('parts').toLowerCase()}: ${e.parts}, ${word('route')}: ${e.route}\n\n${requests.join('\n\n')}`);
}

let behaviour = {}; // as it was shown: balance and clock go on meanwhile, so only what was changed here is sent

async function readBehaviour() {
  behaviour = await api('GET', '/v1/lab/behaviour');
  $('#behaviour textarea').value = JSON.stringify(behaviour, null, 2);
}

async function applyBehaviour() {
  const wanted = JSON.parse($('#behaviour textarea').value); // says where it is wrong
  const changed = Object.entries(wanted).filter(([name, value]) => behaviour[name] !== value);
  await api('PUT', '/v1/lab/behaviour', Object.fromEntries(changed));
  await readBehaviour();
  show($('#lab-result'), word('done'));
}

async function subscriberWrites() {
  await api('POST', '/v1/lab/incoming', Object.fromEntries(new FormData($('#incoming'))));
  show($('#lab-result'), word('done'));
}

// --- who, language, theme ------------------------------------------------------------------------------------------

function askToken() {
  const dialog = $('#login');
  if (!dialog.open) dialog.showModal();
}

async function login(event) {
  event.preventDefault();
  const token = new FormData(event.target).get('token');
  const reply = await fetch('/login', { method: 'POST', body: JSON.stringify({ token }) });
  if (!reply.ok) {
    $('#login .error').textContent = reply.status === 401 ? word('wrong') : ((await reply.json()).hint ?? reply.statusText);
    return;
  }
  event.target.reset();
  $('#login').close();
  $('#logout').hidden = false;
  start();
}

function translate() {
  document.documentElement.lang = language;
  for (const e of document.querySelectorAll('[data-word]')) e.textContent = word(e.dataset.word);
  const other = $('#language');
  other.textContent = word('other');
  other.lang = language === 'en' ? 'ru' : 'en';
  const states = $('#search select[name=state]');
  const chosen = states.value;
  states.replaceChildren(
    new Option(word('all'), ''),
    ...['scheduled', 'queued', 'sending', 'delivered', 'expired', 'deleted', 'undeliverable', 'rejected', 'unknown'].map(
      (s) => new Option(named(s), s),
    ),
  );
  states.value = chosen;
  if (status) {
    onStatus({ data: JSON.stringify(status) });
    fill($('#messages'), shown, 'id', messageCells);
  }
}

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  for (const plot of Object.values(plots)) plot.draw();
}

async function start() {
  const reply = await fetch('/v1/status').catch(() => null);
  if (!reply) {
    setTimeout(start, 3000);
    return;
  }
  if (reply.status === 401) {
    askToken();
    return;
  }
  listen();
  search().catch(() => {});
}

plots.throughput = new Plot($('#throughput'), ['--plot1', '--plot2', '--plot3']);
plots.latency = new Plot($('#latency'), ['--plot1', '--plot2']);
setTheme(localStorage.getItem('theme'));
translate();
$('#language').addEventListener('click', () => {
  language = language === 'en' ? 'ru' : 'en';
  localStorage.setItem('language', language);
  translate();
});
$('#theme').addEventListener('click', () => {
  const dark = document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === 'dark'
    : matchMedia('(prefers-color-scheme: dark)').matches;
  localStorage.setItem('theme', dark ? 'light' : 'dark');
  setTheme(dark ? 'light' : 'dark');
});
$('#logout').addEventListener('click', async () => {
  await fetch('/logout', { method: 'POST' });
  location.reload();
});
$('#login form').addEventListener('submit', login);
$('#login').addEventListener('cancel', (event) => event.preventDefault());
$('#search').addEventListener('submit', (event) => search(event).catch((e) => alert(e.message)));
$('#more').addEventListener('click', () => moreMessages().catch((e) => alert(e.message)));
$('#test').addEventListener('submit', attempt($('#test-result'), sendTest));
$('#explain').addEventListener('click', attempt($('#test-result'), explainTest));
$('#incoming').addEventListener('submit', attempt($('#lab-result'), subscriberWrites));
$('#behaviour').addEventListener('submit', attempt($('#lab-result'), applyBehaviour));
start();
