// The client and a real server, over a network that breaks.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import { connect } from '../lib/rooms.js';
import { persist, RealServer, skip, until } from './real.mjs';

let server;
before(async () => { if (!skip) server = await RealServer.start(); });
after(() => server?.stop());

const clients = [];
function open(user = 'ann', options = {}) {
  const client = connect(server.url, { WebSocket, token: user ? () => user : undefined, retryFirst: 50, retryMax: 200, publishRetry: 20, onError: (error) => { throw error; }, ...options });
  clients.push(client);
  return client;
}

const live = (name, fn) => test(name, { skip, timeout: 60_000 }, async (t) => {
  try {
    await fn(t);
  } finally {
    for (const client of clients.splice(0)) client.close();
  }
});

// lossesOf lists the losses of a connection from now on: one may be over sooner than a look at the state can see it.
function lossesOf(client) {
  const losses = [];
  client.onState((state) => state.phase === 'waiting' && losses.push(state.reason));
  return losses;
}

live('requests, bytes, and questions of the server', async () => {
  const client = open();
  assert.equal(await client.request('double', 21), 42);
  assert.deepEqual(await client.request('mirror', new Uint8Array([1, 2, 3])), new Uint8Array([1, 2, 3]));
  await assert.rejects(client.request('nothing'), { code: 'unknown_path', status: 404 });
  client.answer('who', () => 'me');
  assert.equal(await client.request('ask me'), 'me');
  assert.equal(client.state.from, 'ann');
});

live('who is not let in is told so', async () => {
  const client = open('nobody', { onError: () => {} });
  await until('it is closed', () => client.state.phase === 'closed');
  assert.equal(client.state.reason.code, 4401);
});

live('a room is joined, published to, read back and left', async () => {
  const [ann, bob] = [open('ann'), open('bob')];
  const seen = [];
  const room = ann.room('chat:1');
  room.on('line', (data, { from }) => seen.push([from, data]));
  await room.join();
  await bob.room('chat:1').join();
  await bob.room('chat:1').publish('line', 'salaam');
  const { position } = await room.publish('line', 'hello');
  await until('both are there', () => seen.length === 2);
  assert.deepEqual(seen, [['bob', 'salaam'], ['ann', 'hello']]);
  await until('the place moved', () => room.position === position);
  assert.deepEqual(room.pending, []);
  await room.publish('line', 'quiet', { echo: false });
  await until('the place moved past it', () => room.position !== position);
  assert.equal(seen.length, 2);

  const newest = await room.history({ limit: 2 });
  assert.deepEqual(newest.messages.map((m) => m.data), ['hello', 'quiet']);
  assert.equal(newest.more, true);
  const older = await room.history({ before: newest.messages[0].position });
  assert.deepEqual(older.messages.map((m) => [m.path, m.data, m.from]), [['line', 'salaam', 'bob']]);
  assert.equal(older.more, false);

  await assert.rejects(ann.room('chat:secret').join(), { code: 'not_invited' });
  await assert.rejects(ann.room('undeclared').join(), { code: 'room_not_declared' });
  await room.leave();
  await assert.rejects(room.publish('line', 'from outside'), { code: 'not_in_room' });
});

live('the same key is recorded once', async () => {
  const room = open().room('chat:keys');
  await room.join();
  const first = await room.publish('line', 1, { key: 'the same key' });
  assert.deepEqual(await room.publish('line', 1, { key: 'the same key' }), { ...first, duplicate: true });
  await assert.rejects(room.publish('line', 2, { key: 'the same key' }), { code: 'key_reused' });
  assert.equal((await room.history()).messages.length, 1);
});

live('who is there is known, with what they show', async () => {
  const [ann, bob] = [open('ann'), open('bob')];
  const room = ann.room('chat:here');
  await room.join();
  const here = () => room.presence.state.members.map((m) => m.id + (m.data ? JSON.stringify(m.data) : '')).join();
  const end = room.presence.watch(() => {});
  await until('ann is there', () => here() === 'ann');
  await bob.room('chat:here').join();
  await until('bob came', () => here() === 'ann,bob');
  await bob.room('chat:here').presence.set({ typing: true });
  await until('bob is typing', () => here() === 'ann,bob{"typing":true}');
  const losses = lossesOf(ann);
  server.cut();
  await until('it is noticed', () => losses.length === 1);
  await until('they are back', () => room.presence.state.ready && here() === 'ann,bob{"typing":true}');
  assert.deepEqual((await room.presence.read()).map((m) => m.id), ['ann', 'bob']);
  await bob.room('chat:here').leave();
  await until('bob left', () => here() === 'ann');
  end();
});

live('a session goes on, with the rooms that the server gave it', async () => {
  const client = open();
  const staff = client.room('staff');
  await client.request('staff', null);
  await until('the server has joined us', () => staff.state.phase === 'joined');
  await assert.rejects(open('bob').room('staff').join(), { code: 'forbidden' });
  const losses = lossesOf(client);
  for (let i = 1; i <= 3; i++) {
    server.cut();
    await until('it is noticed', () => losses.length === i);
    await until('it goes on', () => client.state.phase === 'open' && staff.state.phase === 'joined');
    assert.equal(client.state.resumed, true);
  }
});

live('a place that the history does not reach any longer is a reset', async () => {
  const [ann, bob] = [open('ann'), open('bob')];
  const [room, other] = [ann.room('short'), bob.room('short')];
  const seen = [];
  room.on('line', (data) => seen.push(data));
  room.on('finch.reset', ({ reason }) => seen.push(reason));
  await Promise.all([room.join(), other.join()]);
  await other.publish('line', 0);
  await until('it is there', () => seen.length === 1);
  ann.close();
  for (let i = 0; i < 10; i++) await Promise.all(Array.from({ length: 60 }, () => other.publish('line', 'missed'))); // the node itself remembers some more
  ann.reconnect();
  await until('it is told', () => seen.length === 2);
  await other.publish('line', 1);
  await until('it goes on', () => seen.length === 3);
  assert.deepEqual(seen, [0, 'trimmed', 1]);
});

// The heart of it: everybody publishes, the network breaks all the time, and
// every message is there once, in the order of each publisher.
live('with a network that breaks all the time nothing is lost, doubled or out of order', async (t) => {
  const PEOPLE = 6;
  const EACH = 40;
  let unanswered = 0; // publishes whose answer was lost
  class Counted extends WebSocket {
    constructor(...args) {
      super(...args);
      this.on('message', (text) => { if (`${text}`.startsWith('{"path":"finch.publish"')) unanswered--; });
    }
    send(frame) {
      if (`${frame}`.startsWith('{"path":"finch.publish"')) unanswered++;
      super.send(frame);
    }
  }
  const people = Array.from({ length: PEOPLE }, (_, i) => open(`user${i}`, { WebSocket: Counted }));
  const seen = people.map(() => []);
  const resets = [];
  const rooms = people.map((client, i) => {
    const room = client.room('chat:storm');
    room.on('line', (data, { position }) => seen[i].push([data, position]));
    room.on('finch.reset', (data) => resets.push(data));
    return room;
  });
  await Promise.all(rooms.map((room) => room.join()));
  let cuts = 0;
  const breaking = setInterval(() => {
    cuts++;
    server.cut(20);
  }, 200);
  const all = [];
  for (let n = 0; n < EACH; n++) {
    for (const [i, room] of rooms.entries()) all.push(room.publish('line', `${i} ${n}`));
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  await Promise.all(all);
  clearInterval(breaking);
  await until('everybody has everything', () => seen.every((s) => s.length >= PEOPLE * EACH));
  const { messages } = await persist(() => rooms[0].history({ limit: 500 }));
  const order = messages.map((m) => m.data);
  assert.equal(new Set(order).size, PEOPLE * EACH);
  assert.equal(order.length, PEOPLE * EACH, 'recorded once');
  for (let i = 0; i < PEOPLE; i++) {
    assert.deepEqual(order.filter((o) => o.startsWith(`${i} `)), Array.from({ length: EACH }, (_, n) => `${i} ${n}`), `in the order of ${i}`);
    assert.deepEqual(seen[i].map(([data]) => data), order, `as ${i} saw it`);
  }
  assert.deepEqual(resets, []);
  assert.ok(cuts > 5, `${cuts} cuts`);
  t.diagnostic(`${cuts} cuts, ${unanswered} answers of publishes lost`);
});

live('a server that goes away sends its clients to the next one', async () => {
  const client = open('ann', { retryFirst: 20_000, retryMax: 20_000 });
  await client.room('chat:1').join();
  const states = [];
  client.onState(({ phase, reason, delay }) => states.push([phase, reason?.code, delay]));
  const gone = server.leave();
  await until('it is sent away', () => states.length > 0);
  assert.equal(states[0][0], 'waiting');
  assert.equal(states[0][1], 1012);
  assert.ok(states[0][2] <= 500, `at its slot, and not after ${states[0][2]} ms`);
  client.close();
  await gone;
  server = await RealServer.start();
});
