// A page written as the original project writes its own works against /ws.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { launch } from './chromium.mjs';
import { until, wsBase } from './demo.mjs';

let browser, site, origin;

before(async () => {
  browser = await launch();
  // The page comes from another port of this machine, as it does while one develops.
  const files = { '/page.html': 'text/html', '/page.js': 'text/javascript' };
  site = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    if (!files[pathname]) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': files[pathname] }).end(await readFile(new URL(`original${pathname}`, import.meta.url)));
  });
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${site.address().port}`;
});

after(async () => {
  await browser.close();
  await new Promise((resolve) => site.close(resolve));
});

async function open() {
  const page = await browser.newPage();
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(error.message));
  await page.goto(`${origin}/page.html?ws=${encodeURIComponent(`${wsBase}/ws`)}`);
  await page.getByText('open', { exact: true }).waitFor();
  await until('the page knows its id', () => page.evaluate(() => document.body.dataset.client));
  return page;
}

const output = (page) => page.locator('#output li').allTextContents();

async function close(...pages) {
  for (const page of pages) {
    assert.deepEqual(page.problems, []);
    await page.close();
  }
}

test('everyone reads on output that a user has connected', async () => {
  const first = await open();
  const second = await open();
  await until('the message of the guide', async () => (await output(first)).some((line) => /^کاربر جدید متصل شد! تعداد: \d+$/.test(line)));
  await close(first, second);
});

test('time is answered on output', async () => {
  const page = await open();
  const before = (await output(page)).length;
  await page.click('#time');
  const lines = await until('a line', async () => {
    const now = await output(page);
    return now.length > before && now;
  });
  assert.match(lines.at(-1), /\d\d:\d\d/);
  await close(page);
});

test('clients lists the ids, and toclient reaches the one that was named', async () => {
  const sender = await open();
  const target = await open();
  const other = await open();
  await sender.click('#clients');
  const ids = await until('the list', async () => {
    const now = await sender.locator('#list li').allTextContents();
    return now.length > 0 && now;
  });
  const own = await sender.evaluate(() => document.body.dataset.client);
  const named = await target.evaluate(() => document.body.dataset.client);
  assert.ok(ids.includes(own) && ids.includes(named), `${named} is not in ${ids}`);

  await sender.fill('[name=id]', named);
  await sender.fill('[name=message]', 'سلام همسایه');
  await sender.click('#toclient button');
  await until('the message', async () => (await output(target)).includes(`Client ${own}: سلام همسایه`));
  const before = (await output(other)).length;
  await other.click('#time'); // answered after the message was sent
  await until('the time', async () => (await output(other)).length > before);
  assert.ok(!(await output(other)).some((line) => line.includes('سلام همسایه')));
  await close(sender, target, other);
});

test('fa gives ten lines, one second apart, and other messages pass meanwhile', async () => {
  const page = await open();
  const before = (await output(page)).length;
  await page.click('#fa');
  await until('the first line', async () => (await output(page)).length > before);
  await page.click('#clients');
  await until('the list', async () => (await page.locator('#list li').count()) > 0, 900);
  const times = await until('ten lines', () => page.locator('#output li').evaluateAll((lines, before) => {
    const fa = lines.slice(before).map((line) => Number(line.dataset.at));
    return fa.length >= 10 && fa;
  }, before), 20000);
  assert.equal(times.length, 10);
  // A busy machine shows a line late, and the next one sooner after it: only
  // the whole takes as long as it should.
  const whole = times.at(-1) - times[0];
  assert.ok(whole > 8000, `ten lines took ${Math.round(whole)} ms`);
  await close(page);
});

test('stream comes back on streamServer with its blob', async () => {
  const page = await open();
  await page.click('#stream');
  await page.getByText('[0,1,127,128,255,26,69,223,163]').waitFor();
  await close(page);
});
