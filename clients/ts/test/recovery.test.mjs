// Coming back: recovery, resets, and places that are kept.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { move } from './clock.mjs';
import { again, code, inside, open, post, watch } from './member.mjs';
import { numbered } from './server.mjs';

test('after a reconnect hello tells the ticket and the places, and what was missed comes in order', async () => {
  const { client, socket, seen, room, WebSocket } = await inside();
  post(socket, 6);
  client.room('other').join().catch(() => {});
  const next = await again(WebSocket);
  assert.deepEqual(numbered(next.sent[0].data), { version: 1, ticket: 'ticket', rooms: { 'chat:7': 'e.6.a', other: '' } });
  assert.deepEqual(next.paths, [], 'what hello has asked is not asked again');
  assert.equal(client.state.resumed, true);
  assert.equal(room.state.phase, 'joining');
  next.say({ path: 'finch.joined', data: { room: 'chat:7', position: 'e.6.a', recovered: true, missed: 2 } });
  post(next, 7);
  post(next, 8);
  post(next, 9);
  assert.deepEqual(seen, [6, ['joined', { room: 'chat:7', position: 'e.6.a', recovered: true, missed: 2 }], 7, 8, 9]);
  assert.equal(room.state.phase, 'joined');
});

test('until the server has said what becomes of the place, recorded messages are dropped and others handled', async () => {
  const { seen, WebSocket } = await inside();
  WebSocket.last.drop();
  await move(20_000);
  const next = WebSocket.last;
  next.accept();
  post(next, 9);
  next.say({ path: 'post', room: 'chat:7', data: 'ephemeral' });
  next.answer('finch.hello', { client: 'x' });
  post(next, 10);
  next.say({ path: 'finch.position', data: { room: 'chat:7', position: 'e.10.a' } });
  next.say({ path: 'finch.joined', data: { room: 'chat:7', position: 'e.5.a', recovered: true, missed: 3 } });
  for (const n of [6, 9, 10]) post(next, n);
  assert.deepEqual(seen.filter((s) => !Array.isArray(s)), ['ephemeral', 6, 9, 10]);
});

test('recovery works many times in a row, and when nothing was ever said', async () => {
  const { seen, WebSocket } = await inside();
  for (let n = 6; n < 12; n++) {
    const next = await again(WebSocket);
    assert.equal(next.sent[0].data.rooms['chat:7'], `e.${n === 6 ? 5 : n - 1}.a`);
    next.say({ path: 'finch.joined', data: { room: 'chat:7', position: `e.${n - 1}.a`, recovered: true, missed: 0 } });
    if (n > 5) post(next, n);
  }
  assert.deepEqual(seen.filter((s) => !Array.isArray(s)), [6, 7, 8, 9, 10, 11]);
});

test('a reset is an event of its own, and messages go on after it', async () => {
  const { client, room, seen, WebSocket } = await inside('e.500.a');
  const all = [];
  client.on('finch.reset', (data) => all.push([data.room, room.position]));
  const next = await again(WebSocket);
  next.say({ path: 'finch.reset', data: { room: 'chat:7', position: 'f.3.b', reason: 'epoch' } });
  next.say({ path: 'post', room: 'chat:7', position: 'f.4.b', data: 4 });
  next.say({ path: 'post', room: 'chat:7', position: 'f.3.b', data: 3 });
  assert.deepEqual(seen, [['reset', { room: 'chat:7', position: 'f.3.b', reason: 'epoch' }], 4]);
  assert.deepEqual(all, [['chat:7', 'f.3.b']]);
  assert.equal(room.state.phase, 'joined');
  // It may come in the middle, too; and back to an earlier place.
  next.say({ path: 'finch.reset', data: { room: 'chat:7', position: 'f.1.c', reason: 'forked' } });
  next.say({ path: 'post', room: 'chat:7', position: 'f.2.c', data: 2 });
  assert.deepEqual(seen.slice(2), [['reset', { room: 'chat:7', position: 'f.1.c', reason: 'forked' }], 2]);
});

test('a server that does not say that it recovered has not', async () => {
  const { seen, WebSocket } = await inside();
  const next = await again(WebSocket, { resumed: false, reason: 'bad_ticket' });
  next.say({ path: 'finch.joined', data: { room: 'chat:7', position: 'e.9.a' } });
  post(next, 10);
  assert.deepEqual(seen, [['reset', { room: 'chat:7', position: 'e.9.a', reason: 'no_position' }], 10]);
});

test('joining from a position recovers, or resets', async () => {
  const { client, socket } = await open();
  const room = client.room('chat:7');
  const seen = watch(room);
  room.join({ position: 'e.2.a' });
  assert.deepEqual(socket.asked('finch.join').data, { room: 'chat:7', position: 'e.2.a' });
  socket.answer('finch.join', { room: 'chat:7', position: 'e.2.a', recovered: true, missed: 1 });
  post(socket, 3);
  assert.deepEqual(seen, [['joined', { room: 'chat:7', position: 'e.2.a', recovered: true, missed: 1 }], 3]);

  const other = client.room('other');
  const resets = [];
  other.on('finch.reset', (data) => resets.push(data));
  const joined = other.join({ position: 'e.2.a' });
  socket.answer('finch.join', { room: 'other', position: 'e.70.a', recovered: false, reason: 'trimmed' });
  assert.deepEqual(resets, [{ room: 'other', position: 'e.70.a', reason: 'trimmed' }]);
  assert.equal((await joined).position, 'e.70.a');

  const bad = client.room('bad');
  const told = [];
  bad.on('finch.reset', (data) => told.push(data.reason));
  bad.join({ position: 'nonsense' });
  socket.refuse('finch.join', 400, 'bad_position');
  assert.deepEqual(socket.asked('finch.join').data, { room: 'bad' });
  socket.answer('finch.join', { room: 'bad', position: 'e.1.a' });
  assert.deepEqual(told, ['bad_position']);
});

test('a join that the connection cuts off goes on with the next one', async () => {
  const { client, socket, WebSocket } = await open();
  const joined = client.room('chat:7').join();
  assert.deepEqual(socket.paths, ['finch.join']);
  const next = await again(WebSocket);
  assert.deepEqual(next.sent[0].data.rooms, { 'chat:7': '' });
  next.say({ path: 'finch.joined', data: { room: 'chat:7', position: 'e.1.a' } });
  assert.equal((await joined).position, 'e.1.a');
});

test('what is recorded for the user and for everyone is recovered too', async () => {
  const { client, socket, WebSocket } = await open();
  const seen = [];
  client.on('notice', (data) => seen.push(data));
  client.on('finch.reset', (data) => seen.push([data.to, data.reason]));
  socket.say({ path: 'notice', to: 'user', position: 'u.1.a', data: 1 });
  socket.say({ path: 'notice', to: 'user', position: 'u.1.a', data: 1 });
  socket.say({ path: 'finch.joined', data: { to: 'everyone', position: 'a.5.b' } });
  const next = await again(WebSocket);
  assert.deepEqual(numbered(next.sent[0].data), { version: 1, ticket: 'ticket', rooms: {}, user: 'u.1.a', everyone: 'a.5.b' });
  next.say({ path: 'notice', to: 'user', position: 'u.3.a', data: 3 });
  next.say({ path: 'finch.joined', data: { to: 'user', position: 'u.1.a', recovered: true, missed: 2 } });
  next.say({ path: 'notice', to: 'user', position: 'u.2.a', data: 2 });
  next.say({ path: 'notice', to: 'user', position: 'u.3.a', data: 3 });
  next.say({ path: 'finch.reset', data: { to: 'everyone', position: 'a.9.b', reason: 'trimmed' } });
  next.say({ path: 'notice', to: 'everyone', position: 'a.9.b', data: 'old' });
  assert.deepEqual(seen, [1, 2, 3, ['everyone', 'trimmed']]);
});

test('a hello that is refused is said once more without ticket and places, and rooms are told', async () => {
  const { seen, WebSocket, client } = await inside();
  WebSocket.last.drop();
  await move(20_000);
  const next = WebSocket.last;
  next.accept();
  next.refuse('finch.hello', 400, 'bad_data');
  assert.deepEqual(next.sent.at(-1).data, { version: 1, rooms: {} });
  next.answer('finch.hello', { client: 'x' });
  assert.deepEqual(next.asked('finch.join').data, { room: 'chat:7' }, 'rooms are asked for one by one');
  next.answer('finch.join', { room: 'chat:7', position: 'e.9.a' });
  assert.deepEqual(seen, [['reset', { room: 'chat:7', position: 'e.9.a', reason: 'bad_data' }]]);
  assert.equal(client.state.phase, 'open');
});

test('closing ends what waits for rooms, and reconnect goes on from the same places', async () => {
  const { client, room, WebSocket } = await inside();
  const joining = client.room('other').join();
  client.close();
  await assert.rejects(joining, code('closed'));
  assert.equal(room.state.phase, 'out');
  await assert.rejects(client.room('third').join(), code('closed'));
  client.reconnect();
  const next = await WebSocket.last.greet({ resumed: true });
  assert.deepEqual(next.sent[0].data.rooms, { 'chat:7': 'e.5.a', other: '' });
});
