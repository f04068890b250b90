// One connection for all tabs: in Chromium, with a shared worker and without.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { readFileSync } from 'node:fs';
import { WebSocket as Guest } from 'ws';
import { script, tabsScript } from '../../build.mjs';
import { kill, launch, open, skip, until } from './chromium.mjs';
import { serve } from './finch.mjs';

let browser, server, context;
before(async () => { if (!skip) browser = await launch(); });
after(() => browser?.close());
beforeEach(async () => { if (!skip) [server, context] = [await serve(), await browser.newContext()]; });
afterEach(async () => {
  await context?.close();
  server?.close();
});

const inChromium = (name, fn) => test(name, { skip }, fn);

// tab opens a page whose client shares its connection, and is in these rooms.
async function tab(rooms = [], { options = {}, client = {} } = {}) {
  const page = await open(context, server);
  await page.evaluate(async ([rooms, options, own]) => {
    const { connect } = await import('/lib/rooms.js');
    const { tabs } = await import('/lib/tabs.js');
    window.client = connect('/ws?user=ann', { WebSocket: tabs(options), retryFirst: 200, retryMax: 400, publishRetry: 20, onError: () => {}, ...own });
    window.seen = [];
    window.resets = [];
    window.join = (name) => {
      const room = client.room(name);
      room.on('post', (data) => seen.push(data));
      room.on('finch.reset', ({ reason }) => resets.push(reason));
      return room.join();
    };
    await Promise.all(rooms.map(join));
  }, [rooms, options, client]);
  return page;
}

const seen = (page) => page.evaluate(() => seen);
const opened = (page) => until('the tab is connected', () => page.evaluate(() => client.state.phase === 'open'));
const say = (room, ...texts) => { for (const data of texts) server.record(room, { data, from: 'server' }); };
const sees = (page, ...texts) => until(`a tab sees ${texts}`, async () => JSON.stringify(await seen(page)) === JSON.stringify(texts));

for (const [how, options] of [['in a shared worker', {}], ['in one of the tabs', { shared: false }]]) {
  inChromium(`${how}: three tabs have one connection, and each the rooms that it joined`, async () => {
    const [a, b, c] = [await tab(['x'], { options }), await tab(['x', 'y'], { options }), await tab([], { options })];
    await opened(c);
    assert.equal(server.dialled, 1);
    say('x', 1, 2);
    say('y', 'only b');
    await sees(a, 1, 2);
    await sees(b, 1, 2, 'only b');
    await c.evaluate(() => join('y'));
    say('y', 'b and c');
    await sees(b, 1, 2, 'only b', 'b and c');
    await sees(c, 'b and c');
    await sees(a, 1, 2);

    // To the server they are one: it is in a room as long as a tab is.
    const [connection] = server.connections;
    await b.evaluate(() => client.room('x').leave());
    assert.ok(connection.rooms.has('x'));
    say('x', 3);
    await sees(a, 1, 2, 3);
    await a.close();
    await until('the room is left with its last tab', () => server.connections.size === 1 && !server.here('x').length && server.here('y').length);
    await sees(b, 1, 2, 'only b', 'b and c');

    for (const page of [b, c]) assert.deepEqual(page.problems, []);
  });

  inChromium(`${how}: requests, publishes and answers find their own tab`, async () => {
    const [a, b] = [await tab(['x'], { options }), await tab(['x'], { options })];
    const ask = (page, n) => page.evaluate((n) => Promise.all(Array.from({ length: n }, (_, i) => client.request('echo', [n, i]))), n);
    const [forA, forB] = await Promise.all([ask(a, 20), ask(b, 21)]);
    assert.deepEqual([forA[19], forB[20]], [[20, 19], [21, 20]]);
    await Promise.all([a, b].map((page, i) => page.evaluate((i) => client.room('x').publish('post', `of ${i}`), i)));
    for (const page of [a, b]) await until('both have both', async () => (await seen(page)).sort().join() === 'of 0,of 1');

    // Without echo the message comes to the other tab, and not to the one that published it.
    await a.evaluate(() => client.room('x').publish('post', 'quiet', { echo: false }));
    await until('the other has it', async () => (await seen(b)).includes('quiet'));
    say('x', 'last');
    await until('the one has the last', async () => (await seen(a)).includes('last'));
    assert.ok(!(await seen(a)).includes('quiet'));
    assert.equal(await a.evaluate(() => client.room('x').pending.length), 0);

    await b.evaluate(() => client.answer('where', () => 'b'));
    const [connection] = server.connections;
    for (const path of ['where', 'nobody']) connection.say({ path, id: path });
    const answers = await until('one answer each', () => {
      const all = server.heard.filter((m) => 'reply' in m);
      return all.length === 2 && all;
    });
    assert.deepEqual(answers.map((m) => m.data ?? m.error.code).sort(), ['b', 'unknown_path']);
  });

  inChromium(`${how}: a browser is present once, and all tabs see who is`, async () => {
    const [a, b] = [await tab(['x'], { options }), await tab(['x'], { options })];
    const watch = (page) => page.evaluate(() => { window.end = client.room('x').presence.watch(({ members, ready }) => { window.here = ready && members.map((m) => `${m.id}${m.devices}`).join(); }); });
    const here = (page, wanted) => until(`present are ${wanted}`, async () => (await page.evaluate(() => window.here)) === wanted);
    await watch(a);
    await watch(b);
    await here(a, 'ann1');
    await here(b, 'ann1');
    await a.evaluate(() => end());
    await until('the answer is there', () => a.evaluate(() => client.request('echo', 1)));
    const guest = new Guest(`${server.url.replace('http', 'ws')}/ws?user=guest`);
    await until('the guest is in', () => {
      if (guest.readyState === 1 && !guest.asked) {
        guest.asked = true;
        guest.send('{"path":"finch.hello","id":1,"data":{"version":1}}');
        guest.send('{"path":"finch.join","id":2,"data":{"room":"x"}}');
      }
      return server.here('x').length === 2;
    });
    await here(b, 'ann1,guest1');
    await here(a, 'ann1');
    guest.close();
    await here(b, 'ann1');
  });

  inChromium(`${how}: a connection that breaks is one connection again, and no tab has missed or doubled anything`, async () => {
    const pages = [await tab(['x'], { options }), await tab(['x', 'y'], { options }), await tab(['y'], { options })];
    say('x', 1);
    await sees(pages[0], 1);
    await sees(pages[1], 1);
    for (let round = 2; round < 5; round++) {
      const dialled = server.dialled;
      server.cut();
      say('x', round * 10);
      await until('it is back', () => server.dialled > dialled && server.connections.size === 1);
      say('x', round);
      await until('the first has it', async () => (await seen(pages[0])).includes(round));
      await until('the second has it', async () => (await seen(pages[1])).includes(round));
      assert.equal(server.dialled, dialled + 1, 'one try');
    }
    for (const page of pages.slice(0, 2)) {
      assert.deepEqual(await seen(page), [1, 20, 2, 30, 3, 40, 4]);
      assert.deepEqual(await page.evaluate(() => resets), []);
    }
    assert.deepEqual(await seen(pages[2]), []);
  });

  inChromium(`${how}: the last tab that closes ends the connection, and one that comes later begins another`, async () => {
    const [a, b] = [await tab(['x'], { options }), await tab([], { options })];
    await opened(b);
    await a.evaluate(() => client.close());
    say('x', 1);
    await opened(b);
    assert.equal(server.connections.size, 1);
    await b.evaluate(() => client.close());
    await until('nobody is there', () => server.connections.size === 0);
    await a.evaluate(() => client.reconnect());
    await opened(a);
    assert.equal(server.dialled, 2);
  });
}

for (const [how, end] of [['is closed', (page) => page.close()], ['is killed', kill]]) {
  inChromium(`the tab with the connection ${how}: another takes over, and nothing is lost`, async () => {
    const options = { shared: false };
    const [leader, b, c] = [await tab(['x'], { options }), await tab(['x'], { options }), await tab(['x', 'y'], { options })];
    say('x', 1);
    for (const page of [leader, b, c]) await sees(page, 1);
    assert.equal(server.dialled, 1);
    server.ignore = (m) => m.path === 'finch.publish';
    await b.evaluate(() => void client.room('x').publish('post', 'on its way'));
    await until('it is on its way', () => server.heard.some((m) => m.path === 'finch.publish'));
    server.ignore = () => false;
    await end(leader);
    say('x', 2); // while nobody is there, perhaps
    await until('another has taken over', () => server.dialled === 2 && server.connections.size === 1);
    say('x', 3);
    for (const page of [b, c]) {
      await until('all is there', async () => (await seen(page)).length === 4);
      assert.deepEqual((await seen(page)).filter((s) => s !== 'on its way'), [1, 2, 3]);
      assert.deepEqual(await page.evaluate(() => resets), []);
    }
    assert.equal(server.said('x').filter((s) => s === 'on its way').length, 1);
    const hellos = server.heard.filter((m) => m.path === 'finch.hello');
    assert.equal(hellos.length, 2);
    assert.ok(hellos[1].data.ticket, 'the session goes on');
  });
}

inChromium('a worker that dies with the process of a tab is replaced', async () => {
  const [a, b] = [await tab(['x']), await tab(['x'])];
  await kill(a);
  say('x', 1);
  await sees(b, 1);
  assert.ok(server.dialled <= 2);
  assert.deepEqual(await b.evaluate(() => resets), []);
});

inChromium('without the script of the worker the connection lives in a tab', async () => {
  const options = { worker: '/nowhere.js' };
  const [a, b] = [await tab(['x'], { options }), await tab(['x'], { options })];
  say('x', 1);
  await sees(a, 1);
  await sees(b, 1);
  assert.equal(server.dialled, 1);
});

inChromium('a worker that says nothing is taken to be none', async () => {
  server.files.set('/mute.js', 'onconnect = () => {};');
  const page = await tab(['x'], { options: { worker: '/mute.js' } });
  say('x', 1);
  await sees(page, 1);
});

inChromium('without locks each tab connects by itself', async () => {
  await context.addInitScript(() => Object.defineProperty(navigator, 'locks', { value: undefined }));
  const [a, b] = [await tab(['x']), await tab(['x'])];
  say('x', 1);
  await sees(a, 1);
  await sees(b, 1);
  assert.equal(server.dialled, 2);
});

inChromium('the file that servers hand out is both the page\'s and the worker\'s', async () => {
  server.files.set('/finch-client.js', readFileSync(script, 'utf8'));
  server.files.set('/finch-tabs.js', readFileSync(tabsScript, 'utf8'));
  const asked = [];
  context.on('request', (request) => asked.push(new URL(request.url()).pathname));
  const shares = async () => {
    const page = await open(context, server);
    await page.evaluate(async () => {
      const { connect } = await import('/finch-client.js');
      const { tabs } = await import('/finch-tabs.js');
      window.client = connect('/ws?user=ann', { WebSocket: tabs({ onShared: (shared) => { window.shared = shared; } }) });
    });
    return page;
  };
  const [a, b] = [await shares(), await shares()];
  for (const page of [a, b]) {
    await opened(page);
    await until('it is told of both', async () => (await page.evaluate(() => shared.tabs)) === 2);
    assert.equal(await page.evaluate(() => shared.home), 'worker');
  }
  assert.equal(server.dialled, 1);
  assert.ok(asked.every((path) => path === '/' || path === '/finch-client.js' || path === '/finch-tabs.js'), `${asked}`);
});

inChromium('a page is told where the connection lives, and when it comes to it', async () => {
  const told = (page) => page.evaluate(() => shared);
  await context.addInitScript(() => { window.share = (shared) => { window.shared = shared; }; });
  const shares = async () => {
    const page = await open(context, server);
    await page.evaluate(async () => {
      const { connect } = await import('/lib/rooms.js');
      const { tabs } = await import('/lib/tabs.js');
      window.client = connect('/ws?user=ann', { WebSocket: tabs({ shared: false, onShared: share }) });
    });
    await opened(page);
    return page;
  };
  const [first, second, third] = [await shares(), await shares(), await shares()];
  for (const page of [first, second, third]) await until('it is told of all', async () => (await told(page))?.tabs === 3);
  assert.equal((await told(first)).home, 'here');
  for (const page of [second, third]) assert.equal((await told(page)).home, 'elsewhere');
  await first.close();
  for (const page of [second, third]) await until('two are left', async () => (await told(page)).tabs === 2);
  await until('one has the connection', async () => (await Promise.all([second, third].map(told))).map(({ home }) => home).sort().join() === 'elsewhere,here');
});

inChromium('names keep tabs apart', async () => {
  await tab(['x'], { options: { name: 'ann' } });
  await tab(['x'], { options: { name: 'bob' } });
  assert.equal(server.dialled, 2);
});
