// The hooks of React, in strict mode, in Chromium.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { bundle } from '../../build.mjs';
import { launch, open, skip, until } from './chromium.mjs';
import { serve } from './finch.mjs';

const PROGRAM = `
  import { createElement as h, StrictMode, useState, useEffect } from 'react';
  import { createRoot } from 'react-dom/client';
  import { connect } from './lib/rooms.js';
  import { usePresence, useRoom, useSocket } from './lib/react.js';

  const client = connect('/ws?user=ann', { retryFirst: 200, retryMax: 400 });
  window.client = client;
  window.renders = 0;

  function Status() {
    const [notices, setNotices] = useState([]);
    const state = useSocket(client, { notice: (text) => setNotices([...notices, text]) }); // a closure of this render
    return h('p', { id: 'status' }, state.phase + ' ' + notices.join());
  }

  function Here({ room }) {
    const { members, ready } = usePresence(room);
    return h('p', { id: 'here' }, ready ? members.map((m) => m.id).join() : 'unknown');
  }

  function Chat({ name, id = 'chat' }) {
    const [lines, setLines] = useState([]);
    const handlers = { post: (text) => setLines((lines) => [...lines, text]), 'finch.reset': ({ reason }) => setLines(['reset ' + reason]) };
    const { room, state, pending } = useRoom(client, name, handlers);
    useEffect(() => { window.renders++; });
    return h('div', { id },
      h('p', { className: 'state' }, name + ' ' + state.phase + (state.error ? ' ' + state.error.code : '')),
      h('p', { className: 'lines' }, lines.join()),
      h('p', { className: 'pending' }, pending.map((p) => p.data).join()),
      h(Here, { room }));
  }

  function App() {
    const [shown, show] = useState({ rooms: ['x'] });
    window.show = show;
    return h('div', null, h(Status), shown.rooms.map((name, i) => h(Chat, { key: shown.keys?.[i] ?? i, name, id: 'chat' + i })));
  }

  createRoot(document.getElementById('app')).render(h(StrictMode, null, h(App)));
`;

let browser, server, context, page;
before(async () => { if (!skip) browser = await launch(); });
after(() => browser?.close());
beforeEach(async () => {
  if (skip) return;
  server = await serve();
  server.files.set('/program.js', await bundle(PROGRAM, { minify: false, define: { 'process.env.NODE_ENV': '"development"' } }));
  server.files.set('/react', '<!doctype html><title>Finch</title><div id=app></div><script type=module src=/program.js></script>');
  context = await browser.newContext();
  page = await open(context, server, '/react');
});
afterEach(async () => {
  await context?.close();
  server?.close();
});

const inChromium = (name, fn) => test(name, { skip }, fn);
const text = (selector) => page.locator(selector).textContent();
const shows = (selector, wanted) => until(`${selector} shows ${wanted}`, async () => (await text(selector)) === wanted);
const asked = (path) => server.heard.filter((m) => m.path === path && (path !== 'finch.presence' || m.data.watch !== undefined)).map((m) => m.data.watch ?? m.data.room);

inChromium('a component in strict mode joins once, watches once, and shows what comes', async () => {
  await shows('#status', 'open ');
  await shows('#chat0 .state', 'x joined');
  await shows('#here', 'ann');
  server.record('x', { data: 1 });
  server.record('x', { data: 2 });
  await shows('#chat0 .lines', '1,2');
  const joins = server.heard.filter((m) => m.path === 'finch.join' || (m.path === 'finch.hello' && 'x' in m.data.rooms));
  assert.equal(joins.length, 1);
  assert.deepEqual(asked('finch.leave'), []);
  assert.deepEqual(asked('finch.presence'), [true]);
  assert.deepEqual(page.problems, []);
});

inChromium('the newest handlers run, and a change of handlers changes nothing on the wire', async () => {
  await shows('#chat0 .state', 'x joined');
  const [connection] = server.connections;
  connection.say({ path: 'notice', data: 'a' });
  await shows('#status', 'open a');
  connection.say({ path: 'notice', data: 'b' });
  await shows('#status', 'open a,b'); // or the function of the first render had run
  assert.deepEqual(server.heard.map((m) => m.path).filter((p) => !/hello|join|presence/.test(p)), []);
});

inChromium('another room takes the place of the first, and the last component leaves', async () => {
  await shows('#chat0 .state', 'x joined');
  await page.evaluate(() => show({ rooms: ['y'] }));
  await shows('#chat0 .state', 'y joined');
  await until('x is left', () => asked('finch.leave').join() === 'x');
  await page.evaluate(() => show({ rooms: ['y', 'y'] }));
  await shows('#chat1 .state', 'y joined');
  server.record('y', { data: 1 });
  await shows('#chat0 .lines', '1');
  await shows('#chat1 .lines', '1');
  await page.evaluate(() => show({ rooms: ['y'] }));
  await page.evaluate(() => show({ rooms: ['y'], keys: ['another'] })); // unmounted here and mounted there in one commit
  await shows('#chat0 .lines', '');
  server.record('y', { data: 2 });
  await shows('#chat0 .lines', '2');
  assert.equal(asked('finch.leave').length, 1);
  await page.evaluate(() => show({ rooms: [] }));
  await until('y is left', () => asked('finch.leave').join() === 'x,y');
  assert.deepEqual(page.problems, []);
});

inChromium('a room that was joined otherwise is not left', async () => {
  await shows('#chat0 .state', 'x joined');
  await page.evaluate(() => client.room('own').join());
  await page.evaluate(() => show({ rooms: ['own'] }));
  await shows('#chat0 .state', 'own joined');
  await page.evaluate(() => show({ rooms: [] }));
  await until('x is left', () => asked('finch.leave').join() === 'x');
  assert.equal(await page.evaluate(() => client.request('echo', 1)), 1);
  assert.equal(await page.evaluate(() => client.room('own').state.phase), 'joined');
});

inChromium('a publish shows as pending until it comes back', async () => {
  await shows('#chat0 .state', 'x joined');
  server.ignore = (m) => m.path === 'finch.publish';
  await page.evaluate(() => void client.room('x').publish('post', 'mine'));
  await shows('#chat0 .pending', 'mine');
  server.ignore = () => false;
  server.cut();
  await shows('#chat0 .lines', 'mine');
  await shows('#chat0 .pending', '');
});

inChromium('a connection that is lost shows, and what was missed comes', async () => {
  await shows('#here', 'ann');
  server.refuse = true;
  server.cut();
  await until('it shows', async () => /waiting|connecting/.test(await text('#status')));
  await shows('#here', 'unknown');
  server.record('x', { data: 'missed' });
  server.refuse = false;
  await shows('#chat0 .lines', 'missed');
  await shows('#here', 'ann');
  assert.deepEqual(page.problems, []);
});
