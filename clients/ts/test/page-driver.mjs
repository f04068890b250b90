// The driver of the suite for clients, in a page of Chromium:
//
//	go run ./clients/suite -driver "node clients/ts/test/page-driver.mjs"
//
// Pages hold the clients; this program carries the control connection into them.

import { createServer } from 'node:http';
import { WebSocket } from 'ws';
import { bundle } from '../build.mjs';
import { launch } from './browser/chromium.mjs';

const control = new WebSocket(process.env.FINCH_SUITE_CONTROL);
const browser = await launch();
// A page of the loopback: Chromium lets no other connect to it without asking.
const server = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>Finch</title>'));
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const script = await bundle(`
  import * as entry from './lib/rooms.js';
  import { drive } from './test/driver.mjs';
  window.control = { send: (text) => report(text) };
  window.begin = (name) => drive(control, entry, {}, name, ['http_status']);
  window.command = (data) => control.onmessage({ data });
`);

// The more connections a process of Chromium opens at one time, and the more of
// them fail, the longer it makes the next one wait, up to seconds. A crowd of
// clients is that of many people: each page here, in a context of its own, is a
// process of its own.
const PAGES = 8;
const name = `finch-client in Chromium ${browser.version()}`;
const pages = await Promise.all(Array.from({ length: PAGES }, async (_, i) => {
  const page = await (await browser.newContext()).newPage();
  await page.exposeFunction('report', (text) => (i === 0 || JSON.parse(text).saw !== 'ready') && control.send(text));
  page.on('pageerror', (error) => console.error(error.message));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.addScriptTag({ type: 'module', content: script });
  await page.waitForFunction('window.begin');
  return page;
}));

const homes = new Map(); // the page of each client
const pass = (data) => {
  const { client } = JSON.parse(data);
  if (!homes.has(client)) homes.set(client, pages[homes.size % PAGES]);
  return homes.get(client).evaluate((data) => command(data), data).catch((error) => console.error(error.message));
};
let last = Promise.resolve();
control.on('message', (data) => { last = last.then(() => pass(`${data}`)); });
control.on('close', () => browser.close().then(() => process.exit()));
const begin = async () => {
  for (const page of [...pages].reverse()) await page.evaluate((name) => begin(name), name); // the first one says that all are ready
};
if (control.readyState === control.OPEN) begin();
else control.on('open', begin);
