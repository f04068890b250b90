// Publishing: once, in order, across reconnects, or said aloud.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chance, move, settle, sleep } from './clock.mjs';
import { sockets } from './server.mjs';
import { connect, FinchError } from '../lib/rooms.js';

async function inside(options = {}) {
  chance(0.5);
  const WebSocket = sockets();
  const errors = [];
  const client = connect('ws://finch.test/ws', { WebSocket, heartbeat: Infinity, onError: (error) => errors.push(error), ...options });
  const socket = await WebSocket.last.greet();
  const room = client.room('chat:7');
  room.join();
  socket.answer('finch.join', { room: 'chat:7', position: 'e.5.a' });
  return { client, socket, room, errors, WebSocket };
}

// again loses the connection and stands in the room again.
async function again(WebSocket, { greeting = { resumed: true }, position = 'e.5.a' } = {}) {
  WebSocket.last.drop();
  await move(20_000);
  const socket = await WebSocket.last.greet(greeting);
  socket.say({ path: 'finch.joined', data: { room: 'chat:7', position, recovered: true, missed: 0 } });
  return socket;
}

const published = (socket) => socket.sent.filter((m) => m.path === 'finch.publish');
const told = (socket) => published(socket).map((m) => m.data.data);
const code = (wanted) => (error) => error instanceof FinchError && error.code === wanted;

test('a publish names room, path, data and a key of 128 bits, and resolves with its place', async () => {
  const { socket, room } = await inside();
  const data = { text: 'سلام' };
  const publication = room.publish('post', data);
  data.text = 'changed later';
  const [{ data: sent }] = published(socket);
  assert.deepEqual(sent, { room: 'chat:7', path: 'post', data: { text: 'سلام' }, key: publication.key });
  assert.match(publication.key, /^[0-9a-f]{32}$/);
  socket.answer('finch.publish', { position: 'e.6.a' });
  assert.deepEqual(await publication, { position: 'e.6.a' });
  assert.equal(room.position, 'e.5.a', 'the answer moves no place');
  const others = [room.publish('post', 1), room.publish('post', null, { key: 'own', echo: false })];
  for (const other of others) other.catch(() => {});
  assert.notEqual(others[0].key, publication.key);
  assert.deepEqual(published(socket).at(-1).data, { room: 'chat:7', path: 'post', data: null, key: 'own', echo: false });
});

test('a publish whose answer was lost is tried again under its key, and a duplicate is a success', async () => {
  const { socket, room, WebSocket } = await inside();
  const publication = room.publish('post', 1);
  const next = await again(WebSocket);
  assert.deepEqual(published(next).map((m) => m.data), published(socket).map((m) => m.data));
  next.answer('finch.publish', { position: 'e.6.a', duplicate: true });
  assert.deepEqual(await publication, { position: 'e.6.a', duplicate: true });
  assert.deepEqual(published(await again(WebSocket)), []);
});

test('publishes wait until one stands in the room again, and keep their order', async () => {
  const { room, WebSocket } = await inside();
  room.publish('post', 1).catch(() => {});
  room.publish('post', 2).catch(() => {});
  WebSocket.last.drop();
  room.publish('post', 3).catch(() => {});
  await move(20_000);
  const next = await WebSocket.last.greet({ resumed: true });
  room.publish('post', 4).catch(() => {});
  assert.deepEqual(told(next), []);
  next.say({ path: 'finch.joined', data: { room: 'chat:7', position: 'e.5.a', recovered: true, missed: 0 } });
  assert.deepEqual(told(next), [1, 2, 3, 4]);
  room.publish('post', 5).catch(() => {});
  assert.deepEqual(told(next), [1, 2, 3, 4, 5]);
});

test('after a failure that passes all go again from the first that failed', async () => {
  const { socket, room } = await inside();
  const all = [1, 2, 3].map((n) => room.publish('post', n));
  const [first, second, third] = published(socket);
  socket.answer(first, { position: 'e.6.a' });
  socket.refuse(second, 503, 'unavailable');
  socket.refuse(third, 503, 'held_back');
  await move(499);
  assert.equal(published(socket).length, 3);
  await move(2);
  assert.deepEqual(told(socket).slice(3), [2, 3]);
  socket.refuse(published(socket)[3], 500, 'internal'); // the server does not know either
  socket.refuse(published(socket)[4], 503, 'held_back');
  await move(8000);
  assert.deepEqual(told(socket).slice(5), [2, 3]);
  for (const [i, m] of published(socket).slice(5).entries()) socket.answer(m, { position: `e.${7 + i}.a` });
  assert.deepEqual((await Promise.all(all)).map((r) => r.position), ['e.6.a', 'e.7.a', 'e.8.a']);
});

test('what is refused for good fails, and holds up nothing', async () => {
  const { socket, room } = await inside();
  const refused = [room.publish('post', 1), room.publish('post', 2)];
  const good = room.publish('post', 3);
  const [first, second, third] = published(socket);
  socket.refuse(first, 403, 'forbidden', 'Read only.');
  socket.refuse(second, 429, 'app_says_slow_down');
  socket.answer(third, { position: 'e.6.a' });
  await assert.rejects(refused[0], (e) => code('forbidden')(e) && e.message === 'Read only.');
  await assert.rejects(refused[1], code('app_says_slow_down'));
  assert.equal((await good).position, 'e.6.a');
});

test('after its time the outcome is unknown, and later publishes go on', async () => {
  const { socket, room, WebSocket } = await inside();
  const lost = room.publish('post', 1);
  lost.catch(() => {});
  await move(59_999);
  assert.equal(room.pending.length, 1);
  await move(2);
  await assert.rejects(lost, code('outcome_unknown'));
  socket.answer('finch.publish', { position: 'e.6.a' }); // too late
  const next = await again(WebSocket);
  assert.deepEqual(told(next), []);
  const good = room.publish('post', 2);
  next.answer('finch.publish', { position: 'e.7.a' });
  await good;
});

test('a publish that was never sent has no unknown outcome', async () => {
  const { client, room, WebSocket } = await inside({ publishTimeout: 1000 });
  WebSocket.last.drop();
  const waits = room.publish('post', 1);
  waits.catch(() => {});
  await move(1001);
  await assert.rejects(waits, code('not_sent'));
  const closing = room.publish('post', 1);
  client.close();
  await assert.rejects(closing, code('not_sent'));
  await assert.rejects(room.publish('post', 1), code('closed'));
});

test('a device that slept while a publish was under way does not publish it again', async () => {
  const { room, WebSocket } = await inside();
  const lost = room.publish('post', 1);
  lost.catch(() => {});
  sleep(86_400_000); // the server has forgotten the key long since
  const next = await again(WebSocket);
  assert.deepEqual(told(next), []);
  await assert.rejects(lost, code('outcome_unknown'));
});

test('a wall clock that jumps does not disturb a publish whose connection holds', async () => {
  const { socket, room } = await inside();
  for (const jump of [86_400_000, -86_400_000]) {
    const publication = room.publish('post', 1);
    sleep(jump);
    await move(10_000);
    socket.answer('finch.publish', { position: 'e.6.a' });
    await publication;
  }
});

test('a message that comes back under the key is the answer, whenever it comes', async () => {
  const { socket, room, WebSocket } = await inside();
  const before = room.publish('post', 1);
  socket.say({ path: 'post', room: 'chat:7', position: 'e.6.a', key: before.key, data: 1 });
  assert.deepEqual(await before, { position: 'e.6.a' });
  socket.answer('finch.publish', { position: 'e.6.a' });

  const lost = room.publish('post', 2);
  WebSocket.last.drop();
  await move(20_000);
  const next = await WebSocket.last.greet({ resumed: true });
  next.say({ path: 'finch.joined', data: { room: 'chat:7', position: 'e.6.a', recovered: true, missed: 1 } });
  next.say({ path: 'post', room: 'chat:7', position: 'e.7.a', key: lost.key, data: 2 });
  assert.deepEqual(await lost, { position: 'e.7.a' });
});

test('what was published shows as pending until the message itself comes', async () => {
  const { socket, room } = await inside();
  const shown = [];
  room.onPending((pending) => shown.push(pending.map((p) => [p.data, p.recorded])));
  const order = [];
  room.on('post', () => order.push(room.pending.length));
  const { key } = room.publish('post', 1);
  assert.deepEqual(room.pending, [{ key, path: 'post', data: 1, recorded: false }]);
  socket.answer('finch.publish', { position: 'e.7.a' });
  socket.say({ path: 'post', room: 'chat:7', position: 'e.6.a', data: 'of another' });
  socket.say({ path: 'post', room: 'chat:7', position: 'e.7.a', key, data: 1 });
  assert.deepEqual(shown, [[[1, false]], [[1, true]], []]);
  assert.deepEqual(order, [1, 0], 'it is gone before the handler shows the message');
});

test('pending ends with the answer where no message will come', async () => {
  const { socket, room, WebSocket } = await inside();
  room.publish('post', 1, { echo: false });
  socket.answer('finch.publish', { position: 'e.6.a' });
  assert.equal(room.pending.length, 0, 'no echo');
  room.publish('post', 2);
  socket.answer('finch.publish', { position: 'e.3.a', duplicate: true });
  assert.equal(room.pending.length, 0, 'the place is past it already');
  room.publish('post', 3);
  socket.answer('finch.publish', { position: 'e.8.a' });
  assert.equal(room.pending.length, 1);
  socket.say({ path: 'finch.position', data: { room: 'chat:7', position: 'e.8.a' } });
  assert.equal(room.pending.length, 0, 'the place moved past it');
  room.publish('post', 4);
  socket.answer('finch.publish', { position: 'e.9.a' });
  socket.say({ path: 'finch.reset', data: { room: 'chat:7', position: 'f.1.a', reason: 'epoch' } });
  assert.equal(room.pending.length, 0, 'a reset');
  room.publish('post', 5);
  socket.answer('finch.publish', null);
  assert.equal(room.pending.length, 0, 'an answer without a place');
  assert.ok(WebSocket);
});

test('leaving gives up what was not sent; what was sent is still answered', async () => {
  const { socket, room, WebSocket } = await inside();
  const sent = room.publish('post', 1);
  room.leave();
  socket.answer('finch.publish', { position: 'e.6.a' });
  assert.deepEqual(await sent, { position: 'e.6.a' });
  socket.answer('finch.leave');

  room.join();
  socket.answer('finch.join', { room: 'chat:7', position: 'e.6.a' });
  const tried = room.publish('post', 2);
  WebSocket.last.drop();
  const queued = room.publish('post', 3);
  room.leave();
  await assert.rejects(tried, code('outcome_unknown'));
  await assert.rejects(queued, code('left'));
});

test('being taken out of the room gives up what waits', async () => {
  const { socket, room } = await inside();
  const sent = room.publish('post', 1);
  socket.refuse('finch.publish', 503, 'unavailable');
  const waits = room.publish('post', 2);
  socket.say({ path: 'finch.left', data: { room: 'chat:7', error: { code: 'banned', message: 'out' } } });
  await assert.rejects(waits, code('banned'));
  await assert.rejects(sent, code('outcome_unknown'));
});

test('in a room that one did not join the server has the word', async () => {
  const { client, socket } = await inside();
  const publication = client.room('elsewhere').publish('post', 1);
  socket.refuse('finch.publish', 403, 'not_in_room');
  await assert.rejects(publication, code('not_in_room'));
});

test('what one user wrote is not published as another', async () => {
  const { room, WebSocket } = await inside();
  const tried = room.publish('post', 1);
  WebSocket.last.drop();
  const queued = room.publish('post', 2);
  tried.catch(() => {});
  queued.catch(() => {});
  await move(20_000);
  const next = await WebSocket.last.greet({ resumed: false, reason: 'other_user', from: 'bob' });
  next.say({ path: 'finch.joined', data: { room: 'chat:7', position: 'e.5.a', recovered: true, missed: 0 } });
  assert.deepEqual(told(next), []);
  await assert.rejects(tried, code('outcome_unknown'));
  await assert.rejects(queued, code('other_user'));
});

test('under another name nothing is tried again, because the server does not know its key', async () => {
  const { room, WebSocket } = await inside();
  const tried = room.publish('post', 1);
  WebSocket.last.drop();
  const queued = room.publish('post', 2);
  tried.catch(() => {});
  await move(20_000);
  const next = await WebSocket.last.greet({ resumed: false, reason: 'ticket_expired', from: 'anonymous2' });
  next.say({ path: 'finch.joined', data: { room: 'chat:7', position: 'e.5.a', recovered: true, missed: 0 } });
  assert.deepEqual(told(next), [2]);
  await assert.rejects(tried, code('outcome_unknown'));
  next.answer('finch.publish', { position: 'e.6.a' });
  await queued;
});

test('publishes are bounded, and so is how many fly at once', async () => {
  const { socket, room } = await inside({ queue: 40 });
  const all = Array.from({ length: 40 }, (_, n) => room.publish('post', n));
  await assert.rejects(room.publish('post', 40), code('not_sent'));
  assert.equal(published(socket).length, 32);
  for (let n = 0; n < 40; n++) socket.answer(published(socket)[n], { position: `e.${6 + n}.a` });
  await Promise.all(all);
  assert.deepEqual(told(socket), Array.from({ length: 40 }, (_, n) => n));
});

test('what is no JSON, or too large, is refused here', async () => {
  const { socket, room } = await inside();
  const ring = {};
  ring.ring = ring;
  await assert.rejects(room.publish('post', ring), TypeError);
  await assert.rejects(room.publish('post', new Uint8Array(2)), TypeError);
  await assert.rejects(room.publish('post', 'x'.repeat(70_000)), code('too_large'));
  assert.equal(published(socket).length, 0);
  assert.deepEqual(room.pending, []);
});

test('rooms hold up each other in nothing', async () => {
  const { client, socket, room } = await inside();
  const other = client.room('other');
  other.join();
  socket.answer('finch.join', { room: 'other', position: 'e.1.a' });
  room.publish('post', 1);
  socket.refuse('finch.publish', 503, 'unavailable');
  const publication = other.publish('post', 2);
  socket.answer('finch.publish', { position: 'e.2.a' });
  await publication;
});

test('nonsense as an answer does not hurt', async () => {
  const { socket, room } = await inside();
  for (const data of [null, 5, 'x', [], { position: 7 }, { position: {} }]) {
    const publication = room.publish('post', 1);
    socket.answer('finch.publish', data);
    assert.equal(typeof (await publication).position, 'string');
  }
  await settle();
});
