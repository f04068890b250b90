// Slow reader: this page reads as fast as it can, a client in the server's
// process does not, and the room's policy decides.

import { connect } from './finch-client.js';
import { $, $$, byTest, el } from './dom.js';
import { say, showNumber } from './i18n.js';
import { tell } from './problem.js';

const SILENT = 4000; // ms without news from whoever has a slow reader, which comes four times a second

export function startSlow(connection, url) {
  new SlowReader(connection, url);
}

class SlowReader {
  #policy = 'resync';
  #now = null; // how it stands, as the server says
  #fast = null; // our own client and room, while we take part
  #silence = 0; // timer: whoever has the slow reader may have ended with it

  constructor(connection, url) {
    this.connection = connection;
    this.url = url;
    this.outcome = byTest('slow-outcome');
    this.begin = byTest('slow-start');
    this.read = byTest('slow-read');
    for (const chip of $$('[data-policy]')) chip.addEventListener('click', () => this.#choose(chip.dataset.policy));
    this.begin.addEventListener('click', () => this.#start());
    this.read.addEventListener('click', () => this.#ask('slow.read'));
    connection.on('slow', (now) => this.#show(now));
    connection.onState(({ name }) => {
      this.begin.disabled = this.read.disabled = true;
      if (name === 'open') this.#ask('slow.state');
    });
    this.#choose(this.#policy);
  }

  #choose(policy) {
    this.#policy = policy;
    for (const chip of $$('[data-policy]')) chip.setAttribute('aria-pressed', String(chip.dataset.policy === policy));
    say($('#slow-policy'), `slow.${policy}`);
  }

  async #start() {
    this.begin.disabled = true;
    const client = connect(this.url, { onError: () => {} });
    const room = client.room(`slow:${this.#policy}`);
    this.#fast = { client, started: false };
    showNumber(byTest('slow-fast'), 0);
    room.on('tick', ({ n }) => {
      showNumber(byTest('slow-fast'), n);
      $('#slow-fast-meter').value = n;
    });
    try {
      await room.join();
      const now = await this.connection.request('slow.start', { policy: this.#policy });
      this.#fast.started = true;
      this.#show(now);
    } catch (error) {
      this.#leave();
      this.#fail(error);
      if (this.#now) this.#show(this.#now);
    }
  }

  async #ask(path) {
    try {
      this.#show(await this.connection.request(path));
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error) {
    this.outcome.dataset.kind = 'bad';
    tell(this.outcome, error);
  }

  #leave() {
    this.#fast?.client.close();
    this.#fast = null;
  }

  #show(now) {
    const before = this.#now?.state;
    this.#now = now;
    clearTimeout(this.#silence);
    if (now.state !== 'none') this.#silence = setTimeout(() => this.#ask('slow.state'), SILENT);
    const busy = now.state !== 'none';
    this.begin.disabled = busy;
    this.read.disabled = now.state !== 'deaf';
    for (const chip of $$('[data-policy]')) chip.disabled = busy;
    if (busy && now.policy !== this.#policy) this.#choose(now.policy);
    showNumber(byTest('slow-got'), now.got);
    showNumber(byTest('slow-behind'), now.published - now.got);
    for (const name of ['skipped', 'lost', 'doubled']) showNumber(byTest(`slow-${name}`), now[name]);
    for (const meter of $$('#slow-fast-meter, #slow-meter')) meter.max = Math.max(100, now.published);
    $('#slow-meter').value = now.got;
    byTest('slow-state').dataset.state = standing(now);
    say(byTest('slow-state'), `slow.is.${standing(now)}`);
    this.#drawSteps(now.steps ?? []);
    if (now.state === before) return;
    // What happens all the time is for the eyes; a change is told once.
    this.outcome.dataset.kind = '';
    if (busy) say(this.outcome, `slow.now.${now.state}`);
    else if (before && this.#fast?.started) this.#end(now);
    else if (before) say(this.outcome, 'slow.now.none');
  }

  #end(now) {
    this.#leave();
    this.outcome.dataset.kind = now.lost || now.doubled ? 'bad' : 'good';
    say(this.outcome, 'slow.now.ended', { lost: now.lost, doubled: now.doubled });
  }

  #drawSteps(steps) {
    const list = byTest('slow-steps');
    if (list.childElementCount > steps.length) list.replaceChildren();
    for (const step of steps.slice(list.childElementCount)) {
      const at = say(el('span', { class: 'step-at' }), 'slow.after', { seconds: step.after / 1000 });
      list.append(el('li', { 'data-what': step.what }, at, say(el('span'), `slow.step.${step.what}`, { count: step.count ?? 0, code: String(step.count ?? ''), why: step.why ?? '' })));
    }
  }
}

// standing is what the slow reader is, in one word.
function standing({ state, steps, published, got }) {
  const last = steps?.at(-1)?.what;
  if (!last) return state === 'none' ? 'none' : 'fresh';
  if (last === 'lagged' || last === 'closed' || last === 'reset' || last === 'failed') return last;
  if (last === 'caught_up') return 'fresh';
  return published - got > 10 ? 'behind' : 'fresh';
}
