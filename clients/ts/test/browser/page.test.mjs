// The file that servers hand out, in a page and in a worker, and a device that goes offline.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { script } from '../../build.mjs';
import { launch, open, skip, until } from './chromium.mjs';
import { serve } from './finch.mjs';

let browser, server, context, page;
before(async () => { if (!skip) browser = await launch(); });
after(() => browser?.close());
beforeEach(async () => {
  if (skip) return;
  server = await serve();
  server.files.set('/finch-client.js', readFileSync(script, 'utf8'));
  context = await browser.newContext();
  page = await open(context, server);
});
afterEach(async () => {
  await context?.close();
  server?.close();
});

const inChromium = (name, fn) => test(name, { skip }, fn);

const TALK = `
  const { connect, FinchError, closeCodes } = await import('/finch-client.js');
  const client = connect('/ws?user=ann', { retryFirst: 20_000, retryMax: 20_000 });
  const room = client.room('x');
  const seen = [];
  room.on('post', (data) => seen.push(data));
  await room.join();
  await room.publish('post', 'salaam');
  const refused = await client.request('nothing').catch((error) => error instanceof FinchError && error.code);
  return [await client.request('echo', { a: 1 }), refused, seen, client.state.from, closeCodes.length > 10];
`;
const TOLD = [{ a: 1 }, 'unknown_path', ['salaam'], 'ann', true];

inChromium('the file that servers hand out is a whole client', async () => {
  assert.deepEqual(await page.evaluate(`(async () => { ${TALK} })()`), TOLD);
});

inChromium('it works in a worker, with an address that is relative to the page', async () => {
  server.files.set('/worker.js', `(async () => { ${TALK} })().then(postMessage, (error) => postMessage(String(error)));`);
  const told = await page.evaluate(() => new Promise((resolve) => {
    new Worker('/worker.js', { type: 'module' }).onmessage = ({ data }) => resolve(data);
  }));
  assert.deepEqual(told, TOLD);
});

inChromium('a device that goes offline says so, and is back soon after the network is', async () => {
  await page.evaluate(`(async () => { ${TALK.replace('return', 'window.client = client; return')} })()`);
  await context.setOffline(true);
  server.cut();
  await until('it says so', () => page.evaluate(() => client.state.reason?.name === 'offline'));
  const left = await page.evaluate(() => client.state.delay);
  await context.setOffline(false);
  const begun = Date.now();
  await until('it is back', () => page.evaluate(() => client.state.phase === 'open'));
  assert.ok(left < 4000 || Date.now() - begun < left, `${Date.now() - begun} ms, and not ${left}`);
});
