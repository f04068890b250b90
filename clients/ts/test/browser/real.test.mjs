// Tabs of a browser and a real server: one connection, that breaks all the time
// and loses the tab that it lives in.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { persist, RealServer, skip as withoutGo, until } from '../real.mjs';
import { kill, launch, open, skip as withoutChromium } from './chromium.mjs';
import { serve } from './finch.mjs';

const skip = withoutChromium || withoutGo;
let browser, files, server;
before(async () => { if (!skip) [browser, files, server] = [await launch(), await serve(), await RealServer.start()]; });
after(async () => {
  await browser?.close();
  files?.close();
  await server?.stop();
});

const EACH = 30;

async function tab(context, name, options) {
  const page = await open(context, files);
  await page.evaluate(async ([url, name, options]) => {
    const { connect } = await import('/lib/rooms.js');
    const { tabs } = await import('/lib/tabs.js');
    window.client = connect(url, { WebSocket: tabs(options), token: () => 'ann', retryFirst: 50, retryMax: 200, publishRetry: 20 });
    window.seen = [];
    window.resets = [];
    window.failures = [];
    const room = client.room('chat:tabs');
    room.on('line', (data) => seen.push(data));
    room.on('finch.reset', ({ reason }) => resets.push(reason));
    await room.join();
    window.talk = (each) => {
      let n = 0;
      const timer = setInterval(() => {
        room.publish('line', `${name} ${n}`).catch((error) => failures.push(error.code));
        if (++n === each) clearInterval(timer);
      }, 40);
    };
  }, [server.url, name, options]);
  return page;
}

for (const [how, options] of [['in a shared worker', {}], ['in one of the tabs', { shared: false }]]) {
  test(`${how}: nothing is lost, doubled or out of order`, { skip, timeout: 120_000 }, async () => {
    const context = await browser.newContext();
    const [first, ...rest] = [await tab(context, 'first', options), await tab(context, 'a', options), await tab(context, 'b', options)];
    assert.equal(server.links, 1, 'one connection');
    const history = () => persist(() => rest[0].evaluate(() => client.room('chat:tabs').history({ limit: 500 })));
    const before = (await history()).messages.length;
    for (const page of rest) await page.evaluate((each) => talk(each), EACH);
    for (let i = 0; i < 4; i++) {
      await new Promise((resolve) => setTimeout(resolve, 150));
      server.cut(20);
    }
    await kill(first);
    for (const page of rest) await until('all is there', async () => (await page.evaluate(() => seen.length)) >= 2 * EACH);
    const { messages } = await history();
    const order = messages.map((m) => m.data).slice(before);
    assert.equal(order.length, 2 * EACH, 'recorded once');
    for (const name of ['a', 'b']) assert.deepEqual(order.filter((o) => o.startsWith(name)), Array.from({ length: EACH }, (_, n) => `${name} ${n}`));
    for (const page of rest) {
      assert.deepEqual(await page.evaluate(() => seen), order);
      assert.deepEqual(await page.evaluate(() => [resets, failures]), [[], []]);
    }
    await context.close();
  });
}
