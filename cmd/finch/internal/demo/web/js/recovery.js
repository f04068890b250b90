// Recovery: a room that counts aloud, a network to cut, and what became of what
// was missed.

import { connect } from './finch-client.js';
import { $, byTest, el, trim } from './dom.js';
import { say, showNumber } from './i18n.js';
import { Network } from './network.js';

const SHOWN = 60; // beats in the strip

export function startRecovery(url) {
  const panel = $('#recovery');
  // A heart that nobody sees need not beat.
  new IntersectionObserver((entries, observer) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    new Recovery(url);
  }, { rootMargin: '200px' }).observe(panel);
}

class Recovery {
  #last = 0; // the number of the last beat; 0: any may come
  #following = 0; // how many beats are still to come that were missed
  #counts = { received: 0, caught: 0, lost: 0, doubled: 0, resets: 0 };
  #cut = null; // {at, missed} since the network was cut, until it is told how it ended
  #ticking = 0;

  constructor(url) {
    this.network = new Network();
    this.beats = byTest('beats');
    this.state = byTest('pulse-state');
    this.outcome = byTest('recovery-outcome');
    this.client = connect(url, { WebSocket: this.network.WebSocket, retryFirst: 1500, retryMax: 4000, onError: () => {} });
    this.room = this.client.room('pulse');
    this.room.on('beat', ({ n }) => this.#beat(n));
    this.room.on('finch.joined', ({ recovered, missed = 0 }) => {
      if (recovered) this.#following += missed;
      if (recovered) this.#back(missed);
    });
    this.room.on('finch.reset', () => {
      this.#last = this.#following = 0;
      this.#count('resets');
      this.#back(0);
    });
    this.client.onState(() => this.#show());
    for (const button of document.querySelectorAll('[data-cut]')) {
      button.disabled = false;
      button.addEventListener('click', () => this.#cutFor(Number(button.dataset.cut)));
    }
    for (const name of Object.keys(this.#counts)) showNumber(byTest(`beats-${name}`), 0);
    this.room.join().catch(() => {}); // the state tells
    addEventListener('pagehide', () => this.client.close());
    addEventListener('pageshow', ({ persisted }) => { if (persisted) this.client.reconnect(); });
    this.#show();
  }

  #cutFor(seconds) {
    this.#cut = { at: performance.now() };
    this.outcome.dataset.kind = '';
    say(this.outcome, 'recovery.dead');
    this.network.cut(seconds * 1000);
  }

  #beat(n) {
    const missed = this.#following > 0;
    if (missed) this.#following--;
    if (this.#last && n <= this.#last) {
      this.#count('doubled');
      return;
    }
    if (this.#last && n > this.#last + 1) this.#count('lost', n - this.#last - 1);
    this.#last = n;
    this.#count('received');
    if (missed) this.#count('caught');
    this.beats.append(el('i', { class: missed ? 'caught' : '' }));
    trim(this.beats, SHOWN);
    if (missed && !this.#following) this.#told();
  }

  // back: the server has said how it goes on. What was missed follows.
  #back(missed) {
    if (!this.#cut) return;
    Object.assign(this.#cut, { missed, took: (performance.now() - this.#cut.at) / 1000 });
    if (!missed) this.#told();
  }

  #told() {
    const cut = this.#cut;
    if (!cut || cut.took === undefined) return;
    this.#cut = null;
    const { lost, doubled } = this.#counts;
    const { resumed } = this.client.state;
    this.outcome.dataset.kind = lost || doubled ? 'bad' : 'good';
    say(this.outcome, resumed ? 'recovery.resumed' : 'recovery.anew', { seconds: cut.took, count: cut.missed, lost, doubled });
  }

  #count(name, by = 1) {
    showNumber(byTest(`beats-${name}`), this.#counts[name] += by);
  }

  #show() {
    const { phase, delay = 0 } = this.client.state;
    clearInterval(this.#ticking);
    const until = performance.now() + delay;
    const draw = () => {
      const cut = this.network.isCut;
      this.state.dataset.state = phase;
      this.state.dataset.cut = String(cut);
      const seconds = Math.max(0, Math.ceil((until - performance.now()) / 1000));
      const word = !cut || phase === 'closed' ? phase : phase === 'waiting' ? 'cut' : 'trying';
      say($('.state-text', this.state), `recovery.${word}`, { seconds, left: Math.ceil(this.network.left / 1000) });
      for (const button of document.querySelectorAll('[data-cut]')) button.disabled = phase !== 'open';
    };
    draw();
    if (phase !== 'open' && phase !== 'closed') this.#ticking = setInterval(draw, 250);
  }
}
