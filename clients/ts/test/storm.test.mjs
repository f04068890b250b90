// Ten thousand clients lose their server at one moment.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '../lib/index.js';

const CLIENTS = 10_000;
const BUCKET = 100; // ms

// A clock with a heap of timers, because there are so many.
let time = 0;
const heap = [];
const before = (a, b) => a.at < b.at || (a.at === b.at && a.id < b.id);
let ids = 0;
function push(timer) {
  let i = heap.push(timer) - 1;
  for (let up; i > 0 && before(timer, heap[(up = (i - 1) >> 1)]); i = up) heap[i] = heap[up];
  heap[i] = timer;
}
function pop() {
  const first = heap[0];
  const last = heap.pop();
  if (heap.length) {
    let i = 0;
    for (let down; (down = 2 * i + 1) < heap.length; i = down) {
      if (down + 1 < heap.length && before(heap[down + 1], heap[down])) down++;
      if (!before(heap[down], last)) break;
      heap[i] = heap[down];
    }
    heap[i] = last;
  }
  return first;
}
globalThis.setTimeout = (fn, wait) => {
  const timer = { at: time + Math.max(1, wait), id: ids++, fn };
  push(timer);
  return timer;
};
globalThis.clearTimeout = (timer) => { if (timer) timer.fn = () => {}; };
performance.now = () => time;

// Random, and the same in every run (mulberry32).
let seed = 20260101;
Math.random = () => {
  let t = (seed += 0x6d2b79f5);
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
};

// run loses all connections at one moment and gives the moments of all tries and
// of all successes after it, in milliseconds. The server takes `admit` a second.
function run({ downFor = 0, admit = Infinity, drain } = {}) {
  time = 0;
  heap.length = 0;
  let cut = Infinity;
  let tokens = admit;
  let refilled = 0;
  const tries = [];
  const back = [];
  const live = new Set();
  class Socket {
    bufferedAmount = 0;
    constructor() {
      if (time > cut) tries.push(time - cut);
      setTimeout(() => {
        tokens = Math.min(admit, tokens + ((time - refilled) / 1000) * admit);
        refilled = time;
        if (time >= cut && (time < cut + downFor || tokens < 1)) return this.onclose({ code: 1006, reason: '' });
        tokens--;
        live.add(this);
        this.onopen({});
      }, 1);
    }
    send(frame) {
      const { id, path } = JSON.parse(frame);
      if (path !== 'finch.hello') return;
      setTimeout(() => {
        this.onmessage({ data: JSON.stringify({ reply: id, data: { client: 'x', heartbeat: 1e9 } }) });
        if (time > cut) back.push(time - cut);
      }, 1);
    }
    close() {}
  }
  const turn = (until) => {
    while (heap.length && heap[0].at <= until) {
      const timer = pop();
      time = timer.at;
      timer.fn();
    }
    time = until;
  };
  tokens = Infinity;
  for (let i = 0; i < CLIENTS; i++) connect('ws://finch.test/ws', { WebSocket: Socket });
  turn(60_000);
  assert.equal(live.size, CLIENTS);
  tokens = admit;
  cut = time;
  for (const [i, socket] of [...live].entries()) {
    if (drain) socket.onmessage({ data: JSON.stringify({ path: 'finch.drain', status: 200, data: { delay: (i * drain) / CLIENTS } }) });
    socket.onclose({ code: drain ? 1012 : 1006, reason: '' });
  }
  live.clear();
  turn(cut + 300_000);
  return { tries, back };
}

function buckets(moments, until) {
  const counts = new Array(Math.ceil(until / BUCKET)).fill(0);
  for (const moment of moments) if (moment < until) counts[Math.floor(moment / BUCKET)]++;
  return counts;
}

const at = (moments, share) => moments.sort((a, b) => a - b)[Math.ceil(moments.length * share) - 1];

test('after a cut they come back spread over five seconds, and in no tenth of one more than twice the mean', (t) => {
  const { tries, back } = run();
  assert.equal(back.length, CLIENTS);
  assert.equal(tries.length, CLIENTS);
  const counts = buckets(tries, 5000);
  const mean = CLIENTS / 50;
  t.diagnostic(`first at ${Math.min(...tries).toFixed(0)} ms, 99 % back after ${at(back, 0.99).toFixed(0)} ms, all after ${Math.max(...back).toFixed(0)} ms; busiest 100 ms: ${Math.max(...counts)} of ${mean} on average`);
  assert.ok(Math.max(...counts) <= 2 * mean, `${Math.max(...counts)}`);
  assert.ok(Math.min(...counts) >= mean / 2, 'a hole means a crowd elsewhere');
  assert.ok(Math.max(...tries) > 4900 && Math.min(...tries) < 100);
});

test('a server that is down for three seconds, and then takes a thousand a second, is not run over', (t) => {
  const { tries, back } = run({ downFor: 3000, admit: 1000 });
  assert.equal(back.length, CLIENTS);
  const counts = buckets(tries, 60_000);
  t.diagnostic(`99 % back after ${at(back, 0.99).toFixed(0)} ms; busiest 100 ms: ${Math.max(...counts)} tries; ${(tries.length / CLIENTS).toFixed(2)} tries each`);
  assert.ok(Math.max(...counts) <= 400, `${Math.max(...counts)} tries in 100 ms`);
  assert.ok(at(back, 0.99) < 60_000);
});

test('with slots of the server they come exactly as it wants', (t) => {
  const { back } = run({ drain: 10_000 });
  const counts = buckets(back, 10_000);
  t.diagnostic(`99 % back after ${at(back, 0.99).toFixed(0)} ms; busiest 100 ms: ${Math.max(...counts)} of ${CLIENTS / 100} on average`);
  assert.ok(Math.max(...counts) <= CLIENTS / 100 + 2);
});
