// Idle sockets: thousands of clients that say nothing, and what each costs.

import { $, byTest } from './dom.js';
import { say, showNumber } from './i18n.js';
import { tell } from './problem.js';

export function startIdle(connection) {
  const held = byTest('idle-count');
  const bytes = byTest('idle-bytes');
  const hold = byTest('idle-hold');
  const release = byTest('idle-release');
  const meter = $('#idle-meter');
  const outcome = $('#idle-outcome');
  let last = '';

  const show = (now) => {
    showNumber(held, now.held);
    if (now.bytes) showNumber(bytes, now.bytes);
    meter.max = now.wanted;
    meter.value = now.held;
    hold.disabled = now.state !== 'none';
    release.disabled = now.state !== 'opening' && now.state !== 'held';
    // What changes each second is for the eyes; what happened is told once.
    if (now.state === last) return;
    last = now.state;
    if (now.state === 'none' && now.problem) {
      outcome.dataset.kind = 'bad';
      say(outcome, 'idle.failed', { problem: now.problem });
    } else {
      outcome.dataset.kind = now.state === 'held' ? 'good' : '';
      say(outcome, `idle.${now.state}`, { count: now.wanted });
    }
  };
  connection.on('idle', show);

  const ask = (path) => async () => {
    try {
      show(await connection.request(path));
    } catch (error) {
      outcome.dataset.kind = 'bad';
      tell(outcome, error);
    }
  };
  hold.addEventListener('click', ask('idle.hold'));
  release.addEventListener('click', ask('idle.release'));
  connection.onState(({ name }) => {
    last = '';
    hold.disabled = release.disabled = true;
    if (name === 'open') ask('idle.state')();
  });
}
