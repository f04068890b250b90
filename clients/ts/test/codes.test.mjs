// The table of close codes is that of the Go package protocol.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { closeCode, closeCodes } from '../lib/index.js';

const source = readFileSync(new URL('../../../protocol/codes.go', import.meta.url), 'utf8');

// Go's words for what a client does, as its String method gives them.
const actions = { 'stop': 'stop', 'retry with jitter': 'retry', 'retry at the given delay': 'retry at delay', 'get a new token and retry once': 'new token' };

test('close codes are the same in Go', () => {
  const numbers = Object.fromEntries([...source.matchAll(/^\t(Close\w+)\s*=\s*(\d+)/gm)].map(([, name, n]) => [name, Number(n)]));
  const words = Object.fromEntries([...source.matchAll(/case (Action\w+):\n\t\treturn "([^"]*)"/g)].map(([, name, text]) => [name, text]));
  const rows = [...source.matchAll(/^\t\{(Close\w+), "([^"]*)", "[^"]*", (Action\w+)\},/gm)].map(([, constant, name, action]) => ({ code: numbers[constant], name, action: actions[words[action]] }));
  assert.ok(rows.length >= 15 && rows.length === Object.keys(numbers).length, 'codes.go has another form than this test can read');
  assert.deepEqual(closeCodes, rows);
});

test('codes that are not in the table are the app’s own, or anything', () => {
  for (const [code, action] of [[3000, 'stop'], [4000, 'stop'], [4999, 'stop'], [2999, 'retry'], [5000, 'retry'], [1005, 'retry'], [1015, 'retry'], [0, 'retry'], [undefined, 'retry']]) {
    assert.equal(closeCode(code).action, action, `${code}`);
  }
});
