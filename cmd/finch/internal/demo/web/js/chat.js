// Chat: one room at a time, with what was said there before. The client keeps
// the membership across reconnects; the page draws.

import { $, avatar, byTest, el, short } from './dom.js';
import { onLanguage, say } from './i18n.js';
import { ChatLog } from './lines.js';
import { tell } from './problem.js';

const ROOMS = ['lobby', 'gophers', 'چای‌خانه'];
const PAGE = 50; // lines of the past at once
const TYPING_EVERY = 2000; // ms between two words that we are typing
const TYPING_FOR = 3500; // ms that somebody's typing is shown
// Refusals that trying again does not change: the words go back to their writer.
const final = new Set(['bad_text', 'bad_name', 'bad_data', 'too_large', 'forbidden', 'not_in_room']);

export function startChat(connection, user) {
  new Chat(connection, user);
}

class Chat {
  #room = null; // the client's room we are in, or null
  #name = '';
  #me = ''; // under which name others see us
  #known = null; // id -> name of who was here at the last count
  #watch = null; // ends the watch of presence
  #attached = new Set(); // rooms whose messages are handled
  #typing = new Map(); // name -> timer
  #typedAt = 0;

  constructor(connection, user) {
    this.connection = connection;
    this.name = byTest('chat-name');
    this.room = byTest('chat-room');
    this.input = byTest('chat-input');
    this.members = byTest('chat-members');
    this.problem = $('#chat-problem');
    this.log = new ChatLog(byTest('chat-log'), byTest('chat-older'));
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
    byTest('chat-older').addEventListener('click', () => this.#older());
    this.input.addEventListener('input', () => this.#tellTyping());

    connection.client.onState((state) => { if (state.phase === 'open') this.#me = state.from; });
    onLanguage(() => this.#drawTyping());
    this.#show();
  }

  #pick(room) {
    this.room.value = room;
    if (this.#room && called(this.#room) !== room) this.#join(room, this.name.value.trim());
    else if (this.name.value.trim() === '') this.name.focus();
    this.#show();
  }

  async #join(name, as) {
    this.problem.hidden = true;
    if (!as || [...as].length > 40) {
      tell(this.problem, { code: 'bad_name' });
      return;
    }
    const room = this.connection.client.room(`chat:${name}`);
    const before = this.#room;
    if (room === before) {
      this.#sitAs(room, as);
      return;
    }
    if (this.connection.state.name !== 'open') {
      tell(this.problem, { code: 'offline' });
      return;
    }
    this.#attach(room);
    try {
      const joining = room.join();
      this.#sitAs(room, as);
      await joining;
    } catch (error) {
      tell(this.problem, error, { room: name });
      return;
    }
    if (before) this.#quit(before);
    this.#room = room;
    this.#known = null;
    this.log.clear();
    this.#note('chat.joined', { room: name });
    this.#watch = room.presence.watch((state) => this.#present(room, state));
    this.#show();
    this.input.focus({ preventScroll: true });
    this.#past(room);
  }

  // sitAs says under which name we sit in a room.
  #sitAs(room, name) {
    this.#name = name;
    remember(name);
    room.presence.set({ name }).catch(() => {}); // whoever has left sits nowhere
  }

  #attach(room) {
    if (this.#attached.has(room)) return;
    this.#attached.add(room);
    const here = (f) => (data, message) => { if (this.#room === room) f(data, message); };
    room.on('chat.line', here((line, message) => this.#line(line, message)));
    room.on('chat.typing', here(({ name }) => this.#isTyping(name)));
    room.on('finch.joined', here(({ missed }) => { if (missed) this.#note('chat.caughtUp', { count: missed }); }));
    room.on('finch.reset', here(() => {
      this.log.clear({ keepOurs: true });
      this.#note('chat.reset');
      this.#past(room);
    }));
    room.on('finch.left', here(({ error }) => {
      if (error) tell(this.problem, error, { room: called(room) });
      this.#gone(room);
    }));
  }

  #leave() {
    const room = this.#room;
    this.#quit(room);
    this.#gone(room);
  }

  #quit(room) {
    this.#watch?.();
    this.#watch = null;
    room.leave(); // it is left at once, whatever the network does
    for (const name of [...this.#typing.keys()]) this.#stopsTyping(name);
  }

  #gone(room) {
    this.#room = null;
    this.#known = null;
    this.members.replaceChildren();
    this.#note('chat.left', { room: called(room) });
    this.#show();
  }

  // past shows what was said before we came.
  async #past(room, before) {
    try {
      const page = await room.history({ limit: PAGE, ...(before && { before }) });
      if (this.#room === room) this.log.past(page, (message) => this.#mine(message));
    } catch (error) {
      if (this.#room === room) tell(this.problem, error, { room: called(room) });
    }
  }

  async #older() {
    const button = byTest('chat-older');
    button.disabled = true;
    await this.#past(this.#room, this.log.oldest);
    button.disabled = false;
  }

  #say() {
    const text = this.input.value.trim();
    if (!text || !this.#room) return;
    this.problem.hidden = true;
    this.input.value = '';
    this.#typedAt = 0;
    this.#publish(this.#room, { name: this.#name, text });
  }

  // publish shows a line at once. The client tries as long as it may, under one
  // key; by that key the line is known again when it comes back.
  async #publish(room, data, key) {
    const publication = room.publish('chat.line', data, key ? { key } : {});
    this.log.pending(publication.key, data);
    try {
      await publication;
    } catch (error) {
      if (this.#room !== room) return;
      if (!final.has(error.code)) {
        this.log.failed(publication.key, () => this.#publish(room, data, publication.key));
        return;
      }
      this.log.drop(publication.key);
      if (this.input.value === '') this.input.value = data.text; // nobody likes to type twice
      tell(this.problem, error, { room: called(room), max: 2000 });
    }
  }

  #mine(message) { return message.from === this.#me; }

  #line(line, message) {
    this.#stopsTyping(line?.name);
    this.log.live(message, this.#mine(message));
  }

  // present draws who is here, and tells who came and went.
  #present(room, { members, count, ready }) {
    if (this.#room !== room || !ready) return;
    const names = new Map();
    for (const { id, data } of members) {
      const name = nameOf(data);
      if (name) names.set(id, name); // who has none yet is just coming in
    }
    if (this.#known && names.size < 50) { // a crowd's coming and going would drown the talk
      for (const [id, name] of names) if (!this.#known.has(id)) this.#note('chat.someoneJoined', { name });
      for (const [id, name] of this.#known) {
        if (names.has(id)) continue;
        this.#note('chat.someoneLeft', { name });
        this.#stopsTyping(name);
      }
    }
    this.#known = names;
    const shown = [...members].sort((a, b) => a.since - b.since).slice(0, 24);
    this.members.replaceChildren(...shown.map((who) => this.#member(who)));
    if (count > shown.length) this.members.append(say(el('li', { class: 'more' }), 'chat.more', { count: count - shown.length }));
    say($('#room-name'), 'chat.here', { room: called(room), count });
  }

  #member({ id, devices, data }) {
    const name = nameOf(data) || short(id);
    const more = devices > 1 ? say(el('span', { class: 'devices' }), 'chat.devices', { count: devices }) : null;
    return el('li', { 'data-devices': devices }, avatar(name), el('bdi', {}, name), more);
  }

  #tellTyping() {
    if (!this.#room || performance.now() - this.#typedAt < TYPING_EVERY) return;
    this.#typedAt = performance.now();
    this.connection.send('chat.typing', { room: called(this.#room), name: this.#name });
  }

  #isTyping(name) {
    clearTimeout(this.#typing.get(name));
    this.#typing.set(name, setTimeout(() => this.#stopsTyping(name), TYPING_FOR));
    this.#drawTyping();
  }

  #stopsTyping(name) {
    clearTimeout(this.#typing.get(name));
    if (this.#typing.delete(name)) this.#drawTyping();
  }

  #drawTyping() {
    const node = $('#chat-typing');
    const [name] = this.#typing.keys();
    delete node.dataset.t;
    node.replaceChildren();
    if (this.#typing.size === 1) say(node, 'chat.typing', { name });
    else if (this.#typing.size > 1) say(node, 'chat.typingMany', { count: this.#typing.size });
  }

  #note(key, values) { this.log.note(say(el('span'), key, values)); }

  #show() {
    const here = this.#room;
    $('#room').dataset.joined = String(Boolean(here));
    $('#chat-leave').hidden = !here;
    this.input.disabled = !here;
    byTest('chat-send').disabled = !here;
    if (!here) say($('#room-name'), 'chat.nowhere');
    for (const chip of $('#chat-rooms').children) {
      chip.setAttribute('aria-pressed', String(Boolean(here) && chip.dataset.room === called(here)));
    }
  }
}

// called is a room's name as people say it.
const called = (room) => room.name.slice('chat:'.length);

// nameOf is what a member says it is called; a client may say anything.
const nameOf = (data) => (typeof data?.name === 'string' ? [...data.name.trim()].slice(0, 40).join('') : '');

function remembered() {
  try { return sessionStorage.getItem('finch.name') ?? ''; } catch { return ''; }
}

function remember(name) {
  try { sessionStorage.setItem('finch.name', name); } catch { /* storage may be forbidden */ }
}
