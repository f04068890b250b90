// Connecting, noticing the loss, connecting again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chance, move, now, settle, sleep, waiting } from './clock.mjs';
import { sockets } from './server.mjs';
import { connect } from '../lib/index.js';

function dial(options = {}) {
  const WebSocket = sockets();
  const errors = [];
  const states = [];
  const client = connect('ws://finch.test/ws', { WebSocket, onError: (error) => errors.push(error), ...options });
  client.onState((state) => states.push(state));
  return { client, WebSocket, errors, states };
}

// Each test draws as it likes; 0.5 unless it says otherwise.
const half = () => chance(0.5);

test('after the loss of a connection the wait is random from 0 to five seconds, and the bound doubles up to twenty', async () => {
  half();
  const { client, WebSocket, states } = dial();
  (await WebSocket.last.greet()).drop();
  const delays = [];
  for (let i = 0; i < 5; i++) {
    assert.equal(client.state.phase, 'waiting');
    delays.push(client.state.delay);
    const before = WebSocket.dialled.length;
    await move(client.state.delay - 1);
    assert.equal(WebSocket.dialled.length, before);
    await move(1);
    assert.equal(WebSocket.dialled.length, before + 1);
    WebSocket.last.drop();
  }
  assert.deepEqual(delays, [2500, 5000, 10_000, 10_000, 10_000]);
  assert.deepEqual(states.filter((s) => s.phase === 'waiting').map((s) => s.attempt), [0, 1, 2, 3, 4, 5]);
  chance(0);
  client.reconnect();
  WebSocket.last.drop();
  assert.equal(client.state.delay, 0, 'the jitter is full: from 0 on');
});

test('the bound begins anew once a connection has held ten seconds', async () => {
  half();
  const { client, WebSocket } = dial();
  WebSocket.last.drop();
  await move(20_000);
  (await WebSocket.last.greet()).drop();
  assert.equal(client.state.delay, 5000, 'one that broke at once is a failure more');
  await move(5000);
  const socket = await WebSocket.last.greet();
  await move(10_000);
  socket.drop();
  assert.equal(client.state.delay, 2500);
});

test('what a client does after a close follows from the code', async () => {
  half();
  const stops = [1000, 1002, 1003, 1007, 1008, 4403, 4409, 4401, 3000, 4000, 4999];
  const retries = [1001, 1006, 1009, 1011, 1012, 1013, 4408, 4429, 1005, 1014, 2999, 5000, 0];
  for (const code of [...stops, ...retries]) {
    const { client, WebSocket } = dial();
    (await WebSocket.last.greet()).drop(code, 'because');
    assert.equal(client.state.phase, stops.includes(code) ? 'closed' : 'waiting', `${code}`);
    assert.equal(client.state.reason.code, code);
    assert.equal(client.state.reason.text, 'because');
    await move(60_000);
    assert.equal(WebSocket.dialled.length > 1, !stops.includes(code), `${code}`);
    client.close();
  }
});

test('a server that goes away with a delay is obeyed, whichever comes first', async () => {
  half();
  for (const [closedAt, code] of [[undefined], [300, 1012], [300, 1006], [0, 1001]]) {
    const { client, WebSocket } = dial();
    const socket = await WebSocket.last.greet();
    const start = now();
    socket.say({ path: 'finch.drain', data: { delay: 1234 } });
    if (closedAt !== undefined) {
      await move(closedAt);
      socket.drop(code);
      assert.equal(client.state.delay, 1234 - closedAt);
    }
    await move(1233 - (now() - start));
    assert.equal(WebSocket.dialled.length, 1);
    await move(2);
    assert.equal(WebSocket.dialled.length, 2, `closed at ${closedAt}`);
    assert.equal(socket.state, 'closed');
    client.close();
  }
});

test('1012 without a delay is a retry with jitter, and a delay that makes no sense is none', async () => {
  half();
  for (const delay of [undefined, -1, 'soon', NaN, null, {}, [], 1e300]) {
    const { client, WebSocket } = dial();
    const socket = await WebSocket.last.greet();
    socket.say({ path: 'finch.drain', data: { delay } });
    socket.drop(1012);
    assert.equal(client.state.delay, 2500);
    client.close();
  }
});

test('nothing hastens the moment that a server gave, but a person', async () => {
  half();
  const wake = wakers();
  const { client, WebSocket } = dial();
  const socket = await WebSocket.last.greet();
  socket.say({ path: 'finch.drain', data: { delay: 5000 } });
  socket.drop(1012);
  wake.online();
  wake.visible();
  await move(4000);
  assert.equal(WebSocket.dialled.length, 1);
  client.reconnect();
  assert.equal(WebSocket.dialled.length, 2);
  client.close();
  wake.end();
});

// wakers makes the events of a page; clients that are connected later listen to them.
function wakers() {
  const target = new EventTarget();
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible', baseURI: 'https://finch.test/app/' });
  globalThis.addEventListener = target.addEventListener.bind(target);
  globalThis.document = document;
  return {
    online: () => target.dispatchEvent(new Event('online')),
    visible: () => document.dispatchEvent(new Event('visibilitychange')),
    hidden: () => {
      document.visibilityState = 'hidden';
      document.dispatchEvent(new Event('visibilitychange'));
      document.visibilityState = 'visible';
    },
    end: () => {
      delete globalThis.addEventListener;
      delete globalThis.document;
    },
  };
}

test('the network that comes back ends the wait within a second, and somebody who looks ends it at once', async () => {
  const wake = wakers();
  for (const [how, within] of [['online', 500], ['visible', 1]]) {
    half();
    const { client, WebSocket } = dial();
    (await WebSocket.last.greet()).drop();
    chance(0.5);
    wake.hidden();
    await move(100);
    wake[how]();
    await move(within - 1);
    assert.equal(WebSocket.dialled.length, 1, how);
    await move(2);
    assert.equal(WebSocket.dialled.length, 2, how);
    client.close();
    wake[how]();
    await move(60_000);
    assert.equal(WebSocket.dialled.length, 2, 'a closed client listens to nothing');
  }
  wake.end();
});

test('an address may be relative to the page', () => {
  const wake = wakers();
  const WebSocket = sockets();
  for (const [given, dialled] of [['/ws', 'wss://finch.test/ws'], ['ws', 'wss://finch.test/app/ws'], ['//other.test/ws', 'wss://other.test/ws']]) {
    connect(given, { WebSocket }).close();
    assert.equal(WebSocket.last.url, dialled);
  }
  wake.end();
});

test('silence is answered with a question, and a dead link is given up', async () => {
  half();
  const { client, WebSocket } = dial({ heartbeatTimeout: 4000 });
  const socket = await WebSocket.last.greet({ heartbeat: 25_000 });
  await move(20_000);
  socket.say({ path: 'line' }); // anything is a sign of life
  await move(24_000);
  assert.ok(!socket.sent.some((m) => m.path === 'finch.ping'));
  await move(1000);
  socket.answer('finch.ping');
  await move(25_000);
  assert.equal(socket.sent.filter((m) => m.path === 'finch.ping').length, 2);
  await move(3999);
  assert.equal(client.state.phase, 'open');
  await move(1);
  assert.equal(client.state.phase, 'waiting');
  assert.equal(client.state.reason.name, 'no heartbeat');
  assert.equal(socket.state, 'closed');
  socket.onclose?.({ code: 1006, reason: '' }); // what the dead socket still says counts no more
  assert.equal(client.state.reason.name, 'no heartbeat');
});

test('a heartbeat that makes no sense is replaced', async () => {
  half();
  for (const heartbeat of [0, -5, 'often', null, undefined, NaN]) {
    const { client, WebSocket } = dial();
    const socket = await WebSocket.last.greet({ heartbeat });
    await move(24_999);
    assert.ok(!socket.sent.some((m) => m.path === 'finch.ping'));
    await move(1);
    assert.ok(socket.sent.some((m) => m.path === 'finch.ping'), `${heartbeat}`);
    client.close();
  }
  const { client, WebSocket } = dial({ heartbeat: Infinity });
  const socket = await WebSocket.last.greet({ heartbeat: 1 });
  await move(1e6);
  assert.ok(!socket.sent.some((m) => m.path === 'finch.ping'));
  client.close();
});

test('a laptop that slept for a day finds out soon after it wakes, and a wall clock that jumps moves nothing', async () => {
  half();
  const wake = wakers();
  const { client, WebSocket } = dial();
  const socket = await WebSocket.last.greet();
  const asked = client.request('slow');
  asked.catch(() => {});
  for (const jump of [-86_400_000, 86_400_000]) {
    sleep(jump); // timers stand still, and so does performance.now
    await move(5000);
    assert.equal(client.state.phase, 'open');
  }
  wake.visible();
  await settle();
  assert.ok(socket.sent.some((m) => m.path === 'finch.ping'), 'it doubts the link');
  wake.visible();
  assert.equal(socket.sent.filter((m) => m.path === 'finch.ping').length, 1, 'once');
  await move(10_000);
  assert.equal(client.state.phase, 'waiting');
  await assert.rejects(asked);
  client.close();
  wake.end();
});

test('a server that never answers is left at the end of the time', async () => {
  half();
  for (const step of ['accept', 'hello']) {
    const { client, WebSocket } = dial({ connectTimeout: 3000 });
    if (step === 'hello') WebSocket.last.accept();
    await move(2999);
    assert.equal(client.state.phase, 'connecting');
    await move(1);
    assert.deepEqual(client.state.reason, { code: 1006, name: 'no answer', text: '' });
    assert.equal(WebSocket.last.state, 'closed');
    client.close();
  }
});

test('a server that closes at every step is tried again, and again', async () => {
  half();
  const before = waiting();
  const { client, WebSocket } = dial();
  for (let i = 0; i < 12; i++) {
    const socket = WebSocket.last;
    if (i % 3 > 0) socket.accept();
    if (i % 3 > 1) socket.answer('finch.hello', {});
    socket.drop([1006, 1011, 1013][i % 3]);
    await move(20_000);
  }
  assert.equal(WebSocket.dialled.length, 13);
  assert.equal(client.state.phase, 'connecting');
  client.close();
  assert.equal(waiting(), before, 'no timer is left');
});

test('a hello that is refused for a while is tried again; one that is refused for good ends it', async () => {
  half();
  for (const [status, code, phase] of [[503, 'unavailable', 'waiting'], [429, 'too_fast', 'waiting'], [400, 'bad_data', 'closed'], [404, 'unknown_path', 'closed']]) {
    const { client, WebSocket } = dial();
    WebSocket.last.accept();
    WebSocket.last.refuse('finch.hello', status, code, 'Because.');
    assert.equal(client.state.phase, phase, `${status}`);
    assert.equal(client.state.reason.text, 'Because.');
    client.close();
  }
});

test('a hello that is answered with nonsense is an answer', async () => {
  for (const data of [null, 5, 'x', [], { client: 7, limits: 5, heartbeat: {} }, { limits: { message_bytes: 'many' } }]) {
    const { client, WebSocket } = dial();
    WebSocket.last.accept();
    WebSocket.last.answer('finch.hello', data);
    assert.equal(client.state.phase, 'open', JSON.stringify(data));
    client.send('x', 'y'.repeat(1000));
    assert.equal(WebSocket.last.paths.length, 1);
    client.close();
  }
});

test('a class of WebSockets that throws is a failure like others', async () => {
  half();
  let times = 0;
  const { client } = dial({ WebSocket: class { constructor() { times++; throw new Error('forbidden by a policy'); } } });
  assert.equal(client.state.phase, 'waiting');
  assert.equal(client.state.reason.name, 'no socket');
  assert.match(client.state.reason.text, /policy/);
  await move(20_000);
  assert.ok(times > 1);
  client.close();
});

test('a device that is offline says so', async () => {
  const { navigator } = globalThis;
  Object.defineProperty(globalThis, 'navigator', { value: { onLine: false }, configurable: true });
  const { client, WebSocket } = dial();
  WebSocket.last.drop();
  assert.equal(client.state.reason.name, 'offline');
  client.close();
  Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true });
});

test('a connection that could not be opened shows why while the next is tried', async () => {
  half();
  const { client, WebSocket } = dial();
  WebSocket.last.drop(1013, 'full');
  await move(5000);
  assert.deepEqual(client.state, { phase: 'connecting', attempt: 2, reason: { code: 1013, name: 'try again', text: 'full' } });
  await WebSocket.last.greet();
  assert.equal(client.state.phase, 'open');
  client.close();
});
