// Rooms: joining, order, leaving.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { move, settle } from './clock.mjs';
import { again, code, inside, open, post, watch } from './member.mjs';
import { numbered, sockets } from './server.mjs';
import { connect } from '../lib/rooms.js';

test('a room is the same object for the same name', async () => {
  const { client } = await open();
  assert.equal(client.room('a'), client.room('a'));
  assert.notEqual(client.room('a'), client.room('b'));
  assert.equal(client.room('a').name, 'a');
  assert.deepEqual(client.room('a').state, { phase: 'out' });
});

test('joining asks once, and resolves with where one came in', async () => {
  const { client, socket } = await open();
  const room = client.room('chat:7');
  const states = [];
  room.onState((state) => states.push(state.phase));
  const joins = [room.join(), room.join()];
  assert.deepEqual(socket.paths, ['finch.join']);
  assert.deepEqual(socket.asked('finch.join').data, { room: 'chat:7' });
  socket.answer('finch.join', { room: 'chat:7', position: 'e.5.a' });
  for (const joined of await Promise.all(joins)) assert.equal(joined.position, 'e.5.a');
  assert.deepEqual(states, ['joining', 'joined']);
  assert.equal(room.position, 'e.5.a');
  assert.equal((await room.join()).position, 'e.5.a');
  assert.deepEqual(socket.paths, ['finch.join']);
});

test('messages come in order, each once, and the place moves before the handler runs', async () => {
  const { socket, room, seen, errors } = await inside();
  const places = [];
  room.on('post', () => {
    places.push(room.position);
    throw new Error('a bug');
  });
  post(socket, 6);
  post(socket, 9); // offsets may skip
  post(socket, 9);
  post(socket, 6);
  post(socket, 10);
  assert.deepEqual(seen, [6, 9, 10]);
  assert.deepEqual(places, ['e.6.a', 'e.9.a', 'e.10.a']);
  assert.equal(errors.length, 3);
});

test('offsets beyond what a number can hold are compared exactly', async () => {
  const { socket, seen } = await inside('e.18446744073709551613.a');
  for (const offset of ['18446744073709551612', '18446744073709551614', '18446744073709551614', '18446744073709551615', '9']) post(socket, offset);
  assert.deepEqual(seen, ['18446744073709551614', '18446744073709551615']);
});

test('messages of a room reach the handlers of the room and then those of the client', async () => {
  const { client, socket, room } = await inside();
  const seen = [];
  client.on('post', (data, message) => seen.push(['client', message.room]));
  room.on('post', () => seen.push(['room']));
  post(socket, 6);
  socket.say({ path: 'post', room: 'elsewhere', data: 1 });
  post(socket, 6);
  assert.deepEqual(seen, [['room'], ['client', 'chat:7'], ['client', 'elsewhere']]);
});

test('a refusal rejects, and is not tried again by itself', async () => {
  const { client, socket, WebSocket } = await open();
  const room = client.room('secret');
  const joined = room.join();
  socket.refuse('finch.join', 403, 'forbidden', 'Members only.');
  await assert.rejects(joined, code('forbidden'));
  assert.equal(room.state.phase, 'out');
  assert.equal(room.state.error.message, 'Members only.');
  const next = await again(WebSocket);
  assert.deepEqual(next.sent[0].data.rooms, {});
  room.join().catch(() => {});
  assert.equal(room.state.error, undefined);
  assert.deepEqual(next.paths, ['finch.join']);
});

test('a room that cannot be had now is asked for again', async () => {
  const { client, socket } = await open();
  const room = client.room('chat:7');
  const joined = room.join();
  for (const [status, code] of [[503, 'unavailable'], [429, 'too_fast'], [504, 'timeout']]) {
    socket.refuse('finch.join', status, code);
    assert.equal(room.state.phase, 'joining');
    const before = socket.paths.length;
    await move(20_000);
    assert.equal(socket.paths.length, before + 1);
  }
  socket.answer('finch.join', { room: 'chat:7', position: 'e.1.a' });
  await joined;
  socket.say({ path: 'finch.left', data: { room: 'chat:7', error: { code: 'unavailable', message: 'later' } } });
  assert.equal(room.state.phase, 'joining');
  await move(20_000);
  assert.deepEqual(socket.asked('finch.join').data, { room: 'chat:7', position: 'e.1.a' });
});

test('a room that is joined while hello is on its way is asked for after it', async () => {
  const WebSocket = sockets();
  const client = connect('ws://finch.test/ws', { WebSocket, heartbeat: Infinity });
  const early = client.room('early').join();
  const socket = WebSocket.last;
  socket.accept();
  const late = client.room('late').join();
  assert.deepEqual(socket.sent[0].data.rooms, { early: '' });
  socket.answer('finch.hello', { client: 'x' });
  assert.deepEqual(socket.paths, ['finch.join']);
  assert.equal(socket.asked('finch.join').data.room, 'late');
  socket.answer('finch.join', { room: 'late', position: 'e.1.a' });
  socket.say({ path: 'finch.joined', data: { room: 'early', position: 'e.1.a' } });
  await Promise.all([early, late]);
  client.close();
});

test('what comes after leaving reaches nobody, and leaving ends at the server too', async () => {
  const { client, socket, room, seen } = await inside();
  const global = [];
  client.on('post', (data) => global.push(data));
  const left = room.leave();
  assert.equal(room.state.phase, 'out');
  assert.equal(room.position, '');
  post(socket, 6);
  socket.say({ path: 'post', room: 'chat:7', data: 'ephemeral' });
  socket.say({ path: 'finch.lagged', data: { room: 'chat:7' } });
  assert.deepEqual(socket.asked('finch.leave').data, { room: 'chat:7' });
  socket.answer('finch.leave');
  await left;
  assert.deepEqual([seen, global], [[], []]);
  await room.leave();
  assert.deepEqual(socket.paths, ['finch.join', 'finch.leave']);
});

test('leaving and joining within a handler brings no message twice and none of the old time', async () => {
  const { socket, room, seen } = await inside();
  const off = room.on('post', () => {
    off();
    room.leave();
    room.join();
  });
  post(socket, 6);
  post(socket, 7); // still of the membership that was left
  assert.deepEqual(socket.paths, ['finch.join', 'finch.leave'], 'one question at a time');
  socket.answer('finch.leave');
  assert.deepEqual(socket.asked('finch.join').data, { room: 'chat:7' });
  socket.answer('finch.join', { room: 'chat:7', position: 'e.7.a' });
  post(socket, 8);
  assert.deepEqual(seen.filter((s) => !Array.isArray(s)), [6, 8]);
});

test('a join that is left before its answer rejects, and the server is told', async () => {
  const { client, socket } = await open();
  const room = client.room('chat:7');
  const joined = room.join();
  const left = room.leave();
  await assert.rejects(joined, code('left'));
  socket.answer('finch.join', { room: 'chat:7', position: 'e.1.a' });
  assert.equal(room.state.phase, 'out');
  assert.deepEqual(socket.paths, ['finch.join', 'finch.leave']);
  socket.answer('finch.leave');
  await left;
});

test('leaving without a connection means not to be joined again', async () => {
  const { room, WebSocket } = await inside();
  WebSocket.last.drop();
  await room.leave();
  await move(20_000);
  const next = await WebSocket.last.greet({ resumed: true });
  assert.deepEqual(next.sent[0].data.rooms, {});
  assert.deepEqual(next.paths, ['finch.leave'], 'the session may still hold it, if it was the server that joined it');
  next.say({ path: 'finch.joined', data: { room: 'chat:7', position: 'e.9.a' } });
  post(next, 10);
  next.answer('finch.leave');
  assert.equal(room.state.phase, 'out');
});

test('a room that the server joined is a room like others', async () => {
  const { client, socket, WebSocket } = await open();
  const room = client.room('team');
  const seen = watch(room);
  socket.say({ path: 'post', room: 'team', position: 'e.1.a', data: 1 }); // the server's word may come after
  socket.say({ path: 'finch.joined', data: { room: 'team', position: 'e.1.a', ticket: 'newer' } });
  socket.say({ path: 'post', room: 'team', position: 'e.2.a', data: 2 });
  assert.deepEqual(seen.map((s) => s[0] ?? s), [1, 'joined', 2]);
  assert.equal(room.state.phase, 'joined');
  const next = await again(WebSocket);
  assert.deepEqual(numbered(next.sent[0].data), { version: 1, ticket: 'newer', rooms: { team: 'e.2.a' } });
  next.say({ path: 'finch.left', data: { room: 'team', error: { code: 'forbidden', message: 'no' } } });
  assert.equal(room.state.error.code, 'forbidden');
  assert.deepEqual((await again(WebSocket)).sent[0].data.rooms, {});
});

test('being taken out is an event, and one stays out', async () => {
  const { room, socket, seen, WebSocket } = await inside();
  socket.say({ path: 'finch.left', data: { room: 'chat:7', ticket: 'newer' } });
  post(socket, 6);
  assert.deepEqual(seen.slice(0, 1), [['left', { room: 'chat:7', ticket: 'newer' }]]);
  assert.equal((await again(WebSocket)).sent[0].data.ticket, 'newer');
  assert.ok(room);
});

test('lagging shows, and ends with the next message', async () => {
  const { socket, room, seen } = await inside();
  const states = [];
  room.onState((state) => states.push(state.phase));
  socket.say({ path: 'finch.lagged', data: { room: 'chat:7' } });
  assert.equal(room.state.phase, 'lagged');
  post(socket, 6);
  assert.deepEqual(states, ['lagged', 'joined']);
  assert.deepEqual(seen, [['lagged', { room: 'chat:7' }], 6]);
});

test('the place moves past what is not for this client', async () => {
  const { socket, room, WebSocket } = await inside();
  socket.say({ path: 'finch.position', data: { room: 'chat:7', position: 'e.8.a' } });
  assert.equal(room.position, 'e.8.a');
  socket.say({ path: 'finch.position', data: { room: 'chat:7', position: 'e.7.a' } });
  assert.equal(room.position, 'e.8.a');
  assert.equal((await again(WebSocket)).sent[0].data.rooms['chat:7'], 'e.8.a');
});

test('the names of rooms mean nothing to JavaScript', async () => {
  const { client, WebSocket } = await open();
  for (const name of ['__proto__', 'constructor', 'toString']) client.room(name).join();
  const next = await again(WebSocket);
  assert.deepEqual(Object.keys(next.sent[0].data.rooms), ['__proto__', 'constructor', 'toString']);
});

test('nonsense about rooms is passed over', async () => {
  const { client, socket, seen } = await inside();
  for (const path of ['joined', 'reset', 'left', 'lagged', 'position', 'presence']) {
    for (const data of [null, 5, 'x', [], {}, { room: 5 }, { to: 'nobody' }, { to: '__proto__' }, { room: 'x', position: 7 }, { room: 'x', error: 5 }]) socket.say({ path: `finch.${path}`, data });
  }
  socket.say({ path: 'finch.presence', room: 'chat:7', data: { joined: 5, left: {}, updated: 'x' } });
  socket.say({ path: 'post', to: 'constructor', position: 'e.1.a', data: 1 });
  post(socket, 6);
  assert.deepEqual(seen, [6]);
  assert.equal(client.state.phase, 'open');
});

test('history comes in pages, with bytes as bytes', async () => {
  const { client, socket, room } = await inside();
  const page = room.history({ before: 'e.5.a', limit: 2 });
  await settle();
  assert.deepEqual(socket.asked('finch.history').data, { room: 'chat:7', before: 'e.5.a', limit: 2 });
  socket.answer('finch.history', {
    messages: [{ path: 'post', data: 3, position: 'e.3.a', from: 'ann', key: 'k', timestamp: 3 }, { path: 'photo', binary: 'iVBORw==', position: 'e.4.a', timestamp: 4 }],
    more: true, position: 'e.5.a',
  });
  assert.deepEqual(await page, {
    messages: [{ path: 'post', data: 3, position: 'e.3.a', from: 'ann', key: 'k', timestamp: 3, room: 'chat:7' }, { path: 'photo', data: new Uint8Array([0x89, 0x50, 0x4e, 0x47]), position: 'e.4.a', timestamp: 4, room: 'chat:7' }],
    more: true, position: 'e.5.a',
  });
  const refused = room.history({ after: 'x' });
  await settle();
  socket.refuse('finch.history', 409, 'reset', 'fetch anew');
  await assert.rejects(refused, code('reset'));
  const odd = room.history();
  await settle();
  socket.answer('finch.history', null);
  assert.deepEqual(await odd, { messages: [], more: false, position: '' });
  await assert.rejects(client.room('elsewhere').history(), code('not_in_room'));
});

