// Several demos that are one, and one that is killed and has forgotten nothing.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, Person } from './chromium.mjs';
import { until } from './demo.mjs';
import { Demo, folder, freePort, Redis } from './demos.mjs';

let browser, redis;
const nodes = [];

before(async () => {
  browser = await launch();
  redis = new Redis(await freePort());
  await redis.start();
  for (let i = 0; i < 3; i++) nodes.push(new Demo(await freePort(), '--redis', redis.url));
  await Promise.all(nodes.map((node) => node.start()));
});

after(async () => {
  await browser.close();
  await Promise.all(nodes.map((node) => node.kill()));
  await redis.kill();
});

// A page whose server is killed has problems that are none: what it asks for fails.
const bears = (problem) => /ERR_CONNECTION_REFUSED|WebSocket connection to/.test(problem);

const at = async (node, path = '/') => (await Person.open(browser, new URL(path, node.url).href)).connected();

const count = async (person, id) => Number(await person.byTest(id).getAttribute('data-number'));

async function join(person, name, room) {
  await person.byTest('chat-name').fill(name);
  await person.byTest('chat-room').fill(room);
  await person.byTest('chat-join').click();
  await person.sees('chat-members', name);
}

async function say(person, text) {
  await person.byTest('chat-input').fill(text);
  await person.byTest('chat-send').click();
}

const lines = (person) => person.page.locator('[data-testid=chat-log] .line-text').allTextContents();

const hears = (person, ...texts) => until(`the room has ${texts}`, async () => JSON.stringify(await lines(person)) === JSON.stringify(texts), 20000);

test('two people on different nodes chat, see each other and are counted together', async () => {
  const ann = await at(nodes[0], '/?user=ann');
  const bob = await at(nodes[1], '/?user=bob');
  await join(ann, 'Ann', 'garden');
  await join(bob, 'باران', 'garden');
  await ann.sees('chat-members', 'باران');
  await bob.sees('chat-members', 'Ann');
  await say(ann, 'hello over there');
  await hears(bob, 'hello over there');
  await say(bob, 'سلام!');
  await hears(ann, 'hello over there', 'سلام!');
  for (const person of [ann, bob]) {
    await until('both are counted', async () => (await count(person, 'clients-count')) === 2 && (await count(person, 'users-count')) === 2);
    await person.page.locator('[data-testid=node][data-nodes="3"]').waitFor();
  }
  await ann.byTest('notify-text').fill('tea is ready');
  await ann.byTest('notify-user-id').fill('bob');
  await ann.byTest('notify-user').click();
  await bob.sees('notify-list', 'tea is ready');
  assert.equal(await ann.byTest('notify-list').getByText('tea is ready').count(), 0);

  await ann.byTest('slow-start').click();
  await bob.page.locator('[data-testid=slow-steps] [data-what=lagged]').waitFor({ timeout: 20000 });
  assert.ok(await bob.byTest('slow-start').isDisabled(), 'one slow reader on all nodes');
  await bob.byTest('slow-read').click();
  for (const person of [ann, bob]) {
    await person.page.locator('[data-testid=slow-steps] [data-what=caught_up]').waitFor({ timeout: 20000 });
    assert.equal(await count(person, 'slow-lost'), 0);
  }
  await ann.leave();
  await bob.leave();
});

test('a node is killed: its page comes back with it and misses nothing', async () => {
  const ann = await at(nodes[0], '/?user=ann');
  const bob = await at(nodes[1], '/?user=bob');
  await join(ann, 'Ann', 'shed');
  await join(bob, 'Bob', 'shed');
  await ann.byTest('cut-5').scrollIntoViewIfNeeded();
  await until('the heart beats', async () => (await count(ann, 'beats-received')) > 4);
  await say(bob, 'before');
  await hears(ann, 'before');

  await nodes[0].kill();
  await ann.page.locator('[data-testid=state]:not([data-state=open])').waitFor();
  for (const text of ['one', 'two', 'three']) await say(bob, text);
  await hears(bob, 'before', 'one', 'two', 'three');
  await bob.page.locator('[data-testid=node][data-nodes="2"]').waitFor({ timeout: 30000 }); // when its lease has ended
  const before = await count(ann, 'beats-received');
  await nodes[0].start();
  await ann.page.locator('[data-testid=state][data-state=open]').waitFor({ timeout: 40000 });
  await hears(ann, 'before', 'one', 'two', 'three');
  await say(ann, 'back again');
  await hears(bob, 'before', 'one', 'two', 'three', 'back again');
  await ann.sees('chat-members', 'Bob');
  await bob.sees('chat-members', 'Ann');
  await until('the heart is heard again', async () => (await count(ann, 'beats-received')) > before + 8, 40000);
  for (const none of ['beats-lost', 'beats-doubled', 'beats-resets']) assert.equal(await count(ann, none), 0, none);
  await ann.leave(bears);
  await bob.leave();
});

test('the broker is killed: the pages say so, and go on when it is back', async () => {
  const ann = await at(nodes[0]);
  const bob = await at(nodes[1]);
  await join(ann, 'Ann', 'porch');
  await join(bob, 'Bob', 'porch');
  await say(ann, 'hello');
  await hears(bob, 'hello');
  await redis.kill();
  for (const person of [ann, bob]) {
    await person.sees('away', 'Redis does not answer');
    assert.equal(await person.byTest('state').getAttribute('data-state'), 'open', 'the page lives on');
  }
  await ann.byTest('echo-input').fill('anybody?');
  await ann.byTest('echo-send').click();
  await ann.sees('echo-log', 'اکو: anybody?');
  await say(ann, 'said in the dark');
  const late = await at(nodes[1]); // a page that is opened meanwhile
  await late.sees('away', 'Redis does not answer');
  await redis.start(); // with nothing of what it had
  for (const person of [ann, bob, late]) await person.page.locator('#away').waitFor({ state: 'hidden', timeout: 20000 });
  await until('it was recorded after all', async () => (await lines(bob)).at(-1) === 'said in the dark', 20000);
  await until('it is not on its way any more', async () => (await ann.page.locator('.line.pending').count()) === 0, 20000);
  for (const person of [ann, bob, late]) await person.leave();
});

test('a demo with a directory is killed: what was said is there, and the open page has lost nothing', async () => {
  const node = new Demo(await freePort(), '--data', folder());
  await node.start();
  const ann = await at(node, '/#tabs');
  await join(ann, 'Ann', 'archive');
  await ann.byTest('cut-5').scrollIntoViewIfNeeded();
  await until('the heart beats', async () => (await count(ann, 'beats-received')) > 4);
  for (const text of ['one', 'two', 'three']) await say(ann, text);
  await hears(ann, 'one', 'two', 'three');
  await until('nothing is on its way', async () => (await ann.page.locator('.line.pending').count()) === 0);
  assert.ok(await ann.byTest('node').isHidden(), 'it is alone, and does not speak of nodes');

  await node.kill();
  await ann.page.locator('[data-testid=state]:not([data-state=open])').waitFor();
  await say(ann, 'written while nobody was there');
  const before = await count(ann, 'beats-received');
  await node.start();
  await hears(ann, 'one', 'two', 'three', 'written while nobody was there');
  await ann.page.locator('[data-testid=state][data-state=open]').waitFor({ timeout: 40000 });
  assert.equal(await ann.byTest('chat-log').getByText('began anew').count(), 0, 'no reset');
  await until('the heart goes on', async () => (await count(ann, 'beats-received')) > before + 8, 40000);
  for (const none of ['beats-lost', 'beats-doubled', 'beats-resets']) assert.equal(await count(ann, none), 0, none);

  const bob = await at(node);
  await join(bob, 'Bob', 'archive');
  await hears(bob, 'one', 'two', 'three', 'written while nobody was there');
  await bob.leave();
  await ann.leave(bears);
  await node.kill();
});
