// The golden messages of the wire: what the server sends is understood, and what
// the client sends has their form.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { settle } from './clock.mjs';
import { sockets } from './server.mjs';
import { connect, FinchError } from '../lib/index.js';

const folder = new URL('../../../protocol/testdata/golden/', import.meta.url);
const read = (name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8'));
const index = read('index.json').map((entry) => entry.name ?? entry);

async function open(more = {}) {
  const WebSocket = sockets();
  const errors = [];
  const client = connect('ws://finch.test/ws', { WebSocket, onError: (error) => errors.push(error), ...more });
  return { client, errors, socket: await WebSocket.last.greet() };
}

test('every golden message is read', () => {
  const files = readdirSync(folder).filter((f) => f.endsWith('.json') && f !== 'index.json').map((f) => f.slice(0, -5));
  assert.deepEqual(files.sort(), [...index].sort());
  assert.ok(index.length > 50);
});

const frameOf = ({ form, wire, hex }) => (form === 'binary' ? new Uint8Array(Buffer.from(hex, 'hex')).buffer : wire);

test('good messages of the server are understood', async () => {
  let n = 0;
  for (const golden of index.map((name) => read(`${name}.json`))) {
    if (golden.result !== 'envelope' || golden.direction === 'client to server') continue;
    n++;
    const { client, socket, errors } = await open();
    const { envelope } = golden;
    const seen = [];
    client.on('', (data, message) => seen.push(message));
    client.answer(envelope.path ?? '', () => 'answered');
    const raw = frameOf(golden);
    const data = golden.form === 'binary' ? new Uint8Array(Buffer.from(golden.payload ?? '', 'hex')) : JSON.parse(golden.wire).data;
    if ('reply' in envelope) {
      // Our ids are numbers from 1; the golden message answers another one, which must hurt nobody.
      socket.raw(raw);
    } else {
      socket.raw(raw);
      await settle();
      if ('id' in envelope) assert.equal(socket.sent.at(-1).data, 'answered', golden.name);
      else {
        assert.equal(seen[0]?.path, envelope.path, golden.name);
        assert.deepEqual(seen[0].data, data, golden.name);
        for (const field of ['status', 'timestamp', 'room', 'client', 'language']) assert.deepEqual(seen[0][field], envelope[field], `${golden.name}: ${field}`);
      }
    }
    assert.deepEqual(errors.filter((e) => e.code === 'bad_envelope'), [], golden.name);
    client.close();
  }
  assert.ok(n > 10, `${n}`);
});

test('bare texts and bad messages end nothing', async () => {
  const texts = [];
  const { client, socket } = await open({ onText: (text) => texts.push(text) });
  for (const golden of index.map((name) => read(`${name}.json`))) if (golden.result !== 'envelope') socket.raw(frameOf(golden));
  assert.ok(texts.includes(read('bare-text.json').wire));
  assert.equal(client.state.phase, 'open');
});

test('binary messages have exactly the golden bytes', async () => {
  const { client, socket } = await open();
  const golden = read('binary.json');
  client.send(golden.envelope.path, new Uint8Array(Buffer.from(golden.payload, 'hex')));
  const bytes = Buffer.from(socket.frames.at(-1)).toString('hex');
  if (Object.keys(golden.envelope).length === 1) assert.equal(bytes, golden.hex);
  else assert.ok(bytes.endsWith(golden.payload));
});

test('a refusal has the golden form', async () => {
  const { client, socket } = await open();
  client.answer('where', () => {
    throw new FinchError('no_map', '…', 404);
  });
  socket.say({ path: 'where', id: 1 });
  await settle();
  assert.deepEqual(socket.sent.at(-1), { path: 'where', reply: 1, status: 404, error: { code: 'no_map', message: '…' } });
});
