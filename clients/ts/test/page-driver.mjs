// The driver of the suite for clients, in a page of Chromium:
//
//	go run ./clients/suite -driver "node clients/ts/test/page-driver.mjs"
//
// The page holds the clients; this program carries the control connection into it.

import { createServer } from 'node:http';
import { WebSocket } from 'ws';
import { bundle } from '../build.mjs';
import { launch } from './browser/chromium.mjs';

const control = new WebSocket(process.env.FINCH_SUITE_CONTROL);
const browser = await launch();
const page = await browser.newPage();
await page.exposeFunction('report', (text) => control.send(text));
page.on('pageerror', (error) => console.error(error.message));
// A page of the loopback: Chromium lets no other connect to it without asking.
const pages = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>Finch</title>'));
await new Promise((resolve) => pages.listen(0, '127.0.0.1', resolve));
await page.goto(`http://127.0.0.1:${pages.address().port}/`);
await page.addScriptTag({ type: 'module', content: await bundle(`
  import * as entry from './lib/rooms.js';
  import { drive } from './test/driver.mjs';
  window.control = { send: (text) => report(text) };
  window.begin = (name) => drive(control, entry, {}, name, ['http_status']);
  window.command = (data) => control.onmessage({ data });
`) });
await page.waitForFunction('window.begin');
const pass = (data) => page.evaluate((data) => command(data), data).catch((error) => console.error(error.message));
let last = Promise.resolve();
control.on('message', (data) => { last = last.then(() => pass(`${data}`)); });
control.on('close', () => browser.close().then(() => process.exit()));
const begin = () => page.evaluate((name) => begin(name), `finch-client in Chromium ${browser.version()}`);
if (control.readyState === control.OPEN) begin();
else control.on('open', begin);
