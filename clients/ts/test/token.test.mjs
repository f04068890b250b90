// The token: at each connect, before it expires, and after 4401.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chance, move, settle, waiting } from './clock.mjs';
import { sockets } from './server.mjs';
import { connect } from '../lib/index.js';

function dial(token, options = {}) {
  const WebSocket = sockets();
  const errors = [];
  const client = connect('ws://finch.test/ws', { WebSocket, token, onError: (error) => errors.push(error), heartbeat: Infinity, ...options });
  return { client, WebSocket, errors };
}

const tokenOf = (socket) => {
  const [codec, token] = socket.protocols;
  assert.equal(codec, 'finch.v1.json');
  assert.match(token, /^finch\.token\.[A-Za-z0-9_-]*$/);
  return Buffer.from(token.slice('finch.token.'.length), 'base64url').toString();
};

test('the token function is called at each connect', async () => {
  chance(0.5);
  let n = 0;
  const { client, WebSocket } = dial(async () => `سارا?>${++n}`);
  await settle();
  assert.equal(tokenOf(WebSocket.last), 'سارا?>1');
  (await WebSocket.last.greet()).drop();
  await move(5000);
  assert.equal(tokenOf(WebSocket.last), 'سارا?>2');
  client.close();
});

test('no token is a connection without one', async () => {
  for (const token of [() => null, () => undefined, () => '', async () => null]) {
    const { client, WebSocket } = dial(token);
    await settle();
    assert.deepEqual(WebSocket.last.protocols, ['finch.v1.json']);
    client.close();
  }
});

test('a token function that fails, in whichever way, is tried again, and the page can say why', async () => {
  chance(0.5);
  const ways = [() => { throw new Error('broken'); }, () => Promise.reject(new Error('broken')), () => 5, () => ({ token: 5 }), () => new Promise(() => {})];
  for (const [i, token] of ways.entries()) {
    const { client, WebSocket, errors } = dial(token, { connectTimeout: 1000 });
    await move(1001);
    assert.equal(WebSocket.last, undefined);
    assert.equal(client.state.phase, 'waiting', `${i}`);
    assert.equal(client.state.reason.name, i < 4 ? 'token failed' : 'no answer');
    assert.equal(errors.length, i < 4 ? 1 : 0);
    client.close();
    assert.equal(waiting(), 0);
  }
});

test('a token that comes when its connection is no longer wanted opens none', async () => {
  let give;
  const { client, WebSocket } = dial(() => new Promise((resolve) => { give = resolve; }));
  await settle();
  client.close();
  give('late');
  await settle();
  assert.equal(WebSocket.last, undefined);
});

test('after 4401 a new token is tried once', async () => {
  chance(0.5);
  let n = 0;
  const { client, WebSocket } = dial(() => `t${++n}`);
  await settle();
  WebSocket.last.accept();
  WebSocket.last.drop(4401);
  assert.equal(client.state.phase, 'waiting');
  await move(1000);
  assert.equal(tokenOf(WebSocket.last), 't2');
  WebSocket.last.accept();
  WebSocket.last.drop(4401);
  assert.equal(client.state.phase, 'closed');
  assert.equal(client.state.reason.name, 'unauthorized');

  client.reconnect(); // a person signed in again
  await settle();
  const socket = await WebSocket.last.greet();
  socket.drop(4401);
  await move(1000);
  assert.equal(tokenOf(WebSocket.last), 't4', 'a connection that was open has proved its token');
  client.close();
});

test('without a token function 4401 ends it', async () => {
  const { client, WebSocket } = dial(undefined);
  WebSocket.last.accept();
  WebSocket.last.drop(4401);
  assert.equal(client.state.phase, 'closed');
});

test('a token is renewed before it expires', async () => {
  chance(0);
  let n = 0;
  const { client, WebSocket } = dial(() => ({ token: `t${++n}`, expiresIn: 600_000 }));
  await settle();
  const socket = await WebSocket.last.greet();
  await move(539_000);
  assert.equal(n, 1);
  await move(2000);
  assert.deepEqual(socket.asked('finch.auth').data, { token: 't2' });
  socket.answer('finch.auth');
  await move(541_000);
  assert.deepEqual(socket.asked('finch.auth').data, { token: 't3' });
  assert.equal(client.state.phase, 'open');
  client.close();
});

test('clients that connected together do not renew together', async () => {
  const at = [];
  for (const draw of [0, 0.999]) {
    chance(draw);
    const { client, WebSocket } = dial(() => ({ token: 't', expiresIn: 600_000 }));
    await settle();
    const socket = await WebSocket.last.greet();
    for (let i = 0; !socket.sent.some((m) => m.path === 'finch.auth'); i++) await move(1000), at[draw ? 1 : 0] = i;
    client.close();
  }
  assert.ok(at[0] - at[1] > 50, `${at}`);
});

test('a renewal that fails is tried again, and one for another user connects anew', async () => {
  chance(0);
  let n = 0;
  const { client, WebSocket, errors } = dial(() => {
    if (++n === 2) throw new Error('broken');
    return { token: `t${n}`, expiresIn: 600_000 };
  });
  await settle();
  const socket = await WebSocket.last.greet();
  await move(541_000);
  assert.equal(errors.length, 1);
  await move(10_000);
  assert.deepEqual(socket.asked('finch.auth').data, { token: 't3' });
  socket.refuse('finch.auth', 401, 'expired');
  assert.equal(errors.length, 2);
  await move(10_000);
  socket.refuse('finch.auth', 403, 'other_user');
  await move(1);
  assert.equal(socket.state, 'closed');
  assert.equal(tokenOf(WebSocket.last), 't5');
  client.close();
});

test('a server that takes no tokens is not asked again', async () => {
  chance(0);
  let n = 0;
  const { client, WebSocket, errors } = dial(() => ({ token: `t${++n}`, expiresIn: 600_000 }));
  await settle();
  const socket = await WebSocket.last.greet();
  await move(541_000);
  socket.refuse('finch.auth', 422, 'no_tokens');
  await move(60_000);
  assert.equal(n, 2);
  assert.equal(errors.length, 1);
  client.close();
});

test('an expiry that lies beyond what a timer can hold does not renew at once', async () => {
  let n = 0;
  const { client, WebSocket } = dial(() => ({ token: `t${++n}`, expiresIn: 365 * 86_400_000 }));
  await settle();
  await WebSocket.last.greet();
  await move(60_000);
  assert.equal(n, 1);
  client.close();
});
