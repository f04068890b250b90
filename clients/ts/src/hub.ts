import { Backoff } from './backoff.js';
import { claim } from './claim.js';
import { now } from './clock.js';
import { closeCode } from './codes.js';
import { Link, type CloseLike, type WebSocketClass } from './link.js';
import { decode, encode, type Frame, type Message } from './message.js';

/** What a tab tells the hub. */
export type Told = { readonly tab: string } & (
  | { readonly do: 'open'; readonly page: string; readonly url: string; readonly protocols: string[] }
  | { readonly do: 'send'; readonly frame: Frame }
  | { readonly do: 'close'; readonly code?: number | undefined }
);

/** What the hub says to a tab. */
export type Said = { readonly to: string } & (
  | { readonly saw: 'heard'; readonly life?: string } // the lock that the hub holds as long as it lives
  | { readonly saw: 'open' }
  | { readonly saw: 'shared'; readonly tabs: number } // how many of them there are now
  | { readonly saw: 'message'; readonly data: unknown }
  | { readonly saw: 'close'; readonly close: CloseLike }
);

/** One virtual socket. */
interface Tab {
  readonly id: string;
  readonly rooms: Set<string>;
  readonly expects: Set<string>; // rooms of its hello that the server has not spoken of
  readonly watches: Set<string>; // rooms whose presence it follows
}

/** A question of the server, which one of the tabs answers. */
interface Question {
  readonly asked: Set<Tab>;
}

interface Hello {
  readonly ticket?: string;
  readonly rooms?: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly everyone?: string;
}

interface Word {
  readonly room?: string;
  readonly to?: string;
  readonly position?: string;
  readonly recovered?: boolean;
  readonly reason?: string;
  readonly ticket?: string;
}

type Reply = (message: Message) => void;

const STEADY = 10_000; // milliseconds after which a connection counts as a good one
const MOST_SILENT = 1000;

/**
 * The one connection of all tabs, and the exchange between it and them. To each
 * tab it looks like the server, and to the server like one client that is in a
 * room as long as one of its tabs is. It keeps order, and knows nothing of what
 * apps say.
 */
export class Hub {
  #post: (said: Said) => void;
  #WebSocket: WebSocketClass;
  #tabs = new Map<string, Tab>();
  #backoff = new Backoff(5000, 20_000);
  #silent = new Map<string, Tab>(); // keys of publishes that their own tab does not want back
  #ticket = '';
  #attempt = 0; // of the hellos with a ticket, of all tabs

  // Of the connection that there is.
  #link: Link | undefined;
  #since: number | undefined; // when it opened
  #replies = new Map<unknown, Reply>();
  #lastId = 0;
  #questions = new Map<unknown, Question>();
  #greeting: object | undefined; // the server's answer to the hello of the first tab
  #greeted = false; // that hello is on its way, or answered
  #first: { readonly tab: Tab; readonly asks: Set<string> } | undefined; // who said it, and of what the server has not spoken yet
  #waiting: [Tab, Message][] = []; // hellos that wait for it
  #granted = new Set<string>(); // rooms that the server joined
  #places = new Map<string, string>(); // positions at what is recorded for the user and for everyone

  constructor(post: (said: Said) => void, WebSocket: WebSocketClass = globalThis.WebSocket) {
    this.#post = post;
    this.#WebSocket = WebSocket;
  }

  /** A tab says something. */
  receive(told: Told): void {
    if (told.do === 'open') return this.#open(told.tab, told.page, told.url, told.protocols);
    const tab = this.#tabs.get(told.tab);
    if (!tab) return;
    if (told.do === 'send') return this.#fromTab(tab, told.frame);
    if (told.code === 1000) return this.#gone(tab);
    // It trusts the connection no more, or was told to come back later: that concerns all.
    this.#link?.end();
    this.#lost({ code: 1006, reason: '' });
  }

  #open(id: string, page: string, url: string, protocols: string[]): void {
    this.#post({ to: id, saw: 'heard' });
    if (this.#tabs.has(id)) return;
    const tab: Tab = { id, rooms: new Set(), expects: new Set(), watches: new Set() };
    this.#tabs.set(id, tab);
    this.#count();
    // A page holds this lock as long as it lives; it cannot say goodbye when it is killed.
    void claim(pageLock(page), true).then((release) => {
      release?.();
      this.#gone(tab);
    });
    if (this.#since !== undefined) return this.#post({ to: id, saw: 'open' });
    if (this.#link) return;
    try {
      this.#link = new Link(this.#WebSocket, url, protocols, {
        opened: () => this.#opened(),
        received: (raw) => this.#fromServer(raw),
        lost: (close) => this.#lost(close),
      });
    } catch (error) {
      this.#lost({ code: 1006, reason: `${error}` });
    }
  }

  #opened(): void {
    this.#since = now();
    for (const to of this.#tabs.keys()) this.#post({ to, saw: 'open' });
  }

  /** All tabs lose their sockets, and are told when to come back: together, and as if there were one. */
  #lost({ code, reason }: CloseLike): void {
    if (this.#since !== undefined && now() - this.#since >= STEADY) this.#backoff.reset();
    const retry = closeCode(code).action.startsWith('retry');
    const close = { code, reason, ...(retry && { delay: this.#backoff.next() }) };
    this.#end();
    for (const to of this.#tabs.keys()) this.#post({ to, saw: 'close', close });
    this.#tabs.clear();
  }

  #end(): void {
    this.#link = this.#greeting = this.#first = this.#since = undefined;
    this.#greeted = false;
    this.#waiting = [];
    this.#replies.clear();
    this.#questions.clear();
    this.#granted.clear();
  }

  /** A tab has closed its socket, or its page has ended. */
  #gone(tab: Tab): void {
    if (!this.#tabs.delete(tab.id)) return;
    for (const [id, question] of this.#questions) this.#declined(id, question, tab);
    for (const room of tab.watches) if (!this.#others(room, tab, 'watches')) this.#ask('finch.presence', { room, watch: false, limit: 1 });
    for (const room of tab.rooms) if (!this.#others(room, tab, 'rooms') && !this.#granted.has(room)) this.#ask('finch.leave', { room });
    if (this.#tabs.size) return this.#count();
    this.#link?.end(1000);
    this.#end();
  }

  #count(): void {
    for (const to of this.#tabs.keys()) this.#post({ to, saw: 'shared', tabs: this.#tabs.size });
  }

  #others(room: string, tab: Tab, what: 'rooms' | 'watches'): boolean {
    return [...this.#tabs.values()].some((other) => other !== tab && other[what].has(room));
  }

  // What tabs say to the server.

  #fromTab(tab: Tab, frame: Frame): void {
    const message = decode(frame);
    if (!message) return this.#link?.send(frame); // no message of ours: the server may know it
    if ('reply' in message) return this.#answered(tab, message, frame);
    if (!('id' in message)) return this.#link?.send(frame);
    if (message.path === 'finch.hello') return this.#hello(tab, message);
    const data = message.data as Readonly<Record<string, unknown>> | null;
    const room = `${data?.['room']}`;
    switch (message.path) {
      case 'finch.join':
        return this.#forward(tab, message, () => void tab.rooms.add(room));
      case 'finch.leave':
        tab.rooms.delete(room);
        tab.watches.delete(room);
        if (this.#others(room, tab, 'rooms')) return this.#say(tab, { path: message.path, reply: message.id, data: null });
        return this.#forward(tab, message);
      case 'finch.presence':
        return this.#presence(tab, message, room, data?.['watch']);
      case 'finch.publish':
        if (data?.['echo'] !== false) return this.#forward(tab, message);
        // The server would spare the other tabs, too: it takes them for one client. (Whether there are others makes no
        // difference: a message that is tried again has to be the same.)
        if (this.#silent.size >= MOST_SILENT) this.#silent.clear();
        this.#silent.set(`${data['key']}`, tab);
        return this.#forward(tab, { ...message, data: { ...data, echo: true } });
    }
    this.#forward(tab, message);
  }

  #presence(tab: Tab, message: Message, room: string, watch: unknown): void {
    if (watch === true) return this.#forward(tab, message, () => void tab.watches.add(room));
    if (watch !== false) return this.#forward(tab, message);
    tab.watches.delete(room);
    if (!this.#others(room, tab, 'watches')) return this.#forward(tab, message);
    this.#say(tab, { path: message.path, reply: message.id, data: { members: [], count: 0 } });
  }

  /** Asks the server in the name of a tab. */
  #forward(tab: Tab, { id, ...message }: Message, good?: () => void): void {
    this.#send(message, (answer) => {
      if (!failed(answer)) good?.();
      this.#say(tab, { ...answer, reply: id });
    });
  }

  #ask(path: string, data: object, reply: Reply = () => {}): void {
    this.#send({ path, data }, reply);
  }

  #send({ data, ...envelope }: { readonly path: string; readonly data: unknown }, reply: Reply): void {
    const id = ++this.#lastId;
    this.#replies.set(id, reply);
    this.#link?.send(encode({ ...envelope, id }, data));
  }

  /** The first hello of a connection goes to the server; the others are answered from its answer. */
  #hello(tab: Tab, message: Message): void {
    if (this.#greeting) return this.#welcome(tab, message, this.#greeting);
    if (this.#greeted) return void this.#waiting.push([tab, message]);
    const hello = { ...(message.data as Hello) };
    const ticket = this.#ticket || hello.ticket;
    this.#greeted = true;
    this.#first = { tab, asks: new Set(['user', 'everyone']) };
    for (const room of Object.keys(hello.rooms ?? {})) tab.expects.add(room);
    for (const to of ['user', 'everyone'] as const) if (hello[to]) this.#places.set(to, hello[to]);
    this.#forwardHello(tab, { ...message, data: { ...hello, ...(ticket && { ticket, attempt: (this.#attempt = Math.max(this.#attempt + 1, Date.now())) }) } });
  }

  #forwardHello(tab: Tab, { id, ...message }: Message): void {
    this.#send(message, (answer) => {
      this.#greeted = !failed(answer);
      if (this.#greeted) {
        this.#greeting = { ...(answer.data as object) };
        this.#keep(answer.data as Word);
      }
      this.#say(tab, { ...answer, reply: id });
      const waiting = this.#waiting.splice(0);
      for (const [other, hello] of waiting) if (this.#tabs.has(other.id)) this.#hello(other, hello);
    });
  }

  #welcome(tab: Tab, { path, id, data }: Message, greeting: { readonly resumed?: boolean; readonly reason?: string }): void {
    const { ticket, rooms = {}, ...places } = { ...(data as Hello) };
    const resumed = !!ticket && greeting.resumed === true;
    this.#say(tab, { path, reply: id, data: { ...greeting, resumed, reason: ticket && !resumed ? (greeting.reason ?? 'bad_ticket') : undefined, ticket: this.#ticket } });
    for (const [room, position] of Object.entries(rooms)) this.#enter(tab, room, position);
    for (const room of this.#granted) if (!Object.hasOwn(rooms, room)) this.#enter(tab, room, '');
    for (const to of ['user', 'everyone'] as const) {
      const [asked, position] = [places[to], this.#places.get(to)];
      if (asked === undefined) continue;
      if (asked === position) this.#note(tab, 'joined', { to, position, recovered: true, missed: 0 });
      else this.#note(tab, 'reset', { to, position: position ?? '', reason: 'no_position' });
    }
  }

  /** Lets a tab into a room of its hello, as the server would. */
  #enter(tab: Tab, room: string, position: string): void {
    this.#ask('finch.join', { room, ...(position && { position }) }, (answer) => {
      if (failed(answer)) return this.#note(tab, 'left', { room, error: answer.error });
      tab.rooms.add(room);
      const word = { ...(answer.data as Word), room };
      this.#note(tab, word.recovered === false ? 'reset' : 'joined', word);
    });
  }

  // What the server says to tabs.

  #fromServer(raw: unknown): void {
    const message = decode(raw);
    if (!message) return this.#tell(this.#tabs.values(), raw);
    if ('reply' in message) {
      const reply = this.#replies.get(message.reply);
      this.#replies.delete(message.reply);
      return reply?.(message);
    }
    if ('id' in message) {
      this.#questions.set(message.id, { asked: new Set(this.#tabs.values()) });
      return this.#tell(this.#tabs.values(), raw);
    }
    const word = { ...(message.data as Word) };
    if (!message.path.startsWith('finch.')) this.#event(message, raw);
    else if (message.path === 'finch.presence') this.#tell(this.#which((tab) => tab.watches.has(`${message.room}`)), raw);
    else this.#tell(this.#control(message.path, word), raw);
  }

  /** A message of the app goes to those who are in its room. */
  #event(message: Message, raw: unknown): void {
    const { room, to, position, key } = message;
    if (to !== undefined && position !== undefined) this.#places.set(to, position);
    const inside = room === undefined ? [] : this.#which((tab) => tab.rooms.has(room));
    const author = this.#silent.get(`${key}`);
    if (author && inside.includes(author)) {
      this.#silent.delete(`${key}`);
      this.#note(author, 'position', { room, position });
    }
    // A room in which no tab is: the server has joined us, and its word about it is still to come.
    this.#tell(inside.length ? inside.filter((tab) => tab !== author) : this.#tabs.values(), raw);
  }

  /** Whom a message of the framework concerns. */
  #control(path: string, { room, to, position, recovered, ticket }: Word): Iterable<Tab> {
    if (ticket) this.#keep({ ticket });
    const kind = path.slice('finch.'.length);
    if (to !== undefined) {
      const first = this.#first;
      const asked = first?.asks.delete(to);
      if (position !== undefined) this.#places.set(to, position);
      return first && asked && kind === 'joined' && recovered ? [first.tab] : this.#tabs.values();
    }
    if (room === undefined) return this.#tabs.values();
    const expecting = this.#which((tab) => tab.expects.has(room));
    const inside = this.#which((tab) => tab.rooms.has(room));
    for (const tab of expecting) tab.expects.delete(room);
    if (kind === 'left') {
      this.#granted.delete(room);
      for (const tab of inside) tab.rooms.delete(room);
    } else if (kind === 'joined' && !expecting.length) {
      this.#granted.add(room); // unasked: it is the server that wants us there, all of us
      for (const tab of this.#tabs.values()) tab.rooms.add(room);
      return this.#tabs.values();
    } else {
      for (const tab of expecting) tab.rooms.add(room);
    }
    return new Set([...expecting, ...inside]);
  }

  #which(good: (tab: Tab) => boolean): Tab[] {
    return [...this.#tabs.values()].filter(good);
  }

  /** The first tab that can answers; those that cannot say so. */
  #answered(tab: Tab, message: Message, frame: Frame): void {
    const question = this.#questions.get(message.reply);
    if (!question) return;
    if (message.error?.code === 'unknown_path') return this.#declined(message.reply, question, tab, frame);
    this.#questions.delete(message.reply);
    this.#link?.send(frame);
  }

  #declined(id: unknown, { asked }: Question, tab: Tab, frame?: Frame): void {
    asked.delete(tab);
    if (asked.size) return;
    this.#questions.delete(id);
    this.#link?.send(frame ?? JSON.stringify({ reply: id, status: 404, error: { code: 'unknown_path', message: 'nobody is here any more' } }));
  }

  #keep({ ticket }: Word): void {
    if (ticket) this.#ticket = ticket;
  }

  #note(tab: Tab, kind: string, data: object): void {
    this.#say(tab, { path: `finch.${kind}`, status: 200, data });
  }

  #say(tab: Tab, { data, ...envelope }: { readonly data?: unknown; readonly [field: string]: unknown }): void {
    const frame = encode(envelope, data);
    this.#tell([tab], typeof frame === 'string' ? frame : frame.buffer);
  }

  #tell(tabs: Iterable<Tab>, data: unknown): void {
    for (const { id } of tabs) if (this.#tabs.has(id)) this.#post({ to: id, saw: 'message', data });
  }
}

const failed = ({ error, status }: Message): boolean => error !== undefined || status >= 400;

/** The lock that a page holds as long as it lives. */
export const pageLock = (page: string): string => `finch-page:${page}`;
