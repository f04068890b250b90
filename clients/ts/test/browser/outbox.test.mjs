// Publishes survive the page: in Chromium, with its IndexedDB and its locks.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
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

// begin connects the page's client, with an outbox. It joins no room by itself.
function begin(page, { user = 'ann', query = '?user=ann', options = {}, box = {} } = {}) {
  return page.evaluate(async ([user, query, options, box]) => {
    const { connect } = await import('/lib/rooms.js');
    const { outbox } = await import('/lib/outbox.js');
    window.outcomes = [];
    window.problems = [];
    window.box = outbox({ user, ...box, onOutcome: ({ room, data, error }) => outcomes.push([room, data, error?.code ?? 'recorded']), onProblem: (error) => problems.push(`${error}`) });
    window.client = connect(`/ws${query}`, { outbox: window.box, retryFirst: 100, retryMax: 200, publishRetry: 20, ...options });
    window.results = [];
  }, [user, query, options, box]);
}

// publish says something in a room, and notes what becomes of it.
function publish(page, room, ...texts) {
  return page.evaluate(([name, texts]) => {
    const room = client.room(name);
    room.join().catch(() => {});
    for (const text of texts) room.publish('post', text).then(() => results.push([text, 'recorded']), (error) => results.push([text, error.code]));
  }, [room, texts]);
}

const kept = (page) => page.evaluate(() => new Promise((resolve, reject) => {
  const request = indexedDB.open('finch-outbox');
  request.onerror = () => reject(request.error);
  request.onsuccess = () => {
    const database = request.result;
    if (!database.objectStoreNames.contains('publishes')) return resolve([]);
    const all = database.transaction('publishes').objectStore('publishes').getAll();
    all.onsuccess = () => { database.close(); resolve(all.result.map((k) => k.data)); };
  };
}));

const outcomes = (page) => page.evaluate(() => outcomes);
const keysOf = () => server.heard.filter((m) => m.path === 'finch.publish').map((m) => m.data.key);

inChromium('what is answered is not kept any longer', async () => {
  const page = await open(context, server);
  await begin(page);
  await publish(page, 'r', 'a', 'b');
  await until('both are recorded', async () => (await page.evaluate(() => results.length)) === 2);
  assert.deepEqual(server.said('r'), ['a', 'b']);
  await until('nothing is kept', async () => (await kept(page)).length === 0);
});

inChromium('a page that is loaded again publishes what was written without a connection, in order', async () => {
  const page = await open(context, server);
  server.refuse = true;
  await begin(page);
  await publish(page, 'r', 'a', 'b', 'c');
  await publish(page, 's', 'x');
  await until('all are kept', async () => (await kept(page)).length === 4);
  await page.reload();
  server.refuse = false;
  await begin(page);
  await until('all have an outcome', async () => (await outcomes(page)).length === 4);
  assert.deepEqual(server.said('r'), ['a', 'b', 'c']);
  assert.deepEqual(server.said('s'), ['x']);
  assert.ok((await outcomes(page)).every(([, , what]) => what === 'recorded'));
  assert.deepEqual(await kept(page), []);
  await until('it has left the rooms that it joined for this', () => [...server.connections][0].rooms.size === 0);
});

inChromium('a publish whose answer was lost with the page is recorded once', async () => {
  const page = await open(context, server);
  await begin(page);
  let answers = true;
  await publish(page, 'r', 'before');
  await until('it is recorded', () => server.said('r').length === 1);
  // Recorded, but the answer never comes: neither it, nor the message.
  const { say } = Object.getPrototypeOf([...server.connections][0]);
  for (const c of server.connections) c.say = function (m) { if (answers || !(m.path === 'finch.publish' || m.path === 'post')) say.call(this, m); };
  answers = false;
  await publish(page, 'r', 'once', 'twice');
  await until('both are recorded', () => server.said('r').length === 3);
  await page.reload();
  await begin(page);
  await until('both have an outcome', async () => (await outcomes(page)).length === 2);
  assert.deepEqual(await outcomes(page), [['r', 'once', 'recorded'], ['r', 'twice', 'recorded']]);
  assert.deepEqual(server.said('r'), ['before', 'once', 'twice']);
  assert.equal(new Set(keysOf()).size, 3, 'the keys are the same');
  assert.equal(keysOf().length, 5);
});

inChromium('an anonymous client goes on with its session when the page is loaded again', async () => {
  const page = await open(context, server);
  await begin(page, { query: '' });
  await until('it is there', () => page.evaluate(() => client.state.phase === 'open'));
  const from = await page.evaluate(() => client.state.from);
  server.ignore = (m) => m.path === 'finch.publish';
  await publish(page, 'r', 'a');
  await until('it was tried', () => keysOf().length === 1);
  await page.reload();
  server.ignore = () => false;
  await begin(page, { query: '' });
  await until('it has an outcome', async () => (await outcomes(page)).length === 1);
  assert.deepEqual(await outcomes(page), [['r', 'a', 'recorded']]);
  assert.deepEqual(await page.evaluate(() => [client.state.from, client.state.resumed]), [from, true]);
  // A tab that is duplicated finds no ticket: two with one would drive each other out.
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
});

inChromium('what a killed page had written is published by another', async () => {
  const page = await open(context, server);
  server.refuse = true;
  await begin(page);
  await publish(page, 'r', 'a', 'b');
  await until('all are kept', async () => (await kept(page)).length === 2);
  await kill(page);
  server.refuse = false;
  const next = await open(context, server);
  await begin(next);
  await until('all have an outcome', async () => (await outcomes(next)).length === 2);
  assert.deepEqual(server.said('r'), ['a', 'b']);
});

inChromium('a page that lives keeps what is its own; when it dies, another that was there takes over', async () => {
  const [first, second] = [await open(context, server), await open(context, server)];
  server.ignore = (m) => m.path === 'finch.publish';
  await begin(first);
  await publish(first, 'r', 'a');
  await until('it was tried', () => keysOf().length === 1);
  const [connection] = server.connections;
  server.ignore = (m) => m.path === 'finch.publish' && server.heard.at(-1).by === connection;
  await begin(second);
  await publish(second, 'r', 'z');
  await until('the second has published', () => server.said('r').length === 1);
  assert.deepEqual(server.said('r'), ['z']);
  assert.deepEqual(await outcomes(second), []);
  await kill(first);
  await until('the second has taken over', async () => (await outcomes(second)).length === 1);
  assert.deepEqual(server.said('r'), ['z', 'a']);
});

inChromium('what was tried too long ago is not tried again: its outcome is unknown', async () => {
  const page = await open(context, server);
  server.ignore = (m) => m.path === 'finch.publish';
  await begin(page);
  await publish(page, 'r', 'tried');
  await until('it was tried', () => keysOf().length === 1);
  server.refuse = true;
  server.cut();
  await until('the connection is lost', () => page.evaluate(() => client.state.phase !== 'open'));
  await publish(page, 'r', 'not tried');
  await until('both are kept', async () => (await kept(page)).length === 2);
  await page.reload();
  server.refuse = false;
  server.ignore = () => false;
  const reloaded = Date.now();
  await until('the time is over', () => Date.now() > reloaded + 1000);
  await begin(page, { options: { publishTimeout: 1000 } });
  await until('both have an outcome', async () => (await outcomes(page)).length === 2);
  assert.deepEqual((await outcomes(page)).sort(), [['r', 'not tried', 'recorded'], ['r', 'tried', 'outcome_unknown']]);
  assert.deepEqual(server.said('r'), ['not tried']);
});

inChromium('what was tried under another name is not tried again, and what is too old not at all', async () => {
  const page = await open(context, server);
  server.ignore = (m) => m.path === 'finch.publish';
  await begin(page, { query: '?user=first' });
  await publish(page, 'r', 'tried');
  await until('it was tried', () => keysOf().length === 1);
  await page.reload();
  server.ignore = () => false;
  await begin(page, { query: '?user=second' });
  await until('it has an outcome', async () => (await outcomes(page)).length === 1);
  assert.deepEqual(await outcomes(page), [['r', 'tried', 'outcome_unknown']]);

  server.refuse = true;
  server.cut();
  await publish(page, 'r', 'old');
  await until('it is kept', async () => (await kept(page)).length === 1);
  await page.reload();
  server.refuse = false;
  await begin(page, { query: '?user=second', box: { maxAge: 0 } });
  await until('it has an outcome', async () => (await outcomes(page)).length === 1);
  assert.deepEqual(await outcomes(page), [['r', 'old', 'not_sent']]);
  assert.deepEqual(server.said('r'), []);
});

inChromium('what one user left is not published as another, and waits', async () => {
  const page = await open(context, server);
  server.refuse = true;
  await begin(page);
  await publish(page, 'r', 'of ann');
  await until('it is kept', async () => (await kept(page)).length === 1);
  await page.reload();
  server.refuse = false;
  await begin(page, { user: 'bob', query: '?user=bob' });
  await publish(page, 'r', 'of bob');
  await until('bob has published', async () => (await page.evaluate(() => results.length)) === 1);
  await until('what ann wrote is still kept, and nothing else', async () => (await kept(page)).join() === 'of ann');
  await page.reload();
  await begin(page);
  await until('ann has published', () => server.said('r').length === 2);
  assert.deepEqual(server.room('r').log.map((m) => [m.data, m.from]), [['of bob', 'bob'], ['of ann', 'ann']]);
});

inChromium('a room that refuses decides what becomes of a publish that was left', async () => {
  const page = await open(context, server);
  server.refuse = true;
  await begin(page);
  await publish(page, 'r', 'a');
  await until('it is kept', async () => (await kept(page)).length === 1);
  await page.reload();
  server.refuse = false;
  server.ignore = (m) => {
    if (m.path !== 'finch.join') return false;
    m.by ?? [...server.connections].at(-1).say({ path: m.path, reply: m.id, status: 403, error: { code: 'forbidden', message: 'no' } });
    return true;
  };
  await begin(page);
  await until('it has an outcome', async () => (await outcomes(page)).length === 1);
  assert.deepEqual(await outcomes(page), [['r', 'a', 'forbidden']]);
});

inChromium('closing the client leaves what was not sent to a later one', async () => {
  const page = await open(context, server);
  server.refuse = true;
  await begin(page);
  await publish(page, 'r', 'a');
  await until('it is kept', async () => (await kept(page)).length === 1);
  await page.evaluate(() => client.close());
  await until('its promise is told', async () => (await page.evaluate(() => results[0]?.[1])) === 'closed');
  server.refuse = false;
  await page.evaluate(() => client.reconnect());
  await until('it has an outcome', async () => (await outcomes(page)).length === 1);
  assert.deepEqual(server.said('r'), ['a']);
});

// Storage that cannot be had, in whichever way: publishes go all the same, and it is said.
const troubles = {
  'storage is forbidden': () => { IDBFactory.prototype.open = () => { throw new DOMException('forbidden', 'SecurityError'); }; },
  'there is no storage': () => { Object.defineProperty(window, 'indexedDB', { value: undefined }); },
  'storage does not open': () => { IDBFactory.prototype.open = () => { const r = { error: new DOMException('private', 'InvalidStateError') }; setTimeout(() => r.onerror()); return r; }; },
  'storage never answers': () => { IDBFactory.prototype.open = () => ({}); },
  'even the session storage and the locks are forbidden': () => {
    IDBFactory.prototype.open = () => { throw new DOMException('forbidden', 'SecurityError'); };
    Object.defineProperty(window, 'sessionStorage', { get() { throw new DOMException('forbidden', 'SecurityError'); } });
    LockManager.prototype.request = () => Promise.reject(new DOMException('forbidden', 'SecurityError'));
  },
};
for (const [name, break_] of Object.entries(troubles)) {
  inChromium(`${name}: publishes go without it, and it says so`, async () => {
    await context.addInitScript(break_);
    const page = await open(context, server);
    await begin(page);
    await publish(page, 'r', 'a', 'b', 'c');
    await until('all are recorded', async () => (await page.evaluate(() => results.length)) === 3);
    assert.deepEqual(server.said('r'), ['a', 'b', 'c']);
    assert.equal(await page.evaluate(() => box.keeps), false);
    assert.equal(await page.evaluate(() => problems.length), 1, 'once');
    assert.deepEqual(page.problems, []);
  });
}

inChromium('a full storage: publishes go without it, and it says so', async () => {
  const page = await open(context, server);
  const session = await context.newCDPSession(page);
  await session.send('Storage.overrideQuotaForOrigin', { origin: server.url, quotaSize: 1 });
  await begin(page);
  await publish(page, 'r', 'a', 'b', 'c');
  await until('all are recorded', async () => (await page.evaluate(() => results.length)) === 3);
  assert.deepEqual(server.said('r'), ['a', 'b', 'c']);
  assert.deepEqual(await page.evaluate(() => [box.keeps, problems.length, problems[0].slice(0, 18)]), [false, 1, 'QuotaExceededError']);
  assert.deepEqual(await kept(page), []);
});
