// Events, questions and answers, in text and in bytes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chance, move, settle } from './clock.mjs';
import { sockets } from './server.mjs';
import { connect, FinchError } from '../lib/index.js';

// open connects a client whose hello is answered.
async function open(options = {}) {
  const WebSocket = sockets();
  const errors = [];
  const client = connect('ws://finch.test/ws', { WebSocket, onError: (error) => errors.push(error), ...options });
  const socket = await WebSocket.last.greet();
  return { client, socket, errors, WebSocket };
}

const code = (wanted) => (error) => {
  assert.ok(error instanceof FinchError, `${error}`);
  assert.equal(error.code, wanted);
  return true;
};

test('the first message is hello, and what was sent before waits for its answer', async () => {
  const WebSocket = sockets();
  const client = connect('ws://finch.test/ws', { WebSocket });
  assert.equal(client.send('early', 1), true);
  const socket = WebSocket.last;
  socket.accept();
  await settle();
  assert.deepEqual(socket.sent, [{ path: 'finch.hello', id: 1, data: { version: 1 } }]);
  socket.answer('finch.hello', { version: 1, client: 'c1' });
  assert.deepEqual(socket.sent.at(-1), { path: 'early', data: 1 });
  assert.deepEqual(client.state, { phase: 'open', client: 'c1', from: 'c1', resumed: false });
});

test('the handshake offers the codec, and goes to a WebSocket address', () => {
  const WebSocket = sockets();
  for (const [given, dialled] of [['http://finch.test/ws', 'ws://finch.test/ws'], ['https://finch.test/ws?a=1#b', 'wss://finch.test/ws?a=1'], [new URL('wss://finch.test'), 'wss://finch.test/']]) {
    connect(given, { WebSocket });
    assert.equal(WebSocket.last.url, dialled);
    assert.deepEqual(WebSocket.last.protocols, ['finch.v1.json']);
  }
  assert.throws(() => connect('/ws', { WebSocket }), TypeError, 'a relative address needs a page');
});

test('where there is no WebSocket connect says so', () => {
  const { WebSocket } = globalThis;
  globalThis.WebSocket = undefined;
  assert.throws(() => connect('ws://finch.test/ws'), /WebSocket/);
  globalThis.WebSocket = WebSocket;
});

test('all functions of a path run, the same one once, and a removed one no more', async () => {
  const { client, socket } = await open();
  const seen = [];
  const a = (data) => seen.push(['a', data]);
  const b = (data, message) => seen.push(['b', message.path]);
  const offA = client.on('line', a);
  client.on('line', a);
  client.on('line', b);
  socket.say({ path: 'line', data: 1 });
  assert.deepEqual(seen, [['a', 1], ['b', 'line']]);
  offA();
  socket.say({ path: 'line', data: 2 });
  assert.deepEqual(seen.slice(2), [['b', 'line']]);
  client.on('line', a);
  offA(); // an old unsubscribe must not end what came after it
  socket.say({ path: 'line', data: 3 });
  assert.deepEqual(seen.slice(3), [['b', 'line'], ['a', 3]]);
});

test('a function that subscribes within itself gets no message twice, and one removed by another does not run', async () => {
  const { client, socket } = await open();
  const seen = [];
  const again = (data) => {
    seen.push(data);
    off();
    off = client.on('line', again);
    client.on('line', (d) => seen.push(`late ${d}`));
  };
  let off = client.on('line', again);
  socket.say({ path: 'line', data: 1 });
  assert.deepEqual(seen, [1]);

  const order = [];
  client.on('x', () => { order.push('first'); offSecond(); });
  const offSecond = client.on('x', () => order.push('second'));
  socket.say({ path: 'x' });
  assert.deepEqual(order, ['first']);
});

test('a handler that throws or rejects hurts nobody else', async () => {
  const { client, socket, errors } = await open();
  const seen = [];
  client.on('line', () => { throw new Error('thrown'); });
  client.on('line', async () => { throw new Error('rejected'); });
  client.on('line', (data) => seen.push(data));
  socket.say({ path: 'line', data: 1 });
  socket.say({ path: 'line', data: 2 });
  await settle();
  assert.deepEqual(seen, [1, 2]);
  assert.deepEqual(errors.map((e) => e.message).sort(), ['rejected', 'rejected', 'thrown', 'thrown']);
});

test('handlers survive reconnects', async () => {
  const { client, socket, WebSocket } = await open();
  const seen = [];
  client.on('line', (data) => seen.push(data));
  socket.drop();
  await move(5000);
  const next = await WebSocket.last.greet();
  assert.notEqual(next, socket);
  next.say({ path: 'line', data: 1 });
  assert.deepEqual(seen, [1]);
});

test('questions get the answers with their own ids, in any order', async () => {
  const { client, socket } = await open();
  const first = client.request('double', 1);
  const second = client.request('double', 2);
  const [a, b] = socket.sent.slice(-2);
  assert.equal(typeof a.id, 'number');
  assert.notEqual(a.id, b.id);
  socket.answer(b, 4);
  socket.answer({ path: 'double', id: `${a.id}` }, 'another id'); // "2" is not 2
  socket.answer({ path: 'double', id: 999 }, 'no question');
  socket.answer(a, 2);
  socket.answer(a, 'twice');
  assert.deepEqual(await Promise.all([first, second]), [2, 4]);
});

test('a refusal rejects with its code, its sentence and its status', async () => {
  const { client, socket } = await open();
  const asked = client.request('join', { room: 'x' });
  socket.refuse('join', 409, 'room_full', 'The room is full.');
  await assert.rejects(asked, (e) => code('room_full')(e) && e.status === 409 && e.message === 'The room is full.');
  const odd = client.request('join');
  socket.say({ path: 'join', reply: socket.asked('join').id, status: 500, error: null });
  await assert.rejects(odd, FinchError);
});

test('no answer in time rejects, and a late one meets nobody', async () => {
  const { client, socket } = await open({ requestTimeout: 1000, heartbeat: Infinity });
  const asked = client.request('slow');
  const own = client.request('slow', null, { timeout: 3000 });
  const [late] = socket.sent.slice(-2);
  asked.catch(() => {});
  await move(1000);
  await assert.rejects(asked, code('timeout'));
  socket.answer(late, 1);
  own.catch(() => {});
  await move(2000);
  await assert.rejects(own, code('timeout'));
});

test('an abort rejects with its reason, before and after sending', async () => {
  const { client, socket, WebSocket } = await open();
  const controller = new AbortController();
  const asked = client.request('slow', null, { signal: controller.signal });
  controller.abort(new Error('enough'));
  await assert.rejects(asked, /enough/);
  await assert.rejects(client.request('slow', null, { signal: controller.signal }), /enough/);
  assert.equal(socket.paths.length, 1, 'what was aborted before is not sent');

  socket.drop();
  const queued = new AbortController();
  const waiting = client.request('later', null, { signal: queued.signal });
  queued.abort();
  await assert.rejects(waiting, { name: 'AbortError' });
  await move(5000);
  assert.deepEqual((await WebSocket.last.greet()).paths, []);
});

test('a question whose connection breaks is not asked again; one that was not sent yet is', async () => {
  const { client, socket, WebSocket } = await open();
  const lost = client.request('pay', 1);
  socket.drop();
  await assert.rejects(lost, code('connection_lost'));
  const waits = client.request('pay', 2);
  await move(5000);
  const next = await WebSocket.last.greet();
  assert.deepEqual(next.paths, ['pay']);
  next.answer('pay', 'ok');
  assert.equal(await waits, 'ok');
});

test('a late answer of an old connection meets no question of the new one', async () => {
  const { client, socket, WebSocket } = await open();
  client.request('a').catch(() => {});
  const old = socket.asked('a');
  socket.drop();
  await move(5000);
  const next = await WebSocket.last.greet();
  const asked = client.request('b');
  next.answer(old, 'stale');
  socket.onmessage?.({ data: JSON.stringify({ path: 'b', status: 200, reply: next.asked('b').id, data: 'from the dead' }) });
  next.answer('b', 'fresh');
  assert.equal(await asked, 'fresh');
});

test('the queue is bounded, and what finds it full is refused', async () => {
  const WebSocket = sockets();
  const client = connect('ws://finch.test/ws', { WebSocket, queue: 2 });
  assert.deepEqual([client.send('a'), client.send('b'), client.send('c')], [true, true, false]);
  await assert.rejects(client.request('d'), code('not_sent'));
  const socket = await WebSocket.last.greet();
  assert.deepEqual(socket.paths, ['a', 'b']);
});

test('a network that takes nothing fills the queue and not the memory', async () => {
  const { client, socket } = await open({ queue: 2, heartbeat: Infinity });
  socket.bufferedAmount = 2 << 20;
  assert.deepEqual([client.send('a'), client.send('b'), client.send('c')], [true, true, false]);
  assert.deepEqual(socket.paths, []);
  socket.bufferedAmount = 0;
  await move(100);
  assert.deepEqual(socket.paths, ['a', 'b']);
});

test('what is larger than the server takes does not go', async () => {
  const { client, socket, errors, WebSocket } = await open();
  socket.drop();
  await move(5000);
  const next = await WebSocket.last.greet({ limits: { message_bytes: 60 } });
  await assert.rejects(client.request('a', 'ی'.repeat(30)), code('too_large')); // 30 characters, 60 bytes
  client.send('b', 'x'.repeat(100));
  client.send('c', 'x');
  assert.deepEqual(next.paths, ['c']);
  assert.deepEqual(errors.map((e) => e.code), ['too_large']);
});

test('data that is no JSON throws at once, and is not sent', async () => {
  const { client, socket } = await open();
  const ring = {};
  ring.ring = ring;
  assert.throws(() => client.send('a', ring), TypeError);
  await assert.rejects(client.request('a', 1n), TypeError);
  assert.deepEqual(socket.paths, []);
});

test('bytes travel as they are, both ways', async () => {
  const { client, socket } = await open();
  const seen = [];
  client.on('photo', (data, message) => seen.push([data, message.status]));
  const bytes = new Uint8Array([0x89, 0x50, 0x4e, 0x47]);
  socket.bytes({ path: 'photo', status: 200 }, bytes);
  socket.bytes({ path: 'photo', status: 200 }, new Uint8Array());
  assert.deepEqual(seen, [[bytes, 200], [new Uint8Array(), 200]]);

  client.send('photo', bytes);
  assert.equal(Buffer.from(socket.frames.at(-1)).toString('hex'), '00000010' + Buffer.from('{"path":"photo"}').toString('hex') + '89504e47');
  client.send('photo', bytes.buffer);
  client.send('photo', new DataView(bytes.buffer, 1, 2));
  assert.deepEqual(socket.sent.slice(-2).map((m) => m.data), [bytes, new Uint8Array([0x50, 0x4e])]);

  const asked = client.request('shrink', bytes);
  const { id } = socket.asked('shrink');
  socket.bytes({ path: 'shrink', status: 200, reply: id }, new Uint8Array([1]));
  assert.deepEqual(await asked, new Uint8Array([1]));
});

test('the server asks, and gets one answer', async () => {
  const { client, socket, errors } = await open();
  client.answer('where', async (data) => ({ zoom: data.level + 1 }));
  client.answer('photo', () => new Uint8Array([7]));
  client.answer('nothing', () => {});
  client.answer('no', () => { throw new FinchError('no_map', 'There is no map.', 404); });
  client.answer('bug', () => { throw new Error('secret'); });
  client.answer('ring', () => { const ring = {}; ring.ring = ring; return ring; });
  for (const [i, path] of ['where', 'photo', 'nothing', 'no', 'bug', 'ring', 'nobody'].entries()) socket.say({ path, id: i, data: { level: 2 } });
  await settle();
  const answers = Object.fromEntries(socket.sent.filter((m) => 'reply' in m).map(({ reply, ...m }) => [reply, m]));
  assert.deepEqual(answers[0], { path: 'where', data: { zoom: 3 } });
  assert.deepEqual(answers[1], { path: 'photo', data: new Uint8Array([7]) });
  assert.deepEqual(answers[2], { path: 'nothing', data: null });
  assert.deepEqual(answers[3], { path: 'no', status: 404, error: { code: 'no_map', message: 'There is no map.' } });
  assert.equal(answers[4].error.code, 'internal');
  assert.ok(!JSON.stringify(answers).includes('secret'));
  assert.equal(answers[5].status, 500);
  assert.equal(answers[6].error.code, 'unknown_path');
  assert.equal(errors.length, 2);
});

test('an answer goes out on the connection of the question, or not at all', async () => {
  const { client, socket, WebSocket } = await open();
  let give;
  client.answer('where', () => new Promise((resolve) => { give = resolve; }));
  socket.say({ path: 'where', id: 1 });
  socket.drop();
  await move(5000);
  const next = await WebSocket.last.greet();
  give(3);
  await settle();
  assert.ok(!next.sent.some((m) => 'reply' in m));
});

test('a later answer function takes the place of an earlier one', async () => {
  const { client, socket } = await open();
  const off = client.answer('where', () => 1);
  client.answer('where', () => 2);
  off();
  socket.say({ path: 'where', id: 1 });
  await settle();
  assert.equal(socket.sent.at(-1).data, 2);
});

test('nonsense of the server is passed over, and said', async () => {
  const texts = [];
  const { client, socket, errors } = await open({ onText: (text) => texts.push(text) });
  const seen = [];
  client.on('line', (data) => seen.push(data));
  for (const raw of ['سلام', '42', 'null', '[1]', '{', '{}', '{"path":5}', '{"data":1}', '{"path":"line","room":7}', '{"path":"line","position":{}}', '['.repeat(100_000)]) socket.raw(raw);
  assert.equal(texts.length, 11);
  for (const raw of [new ArrayBuffer(0), new ArrayBuffer(3), new Uint8Array([255, 255, 255, 255, 1]).buffer, new Uint8Array([0, 0, 0, 1, 123]).buffer, new Blob(['x']), undefined, null, 5]) socket.raw(raw);
  for (const more of [{ path: 'nobody' }, { path: '__proto__' }, { path: 'finch.unknown', data: 5 }, { path: 'finch.drain' }, { path: 'finch.drain', data: { delay: 'soon' } }, { reply: { a: 1 } }, { reply: null }, { path: 'x', reply: [] }]) socket.say(more);
  socket.say({ path: 'line', data: 1, unknown: { field: true }, __proto__: null });
  assert.deepEqual(seen, [1]);
  assert.deepEqual([...new Set(errors.map((e) => e.code))], ['bad_envelope']);
  assert.equal(client.state.phase, 'open');
});

test('a refusal of a message without id is said, or goes to its handler', async () => {
  const { client, socket, errors } = await open();
  const refusal = { path: 'finch.error', status: 404, data: { path: 'chat.sya' }, error: { code: 'unknown_path', message: 'nothing here handles this path' } };
  socket.say(refusal);
  assert.deepEqual(errors.map((e) => [e.code, e.status]), [['unknown_path', 404]]);
  const seen = [];
  client.on('finch.error', (data, message) => seen.push([data.path, message.error.code]));
  socket.say(refusal);
  assert.deepEqual(seen, [['chat.sya', 'unknown_path']]);
  assert.equal(errors.length, 1);
});

test('close says 1000, and what waits fails', async () => {
  const { client, socket } = await open();
  const sent = client.request('a');
  socket.bufferedAmount = 2 << 20;
  const queued = client.request('b');
  const states = [];
  client.onState((state) => states.push(state.phase));
  client.close();
  client.close();
  assert.deepEqual(socket.closedWith, { code: 1000, reason: undefined });
  await assert.rejects(sent, code('connection_lost'));
  await assert.rejects(queued, code('closed'));
  await assert.rejects(client.request('c'), code('closed'));
  assert.equal(client.send('d'), false);
  assert.deepEqual(states, ['closed']);
  assert.deepEqual(client.state, { phase: 'closed', reason: { code: 1000, name: 'normal', text: '' } });
  await move(60_000);
  assert.deepEqual(states, ['closed']);
});

test('close before the socket is open ends it, and reconnect begins anew', async () => {
  const WebSocket = sockets();
  const client = connect('ws://finch.test/ws', { WebSocket });
  client.close();
  await move(60_000);
  assert.equal(WebSocket.dialled.length, 1);
  client.reconnect();
  await WebSocket.last.greet();
  assert.equal(WebSocket.dialled.length, 2);
  assert.equal(client.state.phase, 'open');
});

test('a state handler that closes the client is obeyed at each step', async () => {
  for (const at of ['connecting', 'open', 'waiting']) {
    chance(0.5);
    const WebSocket = sockets();
    const client = connect('ws://finch.test/ws', { WebSocket });
    client.onState((state) => state.phase === at && client.close());
    await WebSocket.last.greet();
    WebSocket.last.onclose?.({ code: 1006, reason: '' });
    await move(60_000);
    assert.equal(client.state.phase, 'closed', at);
    assert.ok(WebSocket.dialled.length <= 2);
    assert.equal(WebSocket.last.state, 'closed');
  }
});
