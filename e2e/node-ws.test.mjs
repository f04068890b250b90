// The demo as Node's ws and as a bare TCP socket see it.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { base, until, wsBase } from './demo.mjs';
import { dial, frame, upgrade } from './bare.mjs';

// Client is a socket of ws that keeps what it gets.
class Client {
  static async open(path, protocols, options) {
    const client = new Client();
    client.ws = new WebSocket(wsBase + path, protocols, options);
    client.got = [];
    client.ws.on('message', (data, binary) => client.got.push(binary ? data : data.toString()));
    client.closed = once(client.ws, 'close').then(([code, reason]) => ({ code, reason: reason.toString() }));
    await once(client.ws, 'open');
    return client;
  }

  send(message) {
    this.ws.send(typeof message === 'object' && !Buffer.isBuffer(message) ? JSON.stringify(message) : message);
  }

  // text waits for the first frame that the test accepts, and takes it out.
  async text(accepts, within) {
    return until('a frame', () => {
      const i = this.got.findIndex(accepts);
      return i >= 0 && this.got.splice(i, 1)[0];
    }, within);
  }

  // envelope waits for an envelope with these fields.
  async envelope(fields) {
    const wanted = (text) => {
      if (typeof text !== 'string' || !text.startsWith('{')) return false;
      const envelope = JSON.parse(text);
      return Object.entries(fields).every(([name, value]) => envelope[name] === value);
    };
    return JSON.parse(await this.text(wanted));
  }

  async close(code = 1000) {
    this.ws.close(code);
    return this.closed;
  }
}

test('bare text is answered, in every size that is a length of its own on the wire', async () => {
  for (const path of ['/ws', '/echo']) {
    const client = await Client.open(path);
    for (const size of [0, 1, 125, 126, 127, 65535 - 100, 60000]) {
      const text = 'س'.repeat(size / 2) + 'x'.repeat(size % 2);
      if (path === '/ws' && text === '') continue; // no envelope, and nothing to echo either
      client.send(text);
      await client.text((got) => got === 'اکو: ' + text);
    }
    assert.equal((await client.close()).code, 1000);
  }
});

test('a hundred texts come back in their order', async () => {
  const client = await Client.open('/echo');
  const texts = Array.from({ length: 100 }, (_, i) => `سلام ${i} 🐦`);
  for (const text of texts) client.send(text);
  await until('all answers', () => client.got.length === texts.length);
  assert.deepEqual(client.got, texts.map((text) => 'اکو: ' + text));
  await client.close();
});

test('a message in fragments is one message', async () => {
  const client = await Client.open('/echo');
  const bytes = Buffer.from('سلام سرور!');
  for (let i = 0; i < bytes.length; i++) client.ws.send(bytes.subarray(i, i + 1), { binary: false, fin: i === bytes.length - 1 });
  await client.text((got) => got === 'اکو: سلام سرور!');
  await client.close();
});

test('a ping is answered with its own bytes', async () => {
  for (const path of ['/ws', '/echo']) {
    const client = await Client.open(path);
    const payload = randomBytes(125);
    const pong = once(client.ws, 'pong');
    client.ws.ping(payload);
    assert.deepEqual((await pong)[0], payload);
    await client.close();
  }
});

test('close codes come back, and the server closes with 1000 when asked', async () => {
  for (const code of [1000, 1001, 3000, 4999]) {
    const client = await Client.open('/ws');
    assert.equal((await client.close(code)).code, code);
  }
  const client = await Client.open('/ws');
  client.send({ path: 'close' });
  assert.equal((await client.closed).code, 1000);
});

test('a message with an id gets one answer, and one that is unknown gets 404', async () => {
  const client = await Client.open('/ws');
  client.send({ path: 'nowhere', id: 7 });
  assert.equal((await client.envelope({ path: 'nowhere', reply: 7 })).status, 404);
  client.send({ path: 'nowhere' });
  const refusal = await client.envelope({ path: 'finch.error' });
  assert.equal(refusal.status, 404);
  assert.equal(refusal.data.path, 'nowhere');
  client.send({ path: 'toclient', data: { id: 'nobody', message: 'x' }, id: 'b' });
  const answer = await client.envelope({ reply: 'b' });
  assert.deepEqual([answer.status, answer.error.code], [404, 'no_such_client']);
  await client.close();
});

test('the newcomer is greeted, and everyone hears of them', async () => {
  const first = await Client.open('/ws');
  const second = await Client.open('/ws?user=sara');
  const greeting = await second.envelope({ path: 'connected' });
  assert.equal(greeting.data.user, 'sara');
  assert.equal(typeof greeting.data.client, 'string');
  assert.ok(greeting.data.clients >= 2);
  assert.ok(Math.abs(greeting.timestamp - Date.now()) < 60000);
  await first.text((text) => JSON.parse(text).data === `کاربر جدید متصل شد! تعداد: ${greeting.data.clients}`);
  await first.close();
  await second.close();
});

test('the headers of the handshake come back on test', async () => {
  const client = await Client.open('/ws', [], { headers: { 'X-Bird': 'finch' } });
  client.send({ path: 'test' });
  const { data } = await client.envelope({ path: 'test' });
  assert.deepEqual(data[0]['X-Bird'], ['finch']);
  await client.close();
});

test('a broken envelope is refused, and the socket lives', async () => {
  const client = await Client.open('/ws');
  for (const [text, code] of [['{"data":1}', 'no_path'], ['{"path":5}', 'bad_path'], ['{"path":"x","id":{}}', 'bad_id'], ['{"path":"finch.none"}', undefined]]) {
    client.send(text);
    const refusal = await client.envelope({ path: 'finch.error' });
    assert.ok(refusal.status >= 400 && refusal.status < 500, text);
    if (code) assert.equal(refusal.error.code, code, text);
  }
  client.send(Buffer.from([0xff, 1, 2])); // a binary frame that is no envelope
  assert.equal((await client.envelope({ path: 'finch.error' })).error.code, 'bad_binary');
  client.send('still here');
  await client.text((got) => got === 'اکو: still here');
  await client.close();
});

test('bytes travel in a binary frame, both ways', async () => {
  const client = await Client.open('/ws');
  const head = Buffer.from('{"path":"stream"}');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(head.length);
  const bytes = randomBytes(5000);
  client.send(Buffer.concat([length, head, bytes]));
  const got = await client.text((frame) => Buffer.isBuffer(frame));
  const size = got.readUInt32BE();
  assert.equal(JSON.parse(got.subarray(4, 4 + size)).path, 'streamServer');
  assert.deepEqual(got.subarray(4 + size), bytes);
  await client.close();
});

test('a message over the limit closes with 1009', async () => {
  for (const path of ['/ws', '/echo']) {
    const client = await Client.open(path);
    client.ws.on('error', () => {}); // the rest of the message may meet a closed socket
    client.send('x'.repeat(65 * 1024));
    assert.equal((await client.closed).code, 1009);
  }
});

test('compression is not agreed to, and finch.v1.json is', async () => {
  const client = await Client.open('/ws', ['other', 'finch.v1.json'], { perMessageDeflate: true });
  assert.equal(client.ws.extensions, '');
  assert.equal(client.ws.protocol, 'finch.v1.json');
  await client.close();
  const plain = await Client.open('/ws', []);
  assert.equal(plain.ws.protocol, '');
  await plain.close();
});

test('a foreign Origin is refused, and a loopback one on another port is not', async () => {
  const foreign = new WebSocket(`${wsBase}/ws`, { origin: 'https://evil.example' });
  const [, response] = await once(foreign, 'unexpected-response');
  assert.equal(response.statusCode, 403);
  response.destroy();
  const near = await Client.open('/ws', [], { origin: 'http://localhost:5173' });
  await near.close();
});

test('a handshake that is none is refused with the right status', async () => {
  assert.equal((await fetch(`${base}/ws`)).status, 426);
  const cases = [
    ['an old version', { 'Sec-WebSocket-Version': '8' }, 426],
    ['a key that is not 16 bytes', { 'Sec-WebSocket-Key': 'c2hvcnQ=' }, 400],
    ['no key', { 'Sec-WebSocket-Key': undefined }, 400],
  ];
  for (const [what, headers, status] of cases) {
    const { answer } = await dial(base, '/ws', headers);
    assert.equal(answer.status, status, what);
    if (status === 426) assert.equal(answer.headers['sec-websocket-version'], '13', what);
  }
});

test('broken frames close with the code of the RFC', async () => {
  const text = (bytes) => ({ opcode: 1, payload: Buffer.from(bytes) });
  const cases = [
    ['an unmasked frame (5.1)', [{ ...text('x'), masked: false }], 1002],
    ['a reserved opcode (5.2)', [{ opcode: 3 }], 1002],
    ['a reserved control opcode (5.2)', [{ opcode: 11 }], 1002],
    ['RSV1 without an extension (5.2)', [{ ...text('x'), rsv: 4 }], 1002],
    ['RSV3 (5.2)', [{ ...text('x'), rsv: 1 }], 1002],
    ['a ping of 126 bytes (5.5)', [{ opcode: 9, payload: Buffer.alloc(126) }], 1002],
    ['a fragmented ping (5.4)', [{ opcode: 9, fin: false }], 1002],
    ['a continuation of nothing (5.4)', [{ opcode: 0, payload: Buffer.from('x') }], 1002],
    ['a new message within a fragmented one (5.4)', [{ ...text('x'), fin: false }, text('y')], 1002],
    ['text that is not UTF-8 (8.1)', [text([0xc3, 0x28])], 1007],
    ['a surrogate (8.1)', [text([0xed, 0xa0, 0x80])], 1007],
    ['a message that ends inside a rune (8.1)', [{ ...text([0xd8]), fin: false }, { opcode: 0 }], 1007],
    ['a close of one byte (5.5.1)', [{ opcode: 8, payload: Buffer.from([3]) }], 1002],
    ['a close code that must not travel (7.4.1)', [{ opcode: 8, payload: Buffer.from([0x03, 0xed]) }], 1002],
    ['a close reason that is not UTF-8 (5.5.1)', [{ opcode: 8, payload: Buffer.from([0x03, 0xe8, 0xff]) }], 1007],
    ['a header that promises a gigabyte', [{ opcode: 1, length: 1 << 30 }], 1009],
  ];
  for (const path of ['/ws', '/echo']) {
    for (const [what, frames, code] of cases) {
      const socket = await upgrade(base, path);
      for (const f of frames) socket.write(frame(f));
      assert.equal(await socket.closeCode(), code, `${path}: ${what}`);
    }
  }
});

test('text that is not UTF-8 fails before its frame is whole', async () => {
  const socket = await upgrade(base, '/echo');
  socket.write(frame({ opcode: 1, payload: Buffer.from([0xff]), length: 1000 })); // 999 bytes never come
  assert.equal(await socket.closeCode(), 1007);
});

test('a client that vanishes is no longer counted', async () => {
  const watcher = await Client.open('/ws');
  const vanishing = await Client.open('/ws');
  const { data } = await vanishing.envelope({ path: 'connected' });
  vanishing.ws.terminate();
  await until('the count goes down', async () => {
    watcher.send({ path: 'clients', id: 1 });
    const { data: ids } = await watcher.envelope({ path: 'clients' });
    return !ids.includes(data.client);
  });
  await watcher.close();
});
