// What is shipped: how large it is, and that it is fresh.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { bundle, client, readme, script, tabs, tabsScript, withCode } from '../build.mjs';

const zipped = (text) => gzipSync(text, { level: 9 }).length;

test('the files that Go embeds are built from these sources', async () => {
  assert.ok(readFileSync(script, 'utf8') === (await client()), 'dist/finch-client.js is stale: run npm run build, and commit it');
  assert.ok(readFileSync(tabsScript, 'utf8') === (await tabs()), 'dist/finch-tabs.js is stale: run npm run build, and commit it');
});

test('the code of the page is compiled code', async () => {
  const page = readFileSync(readme, 'utf8');
  assert.ok(page === (await withCode(page)), 'README.md is stale: run npm run build, and commit it');
  assert.doesNotMatch(page.replace(/<!-- code: \S+ -->\n```/g, ''), /```tsx?\n/, 'code is typed into the page');
});

test('the same sources give the same bytes', async () => {
  assert.equal(await client(), await client());
});

// Bundled as an app does it: minified, and then compressed as a server does.
const sizes = [
  ['core', "export * from './lib/index.js';", 5 * 1024],
  ['rooms, recovery and presence', "export * from './lib/rooms.js';", 8 * 1024],
  ['the file of the tabs', "export * from './lib/tabs-script.js';", 5 * 1024],
];

for (const [name, program, most] of sizes) {
  test(`${name}: at most ${most} bytes`, async (t) => {
    const text = await bundle(program);
    t.diagnostic(`${name}: ${text.length} bytes minified, ${zipped(text)} gzipped`);
    assert.ok(zipped(text) <= most, `${zipped(text)} bytes`);
  });
}

test('what is not used is not shipped', async () => {
  const text = await bundle("import { closeCode } from './lib/rooms.js'; console.log(closeCode(1000));");
  assert.ok(text.length < 1000, `${text.length} bytes`);
});

test('no file of the package imports another package, but those of React', () => {
  for (const file of readdirSync(new URL('../lib/', import.meta.url)).filter((f) => f.endsWith('.js'))) {
    const source = readFileSync(new URL(`../lib/${file}`, import.meta.url), 'utf8');
    for (const [, from] of source.matchAll(/\bfrom '([^']+)'/g)) assert.ok(from.startsWith('./') || (file === 'react.js' && from === 'react'), `${file} imports ${from}`);
  }
});
