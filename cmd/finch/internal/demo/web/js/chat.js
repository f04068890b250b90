// Chat: one room at a time, kept across reconnects.

import { $, append, avatar, byTest, el } from './dom.js';
import { onLanguage, say, when } from './i18n.js';
import { tell } from './problem.js';

const ROOMS = ['lobby', 'gophers', 'چای‌خانه'];
const KEEP = 200;
const TYPING_EVERY = 2000; // ms between two words that we are typing
const TYPING_FOR = 3500; // ms that somebody's typing is shown

export function startChat(connection, user) {
  new Chat(connection, user);
}

class Chat {
  #joined = null; // {room, name}, or null
  #id = ''; // our socket, to know our own lines
  #names = null; // who was here at the last count
  #typing = new Map(); // name -> timer
  #typedAt = 0;

  constructor(connection, user) {
    this.connection = connection;
    this.name = byTest('chat-name');
    this.room = byTest('chat-room');
    this.input = byTest('chat-input');
    this.log = byTest('chat-log');
    this.members = byTest('chat-members');
    this.problem = $('#chat-problem');
    this.name.value = user || remembered();

    for (const room of ROOMS) {
      $('#chat-rooms').append(el('button', { type: 'button', class: 'chip', 'data-room': room, 'aria-pressed': 'false', onclick: () => this.#pick(room) }, el('bdi', {}, room)));
    }
    $('#chat-join-form').addEventListener('submit', (e) => {
      e.preventDefault();
      this.#join(this.room.value.trim(), this.name.value.trim());
    });
    $('#chat-leave').addEventListener('click', () => this.#leave());
    $('#chat-form').addEventListener('submit', (e) => {
      e.preventDefault();
      this.#say();
    });
    this.input.addEventListener('input', () => this.#tellTyping());

    connection.on('connected', ({ client }) => {
      this.#id = client;
      if (this.#joined) this.#join(this.#joined.room, this.#joined.name, true);
    });
    connection.on('chat.line', (line) => this.#line(line));
    connection.on('chat.members', (list) => this.#listed(list));
    connection.on('chat.typing', ({ room, name }) => this.#isTyping(room, name));
    onLanguage(() => this.#drawTyping());
    this.#show();
  }

  #pick(room) {
    this.room.value = room;
    if (this.#joined && this.#joined.room !== room) this.#join(room, this.name.value.trim());
    else if (this.name.value.trim() === '') this.name.focus();
    this.#show();
  }

  async #join(room, name, again = false) {
    this.problem.hidden = true;
    const before = this.#joined?.room;
    try {
      if (before && before !== room) await this.connection.request('chat.leave', { room: before });
      const joined = await this.connection.request('chat.join', { room, name });
      const same = this.#joined?.room === joined.room;
      this.#joined = { room: joined.room, name: joined.name };
      this.#names = joined.members;
      if (!again && !same) {
        this.log.replaceChildren();
        this.#note('chat.joined', { room: joined.room });
        this.input.disabled = false;
        this.input.focus({ preventScroll: true });
      }
      remember(joined.name);
      this.#drawMembers(joined);
    } catch (error) {
      tell(this.problem, error, { room });
    }
    this.#show();
  }

  async #leave() {
    const { room } = this.#joined;
    try {
      await this.connection.request('chat.leave', { room });
    } catch (error) {
      tell(this.problem, error, { room });
      return;
    }
    this.#joined = null;
    this.#names = null;
    this.members.replaceChildren();
    this.#note('chat.left', { room });
    this.#show();
  }

  async #say() {
    const text = this.input.value.trim();
    if (!text || !this.#joined) return;
    this.problem.hidden = true;
    this.input.value = '';
    this.#typedAt = 0;
    try {
      await this.connection.request('chat.say', { room: this.#joined.room, text });
    } catch (error) {
      if (this.input.value === '') this.input.value = text; // nobody likes to type twice
      tell(this.problem, error, { room: this.#joined?.room ?? '', max: 2000 });
    }
  }

  #line({ room, name, text, from, at }) {
    if (room !== this.#joined?.room) return;
    this.#stopsTyping(name);
    const mine = from === this.#id;
    append(this.log, el('div', { class: mine ? 'line mine' : 'line' },
      avatar(name),
      el('div', { class: 'line-body' },
        el('p', { class: 'line-head' }, el('bdi', { class: 'line-name' }, name), when(at)),
        el('p', { class: 'line-text', dir: 'auto' }, text))), KEEP);
  }

  #listed(list) {
    if (list.room !== this.#joined?.room) return;
    if (this.#names && list.members.length < 50) { // a crowd's coming and going would drown the talk
      for (const name of without(list.members, this.#names)) this.#note('chat.someoneJoined', { name });
      for (const name of without(this.#names, list.members)) {
        this.#note('chat.someoneLeft', { name });
        this.#stopsTyping(name);
      }
    }
    this.#names = list.members;
    this.#drawMembers(list);
  }

  #drawMembers({ members, count = members.length }) {
    const shown = members.slice(0, 24);
    this.members.replaceChildren(...shown.map((name) => el('li', {}, avatar(name), el('bdi', {}, name))));
    if (count > shown.length) this.members.append(say(el('li', { class: 'more' }), 'chat.more', { count: count - shown.length }));
    say($('#room-name'), 'chat.here', { room: this.#joined.room, count });
  }

  #tellTyping() {
    if (!this.#joined || performance.now() - this.#typedAt < TYPING_EVERY) return;
    this.#typedAt = performance.now();
    this.connection.send('chat.typing', { room: this.#joined.room });
  }

  #isTyping(room, name) {
    if (room !== this.#joined?.room) return;
    clearTimeout(this.#typing.get(name));
    this.#typing.set(name, setTimeout(() => this.#stopsTyping(name), TYPING_FOR));
    this.#drawTyping();
  }

  #stopsTyping(name) {
    clearTimeout(this.#typing.get(name));
    this.#typing.delete(name);
    this.#drawTyping();
  }

  #drawTyping() {
    const node = $('#chat-typing');
    const [name] = this.#typing.keys();
    delete node.dataset.t;
    node.replaceChildren();
    if (this.#typing.size === 1) say(node, 'chat.typing', { name });
    else if (this.#typing.size > 1) say(node, 'chat.typingMany', { count: this.#typing.size });
  }

  #note(key, values) {
    append(this.log, el('div', { class: 'note' }, say(el('span'), key, values)), KEEP);
  }

  #show() {
    const here = this.#joined;
    $('#room').dataset.joined = String(Boolean(here));
    $('#chat-leave').hidden = !here;
    this.input.disabled = !here;
    byTest('chat-send').disabled = !here;
    if (!here) say($('#room-name'), 'chat.nowhere');
    for (const chip of $('#chat-rooms').children) {
      chip.setAttribute('aria-pressed', String(chip.dataset.room === here?.room));
    }
  }
}

// without is the names of `all` that `some` lacks; two people may share one.
function without(all, some) {
  const left = [...some];
  return all.filter((name) => {
    const i = left.indexOf(name);
    if (i < 0) return true;
    left.splice(i, 1);
    return false;
  });
}

function remembered() {
  try { return sessionStorage.getItem('finch.name') ?? ''; } catch { return ''; }
}

function remember(name) {
  try { sessionStorage.setItem('finch.name', name); } catch { /* storage may be forbidden */ }
}
