// kannel.test.mjs - Debian's Kannel with the gateway as its SMSC: bearerbox binds, smsbox sends by HTTP, reports and
// incoming messages come out at Kannel's other end.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { callBack } from './lib/callback.mjs';
import { has } from './lib/daemon.mjs';
import { Kannel, listener } from './lib/kannel.mjs';
import { Relay } from './lib/pcap.mjs';
import { idPattern, startWorld, textUpstream, until } from './lib/world.mjs';

for (const interfaceVersion of ['34', '33'])
  describe(`Kannel bound with interface version ${interfaceVersion}`, { skip: has('bearerbox') ? false : 'Kannel is not installed' }, () => {
    let world, local, kannel;
    const relay = new Relay(); // between the two: what it saw is the order on the wire
    before(async () => {
      world = await startWorld({ esme: { deliver_max_pdu: '7424B' } }); // as profile kannel has it, with ids by version
      local = await listener();
      kannel = await new Kannel().start(await relay.listen(world.gateway.port), local.url, interfaceVersion);
    });
    after(async () => {
      await kannel?.stop();
      relay.close();
      local?.close();
      await world?.end();
    });

    /** The reports for what was sent under `key`, once accepted (8) and final (1, 2) are there: the accepted one first.
     * smsbox fetches each on a connection of its own, a kept one or a new one, so on a busy machine the final one may
     * arrive first; in what order the gateway told it is for overtaking() to judge. */
    const reports = (key) =>
      until(`both reports for ${key}`, () => {
        const all = local.calls.filter((c) => c.path === '/dlr' && c.key === key);
        return all.some((c) => c.type === '8') && finals(key).length > 0 && all.sort((a, b) => b.type - a.type);
      });
    const finals = (key) => local.calls.filter((c) => c.path === '/dlr' && c.key === key && ['1', '2'].includes(c.type));
    const send = (key, parameters) =>
      kannel.send({ from: '13013', 'dlr-mask': '31', 'dlr-url': `${local.url}/dlr?key=${key}&type=%d&id=%F&text=%A`, ...parameters });
    /** Receipts that stood on the wire before the answer that names them, and how many did not. */
    const overtaking = () => {
      const answered = new Set();
      const early = [];
      let late = 0;
      for (const { id, raw } of relay.pdus()) {
        if (id === 0x80000004) answered.add(raw.toString('latin1', 16, raw.length - 1));
        if (id !== 0x00000005) continue;
        const named = /id:(\w+) sub:/.exec(raw.toString('latin1'))?.[1];
        if (named && answered.has(named)) late++;
        else if (named) early.push(named);
      }
      return { early, late };
    };
    const upstream = async (phone) => (await world.simulator.get(`/lab/messages?phone=${phone}`)).items.reverse();

    test('a message goes out and its delivery report comes back', async () => {
      await send('plain', { to: '79990000001', text: 'Hello from Kannel' });
      const all = await reports('plain');
      assert.deepEqual(all.map((c) => c.type), ['8', '1'], 'accepted by the SMSC, then delivered');
      assert.match(all[1].id, idPattern(parseInt(interfaceVersion, 16)));
      assert.equal(all[0].id, all[1].id, 'the report is found by the id of the answer');
      const [message] = await upstream('79990000001');
      assert.equal(message.text, 'Hello from Kannel');
      assert.equal(message.sender, '13013');
    });

    test('a message that cannot be delivered is reported as failed', async () => {
      await world.simulator.behave({ delivered: 0, failures: '20/6' });
      await send('failed', { to: '79990000002', text: 'nobody there' });
      assert.deepEqual((await reports('failed')).map((c) => c.type), ['8', '2']);
      await world.simulator.behave({ delivered: 1 });
    });

    test('UCS-2 text', async () => {
      await send('ucs2', { to: '79990000003', coding: '2', charset: 'UTF-8', text: 'Привет из Kannel' });
      await reports('ucs2');
      assert.equal((await upstream('79990000003'))[0].text, 'Привет из Kannel');
    });

    test('GSM text beyond ASCII', async () => {
      await send('gsm', { to: '79990000004', charset: 'UTF-8', text: '@ £ Grüße [100 €]' });
      await reports('gsm');
      assert.equal((await upstream('79990000004'))[0].text, '@ £ Grüße [100 €]');
    });

    test('a long message in parts arrives whole', async () => {
      const text = Array.from({ length: 60 }, (_, i) => `word ${i}`).join(' ');
      await send('long', { to: '79990000005', text });
      await reports('long');
      await until('all of it upstream', async () => (await textUpstream(world.simulator, '79990000005')).length >= text.length);
      assert.equal(await textUpstream(world.simulator, '79990000005'), text);
    });

    test('fifty at once, a report for each', async () => {
      await Promise.all(Array.from({ length: 50 }, (_, i) => send(`many${i}`, { to: `7999100${1000 + i}`, text: `number ${i}` })));
      for (let i = 0; i < 50; i++) assert.deepEqual((await reports(`many${i}`)).map((c) => c.type), ['8', '1']);
      const { early, late } = overtaking();
      assert.deepEqual(early, [], 'a receipt before its answer on the wire');
      assert.ok(late >= 50, `${late} receipts seen on the wire`);
    });

    test('an incoming message reaches the service behind smsbox', async () => {
      await world.simulator.incoming({ phone: '79995556677', to: '13013', text: 'Ответ' });
      const call = await until('the service is called', () => local.calls.find((c) => c.path === '/mo'));
      assert.equal(call.from.replace('+', ''), '79995556677');
      assert.equal(call.to.replace('+', ''), '13013');
      assert.equal(call.coding, '2');
    });

    test('an incoming message as long as its longest PDU, and longer ones in parts', async () => {
      const fixed = 16 + 1 + 2 + '79995556677'.length + 1 + 2 + '13013'.length + 1 + 10 + 4;
      for (const length of [7424 - fixed, 7424 - fixed + 1, 9000]) {
        const mes = `${length} `.padEnd(length, 'x');
        const event = { id: `${interfaceVersion}${length}`, phone: '79995556677', mes, to: '13013', sms_id: '' };
        assert.equal(await callBack(world.gateway.callbackUrl.split('?')[0], event), 200);
        const call = await until(`the service is called with ${length}`, () => local.calls.find((c) => c.path === '/mo' && c.text?.startsWith(`${length} `)));
        assert.equal(call.text, mes);
      }
      assert.equal(world.gateway.lines.filter((l) => /event=unbound/.test(l)).length, 0, 'Kannel kept its bind');
    });

    test('Kannel comes back after the gateway was restarted', async () => {
      await world.gateway.kill('SIGKILL');
      await world.gateway.start();
      await until('bearerbox is online again', async () => /gateway.*online/.test(await kannel.status()), 30000);
      await send('again', { to: '79990000009', text: 'after the restart' });
      await reports('again');
    });
  });
