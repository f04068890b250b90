// Who is in a room: the list, its changes, and what happens to it on the way.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chance, move, settle } from './clock.mjs';
import { sockets } from './server.mjs';
import { connect } from '../lib/rooms.js';

async function inside() {
  chance(0.5);
  const WebSocket = sockets();
  const errors = [];
  const client = connect('ws://finch.test/ws', { WebSocket, heartbeat: Infinity, onError: (error) => errors.push(error) });
  const socket = await WebSocket.last.greet();
  const room = client.room('chat:7');
  room.join();
  socket.answer('finch.join', { room: 'chat:7', position: 'e.5.a' });
  const seen = [];
  return { client, socket, room, errors, WebSocket, seen, watch: () => room.presence.watch((state) => seen.push(show(state))) };
}

const member = (id, devices = 1) => ({ id, devices, since: 1 });
const show = ({ members, count, ready }) => `${members.map((m) => m.id + (m.devices > 1 ? m.devices : '')).join(' ')} (${count})${ready ? '' : ' stale'}`;
const asked = (socket) => socket.sent.filter((m) => m.path === 'finch.presence').map((m) => m.data);
const change = (socket, data) => socket.say({ path: 'finch.presence', room: 'chat:7', data });

test('a watch reads the list page by page, and then follows it', async () => {
  const { socket, room, seen, watch } = await inside();
  watch();
  assert.deepEqual(asked(socket), [{ room: 'chat:7', watch: true }]);
  socket.answer('finch.presence', { members: [member('ann', 2), member('bob')], count: 3, next: 'bob' });
  change(socket, { joined: [member('dan')], count: 4 }); // while the second page is on its way
  change(socket, { left: ['ann'], count: 3 });
  assert.deepEqual(asked(socket).at(-1), { room: 'chat:7', watch: true, after: 'bob' });
  assert.deepEqual(seen, []);
  socket.answer('finch.presence', { members: [member('سارا'), member('dan')], count: 3 });
  change(socket, { updated: [member('bob', 2)], joined: [member('eve')], left: ['dan', 'nobody'], count: 3 });
  assert.deepEqual(seen, ['bob dan سارا (3)', 'bob2 eve سارا (3)']);
  assert.equal(room.presence.state.ready, true);
});

test('a change that crosses the answer is applied behind it', async () => {
  const { socket, seen, watch } = await inside();
  watch();
  change(socket, { left: ['ghost'], joined: [member('eve')], count: 2 });
  socket.answer('finch.presence', { members: [member('ann'), member('ghost')], count: 2 });
  assert.deepEqual(seen, ['ann eve (2)']);
});

test('too many changes to list are read anew, once at a time', async () => {
  const { socket, seen, watch } = await inside();
  watch();
  socket.answer('finch.presence', { members: [member('ann')], count: 1 });
  for (let i = 0; i < 5; i++) change(socket, { count: 9, partial: true });
  assert.equal(asked(socket).length, 2);
  socket.answer('finch.presence', { members: [member('bob')], count: 1 });
  assert.equal(asked(socket).length, 3, 'and once more, because more came meanwhile');
  socket.answer('finch.presence', { members: [member('eve')], count: 1 });
  assert.equal(asked(socket).length, 3);
  assert.equal(seen.at(-1), 'eve (1)');
});

test('after a reconnect the list is what it was, until it is read again', async () => {
  const { seen, socket, watch, WebSocket, room } = await inside();
  watch();
  socket.answer('finch.presence', { members: [member('ann')], count: 1 });
  socket.drop();
  assert.equal(seen.at(-1), 'ann (1) stale');
  await move(20_000);
  const next = await WebSocket.last.greet({ resumed: true });
  assert.deepEqual(asked(next), [], 'not before the room is entered');
  next.say({ path: 'finch.joined', data: { room: 'chat:7', position: 'e.5.a', recovered: true, missed: 0 } });
  assert.deepEqual(asked(next), [{ room: 'chat:7', watch: true }]);
  next.answer('finch.presence', { members: [member('bob')], count: 1 });
  assert.equal(seen.at(-1), 'bob (1)');
  assert.ok(room);
});

test('who leaves the room does not know any longer who is there, and asks again when back', async () => {
  const { socket, room, seen, watch } = await inside();
  watch();
  socket.answer('finch.presence', { members: [member('ann')], count: 1 });
  room.leave();
  assert.equal(seen.at(-1), 'ann (1) stale');
  change(socket, { joined: [member('bob')], count: 2 });
  socket.answer('finch.leave');
  room.join();
  const before = asked(socket).length;
  socket.answer('finch.join', { room: 'chat:7', position: 'e.6.a' });
  assert.equal(asked(socket).length, before + 1);
  socket.answer('finch.presence', { members: [member('bob')], count: 1 });
  assert.deepEqual(seen, ['ann (1)', 'ann (1) stale', 'bob (1)']);
});

test('an answer of an older reading is ignored', async () => {
  const { socket, seen, watch, WebSocket } = await inside();
  watch();
  const old = socket.asked('finch.presence');
  socket.drop();
  await move(20_000);
  const next = await WebSocket.last.greet();
  next.answer(old, { members: [member('ghost')], count: 1 });
  assert.deepEqual(seen, []);
});

test('a list that was asked for again is that of the newer question', async () => {
  const { socket, seen, watch } = await inside();
  watch()();
  watch();
  const [first, , second] = socket.sent.filter((m) => m.path === 'finch.presence');
  socket.answer(first, { members: [member('ghost')], count: 1 });
  assert.deepEqual(seen, []);
  socket.answer(second, { members: [member('ann')], count: 1 });
  assert.deepEqual(seen, ['ann (1)']);
});

test('the watch ends with its last watcher, and begins with its first', async () => {
  const { socket, room, seen } = await inside();
  const fn = (state) => seen.push(show(state));
  const ends = [room.presence.watch(fn), room.presence.watch(fn)];
  assert.equal(asked(socket).length, 1);
  socket.answer('finch.presence', { members: [member('ann')], count: 1 });
  assert.deepEqual(seen, ['ann (1)', 'ann (1)']);
  ends[0]();
  ends[0]();
  change(socket, { joined: [member('bob')], count: 2 });
  assert.equal(seen.length, 3);
  ends[1]();
  assert.equal(asked(socket).at(-1).watch, false);
  change(socket, { joined: [member('late')], count: 3 });
  assert.equal(seen.length, 3);
  room.presence.watch(fn);
  assert.equal(asked(socket).at(-1).watch, true);
});

test('what a client says of itself is said again after a reconnect', async () => {
  const { socket, room, WebSocket } = await inside();
  const said = room.presence.set({ typing: true });
  await settle();
  assert.deepEqual(asked(socket), [{ room: 'chat:7', data: { typing: true }, limit: 1 }]);
  socket.answer('finch.presence', { members: [], count: 1 });
  await said;
  const refused = room.presence.set('x'.repeat(2000));
  refused.catch(() => {});
  await settle();
  socket.refuse('finch.presence', 413, 'too_large');
  await assert.rejects(refused, { code: 'too_large' });
  room.presence.set(1).catch(() => {});
  socket.drop();
  await move(20_000);
  const next = await WebSocket.last.greet();
  next.say({ path: 'finch.joined', data: { room: 'chat:7', position: 'e.5.a', recovered: true, missed: 0 } });
  assert.deepEqual(asked(next), [{ room: 'chat:7', data: 1, limit: 1 }]);
});

test('one may ask once, without watching', async () => {
  const { client, socket, room } = await inside();
  const list = room.presence.read();
  await settle();
  assert.deepEqual(asked(socket), [{ room: 'chat:7' }]);
  socket.answer('finch.presence', { members: [member('bob')], count: 2, next: 'bob' });
  await settle();
  socket.answer('finch.presence', { members: [member('ann')], count: 2 });
  assert.deepEqual(await list, [member('ann'), member('bob')]);
  await assert.rejects(client.room('elsewhere').presence.read(), { code: 'not_in_room' });
});

test('a refusal shows; one that passes is tried again', async () => {
  const { socket, room, watch } = await inside();
  watch();
  socket.refuse('finch.presence', 503, 'unavailable');
  assert.equal(room.presence.state.error.code, 'unavailable');
  await move(20_000);
  socket.answer('finch.presence', { members: [member('ann')], count: 1 });
  assert.equal(room.presence.state.error, undefined);
  change(socket, { partial: true });
  socket.refuse('finch.presence', 422, 'no_presence');
  assert.equal(room.presence.state.error.code, 'no_presence');
  const before = asked(socket).length;
  await move(60_000);
  assert.equal(asked(socket).length, before);
});

test('nonsense about presence is passed over', async () => {
  const { socket, seen, watch, client } = await inside();
  watch();
  socket.answer('finch.presence', { members: 5, count: 'x', next: {} });
  await move(1);
  watch();
  for (const data of [null, 5, { joined: 5 }, { left: 7 }, { joined: [null] }, { updated: [5] }]) change(socket, data);
  assert.equal(client.state.phase, 'open');
  assert.ok(seen);
});
