// The console: every frame of the page's socket, in and out, the last 500.

import { $, $$, atEnd, byTest, el, icon } from './dom.js';
import { clock, number, onLanguage, say, t } from './i18n.js';

const KEEP = 500;
const PREVIEW = 160; // characters of a frame on its line
const PRETTY = 20000; // characters of an opened frame; a longer one is cut

export function startConsole(connection) {
  new Console(connection);
}

class Console {
  #frames = []; // newest last, at most KEEP
  #fresh = []; // not drawn yet
  #drawing = 0;
  #paused = false;
  #newer = 0; // drawn below the reader's place
  #dir = 'all';
  #words = '';
  #totals = { in: 0, out: 0 };
  #client = 'id';

  constructor(connection) {
    this.list = byTest('console-log');
    this.more = $('#console-more');
    connection.onFrame((frame) => this.#add(frame));
    connection.on('connected', ({ client }) => {
      this.#client = client;
    });

    const input = byTest('console-input');
    $('#console-form').addEventListener('submit', (e) => {
      e.preventDefault();
      connection.sendText(input.value);
    });
    input.addEventListener('keydown', (e) => {
      if (e.key !== 'Enter' || e.shiftKey || e.isComposing) return;
      e.preventDefault();
      input.form.requestSubmit();
    });
    this.#presets(input);

    $('#console-filter').addEventListener('input', (e) => {
      this.#words = e.target.value.trim().toLowerCase();
      this.#redraw();
    });
    for (const button of $$('.segments button')) {
      button.addEventListener('click', () => {
        this.#dir = button.dataset.dir;
        for (const other of $$('.segments button')) other.setAttribute('aria-pressed', String(other === button));
        this.#redraw();
      });
    }
    $('#console-pause').addEventListener('click', () => this.#pause(!this.#paused));
    $('#console-clear').addEventListener('click', () => {
      this.#frames = [];
      this.#fresh = [];
      this.#totals = { in: 0, out: 0 };
      this.#redraw();
    });
    this.more.addEventListener('click', () => {
      if (this.#paused) this.#pause(false);
      this.list.scrollTop = this.list.scrollHeight;
    });
    this.list.addEventListener('scroll', () => {
      if (atEnd(this.list) && this.#newer) {
        this.#newer = 0;
        this.#drawMore();
      }
    });
    onLanguage(() => this.#redraw());
  }

  #presets(input) {
    const presets = {
      time: () => ({ path: 'time' }),
      test: () => ({ path: 'test' }),
      clients: () => ({ path: 'clients' }),
      toclient: () => ({ path: 'toclient', data: { id: this.#client, message: 'hello, me' }, id: 1 }),
      fa: () => ({ path: 'fa' }),
      stream: () => ({ path: 'stream', blob: [70, 105, 110, 99, 104] }),
      'unknown path': () => ({ path: 'nowhere', id: 2 }),
      'bare text': () => 'سلام سرور!',
      close: () => ({ path: 'close' }),
    };
    for (const [name, make] of Object.entries(presets)) {
      $('#console-presets').append(el('button', { type: 'button', class: 'chip', lang: 'en', onclick: () => {
        const text = make();
        input.value = typeof text === 'string' ? text : JSON.stringify(text);
        input.focus({ preventScroll: true });
      } }, name));
    }
  }

  #add(frame) {
    if (frame.dir !== 'note') this.#totals[frame.dir]++;
    this.#fresh.push(frame);
    if (this.#fresh.length > KEEP) this.#fresh.shift();
    // A storm of frames costs one drawing per screen refresh, not one each.
    if (!this.#drawing) this.#drawing = requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#drawing = 0;
    this.#drawTotals();
    if (this.#paused) {
      this.#drawMore();
      return;
    }
    const follow = atEnd(this.list);
    const fresh = this.#fresh.splice(0);
    this.#frames.push(...fresh);
    this.#frames.splice(0, this.#frames.length - KEEP);
    const rows = fresh.filter((frame) => this.#shows(frame)).map(row);
    this.list.append(...rows);
    while (this.list.childElementCount > KEEP) this.list.firstElementChild.remove();
    if (follow) this.list.scrollTop = this.list.scrollHeight;
    else this.#newer += rows.length;
    this.#drawMore();
  }

  #redraw() {
    this.list.replaceChildren(...this.#frames.filter((frame) => this.#shows(frame)).map(row));
    this.list.scrollTop = this.list.scrollHeight;
    this.#newer = 0;
    this.#drawTotals();
    this.#drawMore();
  }

  #shows(frame) {
    if (this.#dir !== 'all' && frame.dir !== this.#dir) return false;
    return !this.#words || (frame.text ?? '').toLowerCase().includes(this.#words);
  }

  #pause(on) {
    this.#paused = on;
    const button = $('#console-pause');
    button.setAttribute('aria-pressed', String(on));
    button.dataset.tLabel = on ? 'console.resume' : 'console.pause';
    button.setAttribute('aria-label', t(button.dataset.tLabel));
    button.replaceChildren(icon(on ? 'play' : 'pause'));
    this.#draw();
  }

  #drawTotals() {
    say($('#console-totals'), 'console.totals', this.#totals);
  }

  #drawMore() {
    const held = this.#paused ? this.#fresh.length : 0;
    const count = held || this.#newer;
    this.more.hidden = !count;
    if (count) say(this.more, held ? 'console.held' : 'console.newer', { count });
  }
}

const arrows = { in: '←', out: '→', note: '·' };

function row(frame) {
  const at = el('time', { datetime: new Date(frame.at).toISOString() }, clock(frame.at));
  const arrow = el('span', { class: 'frame-dir' }, arrows[frame.dir]);
  if (frame.dir === 'note') {
    const words = say(el('span', { class: 'frame-note', dir: 'auto' }), `console.${frame.note}`, { code: String(frame.code ?? '') });
    if (frame.reason) words.append(` · ${frame.reason}`);
    return el('li', { class: 'frame note' }, el('span', { class: 'frame-line' }, at, arrow, words));
  }
  const button = el('button', { type: 'button', class: 'frame-line', 'aria-expanded': 'false' },
    at, arrow, el('span', { class: 'frame-text' }, ...preview(frame)), el('span', { class: 'frame-size' }, size(frame.size)));
  const item = el('li', { class: `frame ${frame.dir}`, 'data-dir': frame.dir }, button);
  button.addEventListener('click', () => {
    const open = button.getAttribute('aria-expanded') === 'false';
    button.setAttribute('aria-expanded', String(open));
    if (open) item.append(el('pre', { class: 'frame-full' }, pretty(frame)));
    else item.lastElementChild.remove();
  });
  return item;
}

// preview shows the path first, because that is what the eye looks for.
function preview(frame) {
  if (frame.bytes) return [`binary ${hex(frame.bytes, 16)}`];
  const text = frame.text.length > PREVIEW ? frame.text.slice(0, PREVIEW) + '…' : frame.text;
  const path = frame.path ?? pathOf(frame.text);
  if (path === undefined) return [el('bdi', {}, text)];
  return [el('b', {}, path), ' ', el('bdi', {}, rest(frame.text))];
}

function pathOf(text) {
  if (!text.startsWith('{')) return undefined;
  try {
    const { path } = JSON.parse(text);
    return typeof path === 'string' ? path : undefined;
  } catch {
    return undefined;
  }
}

// rest is what an envelope says beside its path: an error, else the data.
function rest(text) {
  const { data, error, status, blob } = JSON.parse(text);
  if (error) return `${status ?? ''} ${error.code}`.trim();
  const shown = data ?? blob;
  if (shown === undefined || shown === null) return '';
  const line = typeof shown === 'string' ? shown : JSON.stringify(shown);
  return line.length > PREVIEW ? line.slice(0, PREVIEW) + '…' : line;
}

function pretty(frame) {
  let text = frame.bytes ? hex(frame.bytes, 512) : frame.text;
  if (!frame.bytes) {
    try { text = JSON.stringify(JSON.parse(text), null, 2); } catch { /* a bare text is shown as it is */ }
  }
  return text.length > PRETTY ? text.slice(0, PRETTY) + '\n…' : text;
}

const hex = (bytes, most) => [...bytes.subarray(0, most)].map((b) => b.toString(16).padStart(2, '0')).join(' ') + (bytes.length > most ? ' …' : '');

function size(n) {
  return n < 1024 ? t('console.bytes', { size: n }) : t('console.kilobytes', { size: number(n / 1024) });
}
