// Tabs: one connection for all tabs of this browser, what they write to each
// other over it, and what becomes of it when the tab that has it is closed.

import { connect } from './finch-client.js';
import { tabs } from './finch-tabs.js';
import { $, $$, append, avatar, byTest, el, hue, trim } from './dom.js';
import { say, showNumber, when } from './i18n.js';
import { tell } from './problem.js';

const SHOWN = 60; // notes in the strip
const KEEP = 50; // notes with words
const MANY = 20; // notes at one press
const NOTE_EVERY = 200; // ms between them
const QUESTIONS = 50; // at one press

export function startTabs(url, user) {
  const panel = $('#tabs');
  $('#tabs-another').href = `${user ? `/?user=${encodeURIComponent(user)}` : '/'}#tabs`;
  // Who does not look at it needs no connection.
  new IntersectionObserver((entries, observer) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    new Tabs(url);
  }, { rootMargin: '200px' }).observe(panel);
}

class Tabs {
  #tab = draw(2); // how this tab is called
  #browser = remembered('finch.browser', () => draw(26));
  #home; // 'worker' or 'tab': where the connection shall live
  #client = null;
  #room = null;
  #shared = null; // how it is shared, as the client says
  #counts = {};
  #last = new Map(); // tab -> the number of its last note
  #drawn = new Set(); // positions of the notes that are drawn
  #written = 0; // by this tab
  #following = 0; // how many notes are still to come that were missed
  #took = false; // the connection has come to this tab, and nobody was told how that ended
  #writing = 0; // timer of the notes of one press

  constructor(url) {
    this.url = url;
    this.log = byTest('tabs-log');
    this.strip = byTest('tabs-strip');
    this.outcome = byTest('tabs-outcome');
    this.input = byTest('tabs-input');
    $('#tabs-me').replaceChildren(avatar(this.#tab), el('bdi', { 'data-testid': 'tabs-me', lang: 'en' }, this.#tab));
    for (const chip of $$('[data-home]')) chip.addEventListener('click', () => this.#choose(chip.dataset.home));
    $('#tabs-form').addEventListener('submit', (e) => {
      e.preventDefault();
      const text = this.input.value.trim();
      if (!text) return;
      this.input.value = '';
      this.#write(text);
    });
    byTest('tabs-many').addEventListener('click', () => this.#writeMany());
    byTest('tabs-ask').addEventListener('click', () => this.#ask());
    // All tabs have to choose the same, or each would share with none.
    addEventListener('storage', ({ key, newValue }) => { if (key === 'finch.tabs' && newValue !== this.#home) this.#begin(newValue); });
    addEventListener('pagehide', () => this.#client.close());
    addEventListener('pageshow', ({ persisted }) => { if (persisted) this.#client.reconnect(); });
    this.#begin(remembered('finch.tabs', () => 'worker'));
  }

  #choose(home) {
    if (home === this.#home) return;
    try { localStorage.setItem('finch.tabs', home); } catch { /* storage may be forbidden */ }
    this.#begin(home);
  }

  // begin connects anew, from a worker or from one of the tabs.
  #begin(home) {
    this.#home = home === 'tab' ? 'tab' : 'worker';
    for (const chip of $$('[data-home]')) chip.setAttribute('aria-pressed', String(chip.dataset.home === this.#home));
    this.#client?.close();
    clearInterval(this.#writing);
    this.#shared = null;
    this.#following = 0;
    this.#took = false;
    this.#last.clear();
    for (const name of ['received', 'lost', 'doubled', 'answers', 'others']) this.#set(name, 0);
    this.outcome.dataset.kind = '';
    say(this.outcome, 'tabs.still');

    const address = new URL(this.url);
    address.searchParams.set('browser', this.#browser);
    const client = this.#client = connect(address.href, {
      WebSocket: tabs({
        name: `${address.href} ${this.#home}`,
        shared: this.#home === 'worker',
        ...(trusted && { worker: trusted }),
        onShared: (shared) => { if (client === this.#client) this.#share(shared); },
      }),
      retryFirst: 500,
      onError: () => {},
    });
    const room = this.#room = client.room(`notes:${this.#browser}`);
    client.on('sockets', ({ sockets }) => this.#sockets(sockets));
    client.onState(() => { if (client === this.#client) this.#show(); });
    room.on('note', (note, { position, timestamp }) => this.#hear(note, position, timestamp));
    room.on('finch.joined', ({ recovered, missed = 0 }) => {
      if (recovered) this.#following += missed;
      this.#told();
    });
    room.on('finch.reset', () => {
      this.#last.clear();
      this.#following = 0;
      this.#told();
    });
    room.join().then(() => this.#past(room)).catch(() => {}); // the state tells
    this.#show();
  }

  #share(shared) {
    if (this.#shared?.home === 'elsewhere' && shared.home === 'here') this.#took = true;
    this.#shared = shared;
    this.#show();
  }

  async #show() {
    const { phase } = this.#client.state;
    byTest('tabs-state').dataset.state = phase === 'open' ? 'open' : 'connecting';
    say($('.state-text', byTest('tabs-state')), phase === 'open' ? 'state.open' : 'state.connecting');
    for (const button of [byTest('tabs-many'), byTest('tabs-ask'), byTest('tabs-send')]) button.disabled = phase !== 'open';
    const home = this.#shared ? this.#shared.home : phase === 'open' ? 'alone' : 'unknown';
    byTest('tabs-home').dataset.home = home;
    say(byTest('tabs-home'), `tabs.home.${home}`);
    if (this.#shared) showNumber(byTest('tabs-count'), this.#shared.tabs);
    if (phase !== 'open') return;
    this.#client.request('sockets').then(({ sockets }) => this.#sockets(sockets)).catch(() => {});
  }

  #sockets(n) { showNumber(byTest('tabs-sockets'), n); }

  #write(text) {
    const note = { tab: this.#tab, n: ++this.#written, ...(text && { text }) };
    this.#room.publish('note', note).catch((error) => {
      this.outcome.dataset.kind = 'bad';
      tell(this.outcome, error, { max: 200 });
    });
  }

  #writeMany() {
    clearInterval(this.#writing);
    let left = MANY;
    this.#writing = setInterval(() => {
      this.#write('');
      if (--left === 0) clearInterval(this.#writing);
    }, NOTE_EVERY);
  }

  // ask puts many questions at once. Every tab does so over the same socket; the
  // answers are those of the tab that asked.
  async #ask() {
    const asked = Array.from({ length: QUESTIONS }, (_, n) => this.#client.request('whose', { tab: this.#tab, n }));
    let own = 0;
    for (const [n, answer] of (await Promise.allSettled(asked)).entries()) {
      if (answer.value?.tab === this.#tab && answer.value.n === n) own++;
      else if (answer.value) this.#count('others');
    }
    this.#count('answers', own);
    this.outcome.dataset.kind = own === QUESTIONS ? 'good' : 'bad';
    say(this.outcome, 'tabs.asked', { count: own, asked: QUESTIONS });
  }

  // past shows what was written before this tab came.
  async #past(room) {
    const { messages } = await room.history({ limit: SHOWN });
    if (room !== this.#room) return;
    for (const { path, data, position, timestamp } of messages) if (path === 'note') this.#draw(data, position, timestamp);
  }

  #hear({ tab, n, text }, position, timestamp) {
    const last = this.#last.get(tab) ?? n - 1;
    if (n <= last) {
      this.#count('doubled');
    } else {
      if (n > last + 1) this.#count('lost', n - last - 1);
      this.#last.set(tab, n);
      this.#count('received');
    }
    if (this.#following > 0) this.#following--;
    this.#draw({ tab, n, text }, position, timestamp);
    this.#told();
  }

  #draw({ tab, n, text }, position, timestamp) {
    if (this.#drawn.has(position)) return;
    this.#drawn.add(position);
    const bar = el('i', { class: 'of-tab' });
    bar.style.setProperty('--hue', hue(tab));
    this.strip.append(bar);
    trim(this.strip, SHOWN);
    if (!text) return;
    $('#tabs-empty').hidden = true;
    append(this.log, el('li', { 'data-tab': tab, 'data-n': n }, avatar(tab), el('bdi', { class: 'note-text' }, text), when(timestamp)), KEEP);
  }

  // told says how a take-over has ended, once all that was missed is here.
  #told() {
    if (!this.#took || this.#following > 0) return;
    this.#took = false;
    const { lost, doubled } = this.#counts;
    this.outcome.dataset.kind = lost || doubled ? 'bad' : 'good';
    say(this.outcome, 'tabs.took', { lost, doubled });
  }

  #count(name, by = 1) { this.#set(name, this.#counts[name] + by); }

  #set(name, n) {
    this.#counts[name] = n;
    showNumber(byTest(`tabs-${name}`), n);
  }
}

// trusted is the address of the worker in the form in which this page's policy
// lets it through; undefined where the browser knows no such policies.
const trusted = globalThis.trustedTypes
  ?.createPolicy('finch-tabs', { createScriptURL: () => new URL('./finch-tabs.js', import.meta.url).href })
  .createScriptURL('');

// draw makes a name that nobody else has; a short one, that few have.
function draw(length) {
  const letters = 'abcdefghjkmnpqrstuvwxyz23456789';
  return Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => letters[byte % letters.length]).join('');
}

// remembered is what this browser has stored, or is given now to store.
function remembered(key, make) {
  try {
    const stored = localStorage.getItem(key);
    if (stored) return stored;
    const made = make();
    localStorage.setItem(key, made);
    return made;
  } catch {
    return make(); // storage may be forbidden
  }
}
