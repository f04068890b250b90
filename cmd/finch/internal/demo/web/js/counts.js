// Live counts: the numbers, the last minute as a line, and what the server
// tells everyone on "output".

import { $, append, byTest, el } from './dom.js';
import { showNumber, when } from './i18n.js';

const SECONDS = 60;
const KEEP = 20;

export function startCounts(connection) {
  const clients = byTest('clients-count');
  const users = byTest('users-count');
  const id = byTest('client-id');
  const samples = [];
  let now = null;

  const show = (counts) => {
    now = counts.clients;
    showNumber(clients, counts.clients);
    showNumber(users, counts.users);
    if (!samples.length) samples.push(now);
    samples[samples.length - 1] = now;
    draw(samples);
  };
  connection.on('connected', (data) => {
    id.textContent = data.client;
    show(data);
  });
  connection.on('counts', show);
  connection.onState(({ name }) => {
    if (name === 'open') return;
    now = null;
    id.textContent = '–';
    for (const node of [clients, users]) {
      delete node.dataset.number;
      node.textContent = '–';
    }
  });
  setInterval(() => {
    if (now === null) return;
    samples.push(now);
    if (samples.length > SECONDS) samples.shift();
    draw(samples);
  }, 1000);

  const log = $('#output-log');
  connection.on('output', (data) => {
    const text = typeof data === 'string' ? data : JSON.stringify(data);
    append(log, el('li', {}, el('bdi', {}, text), when(Date.now())), KEEP);
  });
}

// draw puts the samples into a box of 120 by 40, the newest at its end.
function draw(samples) {
  const top = Math.max(4, ...samples) * 1.15;
  const x = (i) => 120 - ((samples.length - 1 - i) * 120) / (SECONDS - 1);
  const y = (n) => 38 - (n / top) * 34;
  const points = samples.map((n, i) => `${x(i).toFixed(1)},${y(n).toFixed(1)}`);
  if (points.length === 1) points.unshift(`${x(0) - 2},${y(samples[0]).toFixed(1)}`);
  $('#spark-line').setAttribute('points', points.join(' '));
  const start = points[0].split(',')[0];
  $('#spark-area').setAttribute('points', `${start},40 ${points.join(' ')} 120,40`);
}
