// The lines of a chat room: what was said before, what is said now, and last
// what we said ourselves and has not come back yet.

import { atEnd, avatar, el } from './dom.js';
import { say, when } from './i18n.js';

const KEEP = 400; // lines in the page; the server has the rest

export class ChatLog {
  #box;
  #button; // for older lines; the first in the box
  #seen = new Set(); // positions that are drawn
  #first = ''; // the first position that came live
  #waiting = new Map(); // key -> our line that has not come back

  constructor(box, button) {
    this.#box = box;
    this.#button = button;
  }

  // oldest is the position before which older lines lie.
  get oldest() {
    return this.#box.querySelector('[data-position]')?.dataset.position;
  }

  // clear empties the log, of another room's lines or of lines that are stale;
  // what we wrote and is still on its way stays then.
  clear({ keepOurs = false } = {}) {
    if (!keepOurs) this.#waiting.clear();
    this.#box.replaceChildren(this.#button, ...this.#waiting.values());
    this.#button.hidden = true;
    this.#seen.clear();
    this.#first = '';
  }

  note(words) {
    this.#add(el('div', { class: 'note' }, words));
  }

  // live draws a line that has just come. Our own takes the place of the one
  // that was drawn when it was written.
  live(message, mine) {
    if (this.#seen.has(message.position)) return;
    this.#first ||= message.position;
    const ours = this.#waiting.get(message.key);
    this.#waiting.delete(message.key);
    const follow = atEnd(this.#box);
    ours?.remove();
    this.#add(this.#draw(message, mine || Boolean(ours)), follow);
  }

  // past draws a page of history above everything else.
  past({ messages, more }, mine) {
    const box = this.#box;
    const fromEnd = box.scrollHeight - box.scrollTop;
    const follow = atEnd(box);
    box.setAttribute('aria-busy', 'true'); // what was said long ago is not read aloud
    const older = [];
    for (const message of messages) {
      if (message.path !== 'chat.line' || this.#seen.has(message.position)) continue;
      if (this.#first && !before(message.position, this.#first)) this.live(message, mine(message)); // it is on its way here, too
      else older.push(this.#draw(message, mine(message)));
    }
    this.#button.after(...older);
    this.#button.hidden = !more;
    box.scrollTop = follow ? box.scrollHeight : box.scrollHeight - fromEnd;
    requestAnimationFrame(() => box.setAttribute('aria-busy', 'false'));
  }

  // pending draws a line of ours that is on its way.
  pending(key, data) {
    this.#waiting.get(key)?.remove();
    const node = line(data, Date.now(), true);
    node.classList.add('pending');
    node.querySelector('.line-head').append(say(el('span', { class: 'line-state' }), 'chat.sending'));
    this.#waiting.set(key, node);
    this.#box.append(node);
    this.#box.scrollTop = this.#box.scrollHeight;
  }

  // failed marks a line of ours that did not get through.
  failed(key, again) {
    const node = this.#waiting.get(key);
    if (!node) return; // it came back all the same
    node.classList.replace('pending', 'failed');
    const state = say(node.querySelector('.line-state'), 'chat.notSent');
    const retry = say(el('button', { type: 'button', class: 'quiet', onclick: again }), 'chat.retry');
    state.after(retry);
  }

  drop(key) {
    this.#waiting.get(key)?.remove();
    this.#waiting.delete(key);
  }

  #draw(message, mine) {
    this.#seen.add(message.position);
    const node = line(message.data, message.timestamp, mine);
    node.dataset.position = message.position;
    return node;
  }

  // add puts something behind all but what waits, and follows it unless the
  // reader has scrolled back.
  #add(node, follow = atEnd(this.#box)) {
    const [first] = this.#waiting.values();
    this.#box.insertBefore(node, first ?? null);
    while (this.#box.childElementCount > KEEP) {
      const [, oldest] = this.#box.children;
      this.#seen.delete(oldest.dataset.position);
      oldest.remove();
      this.#button.hidden = false;
    }
    if (follow) this.#box.scrollTop = this.#box.scrollHeight;
  }
}

function line({ name, text } = {}, at, mine) {
  return el('div', { class: mine ? 'line mine' : 'line' },
    avatar(`${name}`),
    el('div', { class: 'line-body' },
      el('p', { class: 'line-head' }, el('bdi', { class: 'line-name' }, `${name}`), when(at)),
      el('p', { class: 'line-text', dir: 'auto' }, `${text}`)));
}

// before compares two positions of one room: epoch.offset.tag, where offsets
// are too large for a number.
function before(a, b) {
  const [epoch, offset] = a.split('.');
  const [otherEpoch, otherOffset] = b.split('.');
  return epoch === otherEpoch && BigInt(offset) < BigInt(otherOffset);
}
