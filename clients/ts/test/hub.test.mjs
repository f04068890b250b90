// The exchange between tabs and their one connection, without a browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chance, move, settle } from './clock.mjs';
import { GREETING, sockets, numbered } from './server.mjs';
import { Hub } from '../lib/hub.js';

// Pages hold locks as long as they live; here they live until the test says otherwise.
const pages = new Map();
Object.defineProperty(globalThis, 'navigator', {
  value: { locks: { request: (name, options, fn) => new Promise((resolve) => pages.set(name, () => resolve(fn({})))) } },
  configurable: true,
});

function setUp() {
  chance(0.5);
  const WebSocket = sockets();
  const said = []; // what the hub says, by tab
  const hub = new Hub(({ to, ...what }) => (said[to] ??= []).push(what), WebSocket);
  let id = 0;
  // A tab, as the client in it behaves.
  const tab = (name) => ({
    name,
    open() { hub.receive({ tab: name, do: 'open', page: `page of ${name}`, url: 'ws://finch.test/ws', protocols: ['finch.v1.json'] }); return this; },
    send(message) { hub.receive({ tab: name, do: 'send', frame: typeof message === 'string' ? message : JSON.stringify(message) }); return this; },
    ask(path, data) { this.send({ path, id: ++id, data }); return id; },
    close(code) { hub.receive({ tab: name, do: 'close', code }); },
    die() { pages.get(`finch-page:page of ${name}`)(); },
    get heard() { return (said[name] ?? []).filter((s) => s.saw === 'message').map((s) => (typeof s.data === 'string' ? JSON.parse(s.data) : s.data)); },
    get saw() { return (said[name] ?? []).filter((s) => s.saw !== 'shared').map((s) => s.saw); },
    get tabs() { return (said[name] ?? []).filter((s) => s.saw === 'shared').map((s) => s.tabs); },
    get closed() { return said[name]?.find((s) => s.saw === 'close')?.close; },
    last(path) { return this.heard.findLast((m) => m.path === path); },
    clear() { said[name] = []; },
  });
  return { WebSocket, hub, tab };
}

// greeted opens tabs whose hellos are answered, the first by the server.
function greeted(setup, ...names) {
  const tabs = names.map((name) => setup.tab(name).open());
  setup.WebSocket.last.accept();
  for (const tab of tabs) tab.ask('finch.hello', { version: 1, rooms: {} });
  setup.WebSocket.last.answer('finch.hello', GREETING);
  return tabs;
}

// join lets a tab into a room, the server answering.
function join(socket, tab, room, position = 'e.5.a') {
  tab.ask('finch.join', { room });
  socket.answer('finch.join', { room, position });
}

const post = (socket, n, more = {}) => socket.say({ path: 'post', room: 'r', position: `e.${n}.a`, data: n, ...more });
const posts = (tab) => tab.heard.filter((m) => m.path === 'post').map((m) => m.data);

test('one socket is dialled for all tabs, and one hello is said', () => {
  const setup = setUp();
  const [a, b] = greeted(setup, 'a', 'b');
  const socket = setup.WebSocket.last;
  assert.equal(setup.WebSocket.dialled.length, 1);
  assert.deepEqual(socket.sent.map((m) => m.path), ['finch.hello']);
  for (const tab of [a, b]) {
    assert.deepEqual(tab.saw.slice(0, 2), ['heard', 'open']);
    assert.equal(tab.last('finch.hello').data.client, 'socket');
  }
  const late = setup.tab('late').open();
  assert.deepEqual(late.saw, ['heard', 'open']);
  late.ask('finch.hello', { version: 1 });
  assert.equal(late.last('finch.hello').data.resumed, false);
  assert.equal(socket.sent.length, 1);
});

test('each tab is told how many there are', () => {
  const setup = setUp();
  const [a, b] = greeted(setup, 'a', 'b');
  const late = setup.tab('late').open().open(); // once more does not count twice
  assert.deepEqual(late.tabs, [3]);
  b.close(1000);
  for (const tab of [a, late]) assert.deepEqual(tab.tabs.slice(-2), [3, 2]);
  setup.WebSocket.last.drop(1006);
  a.clear();
  setup.tab('a').open();
  assert.deepEqual(a.tabs, [1], 'whoever lost the connection counts when it is back');
});

test('answers find the tab that asked, with its own id', () => {
  const setup = setUp();
  const [a, b] = greeted(setup, 'a', 'b');
  const socket = setup.WebSocket.last;
  a.send({ path: 'double', id: 'x', data: 1 });
  b.send({ path: 'double', id: 'x', data: 2 });
  const [first, second] = socket.sent.slice(-2);
  assert.notEqual(first.id, second.id);
  socket.answer(second, 4);
  socket.answer(first, 2);
  socket.answer(first, 'twice');
  assert.deepEqual([a.last('double').reply, a.last('double').data, b.last('double').data], ['x', 2, 4]);
});

test('bytes travel as they are', () => {
  const setup = setUp();
  const [a] = greeted(setup, 'a');
  const socket = setup.WebSocket.last;
  const head = new TextEncoder().encode('{"path":"photo","id":9}');
  const frame = new Uint8Array([0, 0, 0, head.length, ...head, 1, 2]);
  setup.hub.receive({ tab: 'a', do: 'send', frame });
  assert.deepEqual(socket.asked('photo').data, new Uint8Array([1, 2]));
  socket.bytes({ path: 'photo', status: 200, reply: socket.asked('photo').id }, new Uint8Array([3]));
  const answer = new Uint8Array(a.heard.at(-1));
  assert.deepEqual(answer.slice(-1), new Uint8Array([3]));
  assert.match(new TextDecoder().decode(answer), /"reply":9/);
});

test('a room is joined once for each tab, and left with the last', () => {
  const setup = setUp();
  const [a, b, c] = greeted(setup, 'a', 'b', 'c');
  const socket = setup.WebSocket.last;
  join(socket, a, 'r');
  post(socket, 6);
  join(socket, b, 'r', 'e.6.a');
  post(socket, 7);
  assert.deepEqual([posts(a), posts(b), posts(c)], [[6, 7], [7], []]);
  const left = a.ask('finch.leave', { room: 'r' });
  assert.deepEqual([a.last('finch.leave').reply, a.last('finch.leave').data], [left, null]);
  assert.ok(!socket.sent.some((m) => m.path === 'finch.leave'));
  post(socket, 8);
  assert.deepEqual([posts(a), posts(b)], [[6, 7], [7, 8]]);
  b.die();
  return settle().then(() => assert.deepEqual(socket.asked('finch.leave').data, { room: 'r' }));
});

test('a refused join puts nobody into the room', () => {
  const setup = setUp();
  const [a, b] = greeted(setup, 'a', 'b');
  const socket = setup.WebSocket.last;
  join(socket, b, 'r');
  a.ask('finch.join', { room: 'r' });
  socket.refuse('finch.join', 403, 'forbidden');
  assert.equal(a.last('finch.join').error.code, 'forbidden');
  post(socket, 6);
  assert.deepEqual(posts(a), []);
});

test('after a loss all tabs are told when to come back, and each goes on from its own place', async () => {
  const setup = setUp();
  const [a, b] = greeted(setup, 'a', 'b');
  setup.WebSocket.last.drop(1006);
  assert.deepEqual([a.closed, b.closed], [{ code: 1006, reason: '', delay: 2500 }, { code: 1006, reason: '', delay: 2500 }]);
  a.clear();
  b.clear();
  a.open();
  b.open();
  const socket = setup.WebSocket.last;
  assert.equal(setup.WebSocket.dialled.length, 2);
  socket.accept();
  a.ask('finch.hello', { version: 1, ticket: 'old', rooms: { r: 'e.5.a' } });
  b.ask('finch.hello', { version: 1, ticket: 'older', rooms: { r: 'e.4.a', s: '' } });
  assert.deepEqual(numbered(socket.sent[0].data), { version: 1, ticket: 'ticket', rooms: { r: 'e.5.a' } }, 'with the newest ticket that any tab has seen');
  socket.answer('finch.hello', { ...GREETING, resumed: true });
  assert.equal(b.last('finch.hello').data.resumed, true);
  const [forR, forS] = socket.sent.slice(1);
  assert.deepEqual([forR.data, forS.data], [{ room: 'r', position: 'e.4.a' }, { room: 's' }]);
  // What the server says to the hello of the first is not for the second, which stands elsewhere.
  socket.say({ path: 'finch.joined', data: { room: 'r', position: 'e.5.a', recovered: true, missed: 1 } });
  post(socket, 6);
  assert.deepEqual([posts(a), posts(b)], [[6], []]);
  socket.answer(forR, { room: 'r', position: 'e.4.a', recovered: true, missed: 2 });
  for (const n of [5, 6]) post(socket, n);
  assert.deepEqual(b.heard.map((m) => m.path).slice(1), ['finch.joined', 'post', 'post']);
  assert.deepEqual(posts(b), [5, 6]);
  socket.answer(forS, { room: 's', position: 'e.1.a' });
  assert.deepEqual(b.last('finch.joined').data, { room: 's', position: 'e.1.a' });
});

test('a hello that cannot be honoured ends in resets and refusals of its own tab', () => {
  const setup = setUp();
  const [a] = greeted(setup, 'a');
  const socket = setup.WebSocket.last;
  const late = setup.tab('late').open();
  late.ask('finch.hello', { version: 1, ticket: 'stolen', rooms: { r: 'e.1.a', secret: '' }, user: 'u.1.a' });
  assert.deepEqual([late.last('finch.hello').data.resumed, late.last('finch.hello').data.reason], [false, 'bad_ticket']);
  const [forR, forSecret] = socket.sent.slice(1);
  socket.answer(forR, { room: 'r', position: 'e.90.a', recovered: false, reason: 'trimmed' });
  socket.refuse(forSecret, 403, 'forbidden');
  assert.deepEqual(late.heard.filter((m) => m.path === 'finch.reset').map((m) => m.data.reason), ['no_position', 'trimmed']);
  assert.equal(late.last('finch.left').data.error.code, 'forbidden');
  assert.deepEqual(a.heard.map((m) => m.path), ['finch.hello']);
});

test('a hello that the server refuses goes to its tab, and the next tab tries', () => {
  const setup = setUp();
  const [a, b] = ['a', 'b'].map((name) => setup.tab(name).open());
  const socket = setup.WebSocket.last;
  socket.accept();
  a.ask('finch.hello', { version: 1, rooms: { r: 'nonsense' } });
  b.ask('finch.hello', { version: 1, rooms: {} });
  socket.refuse('finch.hello', 400, 'bad_position');
  assert.equal(a.last('finch.hello').error.code, 'bad_position');
  assert.equal(socket.sent.length, 2);
  socket.answer('finch.hello', GREETING);
  assert.equal(b.last('finch.hello').data.client, 'socket');
  a.ask('finch.hello', { version: 1, rooms: {} });
  assert.equal(a.last('finch.hello').data.client, 'socket');
});

test('rooms of the server are everybody’s, also of tabs that come later', () => {
  const setup = setUp();
  const [a, b] = greeted(setup, 'a', 'b');
  const socket = setup.WebSocket.last;
  socket.say({ path: 'finch.joined', data: { room: 'team', position: 'e.1.a', ticket: 'newer' } });
  socket.say({ path: 'post', room: 'team', position: 'e.2.a', data: 2 });
  for (const tab of [a, b]) assert.deepEqual(posts(tab), [2]);
  const late = setup.tab('late').open();
  late.ask('finch.hello', { version: 1, rooms: {} });
  assert.equal(late.last('finch.hello').data.ticket, 'newer');
  assert.deepEqual(socket.asked('finch.join').data, { room: 'team' });
  a.die();
  b.die();
  return settle().then(() => {
    assert.ok(!socket.sent.some((m) => m.path === 'finch.leave'), 'it was not ours to leave');
    socket.answer('finch.join', { room: 'team', position: 'e.2.a' });
    assert.equal(late.last('finch.joined').data.room, 'team');
    socket.say({ path: 'finch.left', data: { room: 'team' } });
    assert.equal(late.last('finch.left').data.room, 'team');
  });
});

test('presence is watched once, as long as one tab watches', () => {
  const setup = setUp();
  const [a, b] = greeted(setup, 'a', 'b');
  const socket = setup.WebSocket.last;
  for (const tab of [a, b]) {
    join(socket, tab, 'r');
    tab.ask('finch.presence', { room: 'r', watch: true });
    socket.answer('finch.presence', { members: [], count: 0 });
  }
  socket.say({ path: 'finch.presence', room: 'r', data: { left: ['x'], count: 0 } });
  for (const tab of [a, b]) assert.deepEqual(tab.last('finch.presence').data.left, ['x']);
  const before = socket.sent.length;
  a.ask('finch.presence', { room: 'r', watch: false });
  assert.equal(socket.sent.length, before);
  assert.deepEqual(a.last('finch.presence').data, { members: [], count: 0 });
  b.ask('finch.presence', { room: 'r', watch: false });
  assert.equal(socket.sent.length, before + 1);
});

test('a publish without echo comes to the other tabs, and as a position to its own', () => {
  const setup = setUp();
  const [a, b] = greeted(setup, 'a', 'b');
  const socket = setup.WebSocket.last;
  for (const tab of [a, b]) join(socket, tab, 'r');
  a.ask('finch.publish', { room: 'r', path: 'post', data: 1, key: 'k', echo: false });
  assert.equal(socket.asked('finch.publish').data.echo, true);
  post(socket, 6, { key: 'k' });
  assert.deepEqual([posts(a), posts(b)], [[], [6]]);
  assert.deepEqual(a.last('finch.position').data, { room: 'r', position: 'e.6.a' });
});

test('a question is answered by the first tab that can, and by nobody else', async () => {
  const setup = setUp();
  const [a, b, c] = greeted(setup, 'a', 'b', 'c');
  const socket = setup.WebSocket.last;
  const no = (path, reply) => ({ path, reply, status: 404, error: { code: 'unknown_path', message: '' } });
  socket.say({ path: 'where', id: 1 });
  for (const tab of [a, b, c]) assert.equal(tab.last('where').id, 1);
  a.send(no('where', 1));
  b.send({ path: 'where', reply: 1, data: 'b' });
  c.send({ path: 'where', reply: 1, data: 'c' });
  assert.deepEqual(socket.sent.filter((m) => m.reply === 1).map((m) => m.data), ['b']);
  socket.say({ path: 'nobody', id: 2 });
  for (const tab of [a, b]) tab.send(no('nobody', 2));
  c.die();
  await settle();
  assert.deepEqual(socket.sent.filter((m) => m.reply === 2).map((m) => m.error.code), ['unknown_path']);
});

test('what is for the user goes to all, and is recovered by whoever stands where the hub does', () => {
  const setup = setUp();
  const [a, b] = greeted(setup, 'a', 'b');
  let socket = setup.WebSocket.last;
  socket.say({ path: 'notice', to: 'user', position: 'u.1.a', data: 1 });
  for (const tab of [a, b]) assert.equal(tab.last('notice').data, 1);
  socket.drop();
  for (const tab of [a, b]) tab.clear(), tab.open();
  socket = setup.WebSocket.last;
  socket.accept();
  for (const tab of [a, b]) tab.ask('finch.hello', { version: 1, ticket: 't', rooms: {}, user: 'u.1.a' });
  socket.answer('finch.hello', { ...GREETING, resumed: true });
  assert.deepEqual(b.last('finch.joined').data, { to: 'user', position: 'u.1.a', recovered: true, missed: 0 });
  socket.say({ path: 'finch.joined', data: { to: 'user', position: 'u.1.a', recovered: true, missed: 1 } });
  assert.equal(a.last('finch.joined').data.missed, 1);
  assert.equal(b.last('finch.joined').data.missed, 0, 'it has its own word');
  socket.say({ path: 'notice', to: 'user', position: 'u.2.a', data: 2 });
  for (const tab of [a, b]) assert.equal(tab.last('notice').data, 2);
});

test('a tab that trusts the connection no more ends it for all', () => {
  const setup = setUp();
  const [a, b] = greeted(setup, 'a', 'b');
  const socket = setup.WebSocket.last;
  a.close();
  assert.equal(socket.closedWith.code, undefined, 'not 1000: the session goes on');
  assert.equal(b.closed.code, 1006);
});

test('a tab that says goodbye leaves the others alone; the last one ends the session', () => {
  const setup = setUp();
  const [a, b] = greeted(setup, 'a', 'b');
  const socket = setup.WebSocket.last;
  a.close(1000);
  assert.equal(socket.closedWith, undefined);
  assert.equal(b.closed, undefined);
  b.close(1000);
  assert.equal(socket.closedWith.code, 1000);
});

test('codes that end it end it for all, and those of the token too', () => {
  for (const code of [1000, 1008, 4403, 4409, 4401, 4000]) {
    const setup = setUp();
    const [a] = greeted(setup, 'a');
    setup.WebSocket.last.drop(code, 'because');
    assert.deepEqual(a.closed, { code, reason: 'because' });
  }
});

test('the bound of the wait doubles, and begins anew with a connection that held', async () => {
  const setup = setUp();
  const a = setup.tab('a');
  const delays = [];
  for (let i = 0; i < 5; i++) {
    a.clear();
    a.open();
    if (i === 3) {
      setup.WebSocket.last.accept();
      await move(10_000);
    }
    setup.WebSocket.last.drop();
    delays.push(a.closed.delay);
  }
  assert.deepEqual(delays, [2500, 5000, 10_000, 2500, 5000]);
});

test('nonsense hurts nobody', () => {
  const setup = setUp();
  const [a] = greeted(setup, 'a');
  const socket = setup.WebSocket.last;
  setup.hub.receive({ tab: 'stranger', do: 'send', frame: 'x' });
  setup.hub.receive({ tab: 'stranger', do: 'close' });
  a.send('[1]');
  assert.equal(socket.frames.at(-1), '[1]', 'the server may know what that is');
  for (const raw of ['سلام', '[1]', '{"path":5}', new ArrayBuffer(2)]) socket.raw(raw);
  for (const path of ['joined', 'reset', 'left', 'position', 'lagged', 'presence', 'hello']) for (const data of [null, 5, {}, { room: 5 }, { to: 'nobody' }]) socket.say({ path: `finch.${path}`, data });
  socket.say({ path: 'x', reply: 99 });
  a.ask('finch.join', null);
  a.ask('finch.publish', 5);
  a.send({ path: 'x', reply: 3 });
  a.ask('finch.hello', null);
  assert.equal(a.closed, undefined);
});

test('a class of WebSockets that throws is a loss like others', () => {
  chance(0.5);
  const said = [];
  const hub = new Hub((what) => said.push(what), class { constructor() { throw new Error('forbidden'); } });
  hub.receive({ tab: 'a', do: 'open', page: 'p', url: 'ws://finch.test/ws', protocols: [] });
  assert.deepEqual(said.at(-1), { to: 'a', saw: 'close', close: { code: 1006, reason: 'Error: forbidden', delay: 2500 } });
});
