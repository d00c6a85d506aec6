// dashboard.test.mjs - the dashboard in Chromium: opened, clicked through in both languages, on a phone, by keyboard, in the dark.
// Screenshots go to $SCREENSHOTS when it is set. Skipped where there is no Chromium.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { Esme, Gateway, startWorld, textOf } from './lib/world.mjs';

const executablePath = spawnSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).stdout.trim();
const skip = executablePath === '' && 'no chromium';
let world, browser, url;

before(async () => {
  if (skip) return;
  world = await startWorld();
  url = `http://127.0.0.1:${world.gateway.adminPort}/`;
  browser = await chromium.launch({
    executablePath,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
});
after(async () => {
  await browser?.close();
  await world?.end();
});

async function open(options = {}, where = url) {
  const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(error.message));
  page.on('request', (request) => {
    if (!request.url().startsWith(where)) page.problems.push(`asks elsewhere: ${request.url()}`);
  });
  await page.goto(where);
  return page;
}

async function login(page) {
  await page.locator('#login input').fill('token');
  await page.keyboard.press('Enter');
  await page.locator('#state.good').waitFor();
}

const picture = (page, name) =>
  process.env.SCREENSHOTS && page.screenshot({ path: path.join(process.env.SCREENSHOTS, `${name}.png`), fullPage: true });

test('a wrong token is refused, the right one opens the page', { skip }, async () => {
  const page = await open();
  await page.locator('#login input').fill('wrong');
  await page.keyboard.press('Enter');
  await page.locator('#login .error', { hasText: 'Wrong token.' }).waitFor();
  await picture(page, 'login');
  await login(page);
  assert.equal(await page.locator('#login').isVisible(), false);
  await page.locator('#cards dd').first().waitFor();
  await page.locator('#upstreams tbody td', { hasText: 'smsc' }).first().waitFor();
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test('a test message is explained, sent, found and its story told; its bind and upstream can be worked', { skip }, async () => {
  const esme = await world.esme();
  const page = await open();
  await login(page);
  await page.locator('#sessions tbody tr').first().waitFor();
  await page.locator('#test input[name=to]').fill('79992220001');
  await page.locator('#test textarea').fill('<b>Привет</b>');
  await page.locator('#test input[name=registered_delivery]').check();
  await page.locator('#explain').click();
  await page.locator('#test-result', { hasText: 'ucs2' }).waitFor();
  await page.locator('#test button:not([type])').click();
  await page.locator('#test-result button').click();
  await page.locator('#timeline li', { hasText: 'received' }).waitFor();
  assert.equal(await page.locator('#facts dd', { hasText: '<b>Привет</b>' }).count(), 1); // as text, not as markup
  await picture(page, 'story');
  await page.keyboard.press('Escape');
  await page.locator('#search input[name=what]').fill('79992220001');
  await page.keyboard.press('Enter');
  await page.locator('#messages tbody tr', { hasText: '79992220001' }).waitFor();
  const pause = page.locator('#upstreams button');
  await pause.click();
  await page.locator('#upstreams td', { hasText: 'paused' }).waitFor();
  await page.locator('#upstreams button', { hasText: 'Resume' }).click();
  await page.locator('#upstreams td.good').waitFor();
  await picture(page, 'desktop');
  assert.deepEqual(page.problems, []);
  await page.context().close();
  await esme.close();
});

test('the lab: behaviour is changed while it runs, a subscriber writes to an account', { skip }, async () => {
  const gateway = await new Gateway({ esme: { mode: 'lab' } }).start('http://127.0.0.1:1');
  const esme = new Esme().connect(gateway.port);
  await esme.bind();
  const page = await open({}, `http://127.0.0.1:${gateway.adminPort}/`);
  await login(page);
  await page.locator('#behaviour-box summary').click();
  const box = page.locator('#behaviour textarea');
  const shown = JSON.parse(await box.inputValue());
  assert.deepEqual([shown.slow_reply, shown.slow_bytes_s], [0, 20]);
  await esme.submit({ destination_addr: '79990000007', short_message: 'costs money, takes time' }); // the box is older than the network now
  await esme.delivery((pdu) => /stat:DELIVRD/.test(textOf(pdu)));
  await box.fill(JSON.stringify({ ...shown, slow_reply: 1, slow_bytes_s: 1000 }));
  await page.locator('#behaviour button').click();
  await page.locator('#lab-result', { hasText: 'Done' }).waitFor();
  const { json } = await gateway.admin('GET', '/v1/lab/behaviour');
  assert.deepEqual([json.slow_reply, json.slow_bytes_s], [1, 1000]);
  assert.ok(Number(json.balance) < Number(shown.balance), 'what was not changed here is left alone');
  await page.locator('#incoming input[name=text]').fill('Привет');
  await page.locator('#incoming input[name=account]').fill('demo');
  await page.locator('#incoming button').click();
  await esme.delivery((pdu) => pdu.source_addr === '79991234567');
  assert.deepEqual(page.problems, []);
  await page.context().close();
  await esme.close();
  await gateway.stop();
  gateway.clean();
});

test('a page opened later shows what went before; lists and an open story follow what happens', { skip }, async () => {
  const esme = await world.esme();
  const page = await open();
  await login(page);
  await page.waitForFunction(() => plots.throughput.points.length >= 2);
  await page.reload();
  await page.waitForFunction(() => plots.throughput.points.length > beats); // more than the events this page has had
  await world.simulator.behave({ delay_min_ms: 3000, delay_max_ms: 3000 });
  const { message_id } = await esme.submit({ destination_addr: '79992220002' });
  const row = page.locator('#messages tbody tr', { hasText: '79992220002' }); // nobody asks for it
  await row.waitFor();
  assert.equal(await page.locator('#messages tbody tr').first().locator('button').textContent(), message_id);
  await row.locator('button').click();
  await page.locator('#timeline li', { hasText: 'http_reply' }).waitFor();
  assert.match(await page.locator('#timeline time').first().textContent(), /^\d\d:\d\d:\d\d\.\d{3}$/);
  await page.locator('#timeline li', { hasText: 'deliver_sm_resp' }).waitFor();
  await page.locator('#facts dd', { hasText: 'delivered' }).first().waitFor();
  await world.simulator.behave({ delay_min_ms: 50, delay_max_ms: 300 });
  assert.deepEqual(page.problems, []);
  await page.context().close();
  await esme.close();
});

test('Russian, the dark and a phone: nothing is cut off and everything is reached by keyboard', { skip }, async () => {
  const page = await open({ locale: 'ru-RU', colorScheme: 'dark', viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true });
  await login(page);
  await page.locator('#messages-title', { hasText: 'Сообщения' }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'ru');
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `the page is ${wide} px wider than the phone`);
  await page.locator('#messages tbody tr').first().waitFor();
  const cut = await page.evaluate(() =>
    [...document.querySelectorAll('td, td *, dd, label, button')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.textContent));
  assert.deepEqual(cut, []);
  const back = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.equal(back, 'rgb(16, 21, 27)');
  await picture(page, 'phone');
  const reached = new Set();
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press('Tab');
    reached.add(await page.evaluate(() => document.activeElement.id || document.activeElement.name || document.activeElement.dataset.word));
  }
  for (const wanted of ['skip', 'language', 'theme', 'what', 'system_id', 'to', 'text', 'explain']) assert.ok(reached.has(wanted), wanted);
  await page.locator('#language').click();
  await page.locator('#messages-title', { hasText: 'Messages' }).waitFor();
  await page.locator('#theme').click();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'light');
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test('every word stands in both languages', { skip }, async () => {
  const page = await open();
  const missing = await page.evaluate(() => {
    const named = [...document.querySelectorAll('[data-word]')].map((e) => e.dataset.word);
    const keys = [...new Set([...named, ...Object.keys(words.en)])];
    return keys.filter((k) => !(k in words.en) || !(k in words.ru));
  });
  assert.deepEqual(missing, []);
  await page.context().close();
});
