import { Address, type Word } from './address.js';
import { Client } from './client.js';
import { FinchError, LOST } from './error.js';
import type { Events, Joined } from './events.js';
import type { Host } from './host.js';
import type { Message } from './message.js';
import type { RoomsOptions } from './options.js';
import { Room } from './room.js';

/** A client with rooms: a session, which goes on from where it stood when one connection ends and another begins. */
export class RoomsClient<E extends Events = {}> extends Client<E> {
  /** @internal */
  declare readonly options: RoomsOptions;
  #rooms = new Map<string, Room<E>>();
  #recorded: ReadonlyMap<unknown, Address>; // what is recorded for this user, and for everyone
  #ticket: string;
  #attempt = 0; // rises from hello to hello, over reloads too, so that the server knows a late one
  #from = ''; // the name under which others see this client
  #bare = false; // hello was refused, and is said without ticket, positions and rooms, which are then asked for one by one

  /** Use `connect`. */
  constructor(url: string | URL, options: RoomsOptions = {}) {
    super(url, options);
    this.#ticket = options.outbox?.ticket ?? '';
    this.#recorded = new Map(['user', 'everyone'].map((to) => [to, new Address(this.report)]));
  }

  /** A room: the same object for the same name. One is not in it before `join`. */
  room(name: string): Room<E> {
    let room = this.#rooms.get(name);
    if (!room) this.#rooms.set(name, (room = new Room<E>(name, this as unknown as Host)));
    return room;
  }

  /** @internal */
  override greeting(): object {
    const ticket = this.#ticket && { ticket: this.#ticket, attempt: (this.#attempt = Math.max(this.#attempt + 1, Date.now())) };
    const rooms = this.#bare ? {} : Object.fromEntries([...this.#rooms].map(([name, room]) => [name, room.greeting()]));
    const recorded = [...this.#recorded].map(([to, address]) => [to, address.asks() || undefined]);
    return { ...ticket, rooms, ...Object.fromEntries(recorded) };
  }

  /** @internal */
  override greeted(error: FinchError | undefined, hello: unknown): boolean {
    const { ticket, reason, from = this.#from } = { ...(hello as Hello | null) };
    const again = !!error && !this.#bare;
    this.#bare = again;
    if (error) {
      this.#ticket = '';
      this.#each((room) => room.forget(error.code));
      for (const address of this.#recorded.values()) address.place();
    }
    this.#keep(ticket ?? this.#ticket);
    // The server knows keys by who publishes: as somebody else nothing may be tried again.
    // And what one user wrote must not be published as another at all.
    if (this.#from && from !== this.#from) this.#each((room) => room.outgoing.refuse(reason === 'other_user' ? new FinchError(reason) : undefined));
    this.#from = from;
    return again;
  }

  /** @internal */
  override opened(): void {
    this.options.outbox?.greeted(this.#from, (name) => this.room(name) as Room);
    this.#each((room) => room.sync());
  }

  /** @internal */
  override lost(final: boolean): void {
    this.#each((room) => room.lost(final));
  }

  /** @internal */
  override received(message: Message): boolean {
    const { path, data, room, to } = message;
    if (path.startsWith('finch.')) return this.#control(path, { ...(data as Word & Joined) }, room);
    if (to !== undefined) return this.#recorded.get(to)?.take(message) === false;
    if (room === undefined || (message.position === undefined && !this.#rooms.has(room))) return false;
    const at = this.room(room);
    if (!at.receive(message)) return true;
    at.handlers.run(path, data, message);
    return false;
  }

  #control(path: string, word: Word & Joined, room: string | undefined): boolean {
    if (word.ticket) this.#keep(word.ticket);
    if (path === 'finch.presence' && room !== undefined) this.#rooms.get(room)?.presence.change(word as object);
    if (!/\.(joined|reset|left|lagged|position)$/.test(path)) return false;
    if (word.room !== undefined) this.room(word.room).control(path, word);
    else this.#recordedHere(path, word);
    return true;
  }

  #recordedHere(path: string, word: Word): void {
    const address = this.#recorded.get(word.to);
    if (path === 'finch.position') return address?.passed(word);
    let reason = word.reason;
    if (path === 'finch.reset') address?.place(word.position);
    if (path === 'finch.joined' && address?.settled(word)) [path, reason] = ['finch.reset', reason ?? 'no_position'];
    this.emit({ path, data: { ...word, reason } });
  }

  /** @internal */
  get closed(): boolean {
    return this.state.phase === 'closed';
  }

  /** @internal */
  askRoom(path: string, data: object, done: (error: FinchError | undefined, answer: object) => void): void {
    this.ask(path, data, (error, answer) => error?.code === LOST || done(error, { ...(answer.data as object) }));
  }

  #each(fn: (room: Room<E>) => void): void {
    this.#rooms.forEach(fn);
  }

  #keep(ticket: string): void {
    this.#ticket = ticket;
    if (this.options.outbox) this.options.outbox.ticket = ticket;
  }
}

interface Hello {
  readonly ticket?: string;
  readonly from?: string;
  readonly reason?: string;
}
