import { Address, type Word } from './address.js';
import { Backoff } from './backoff.js';
import { closed, FinchError, passes, refusal } from './error.js';
import type { Joined, Unsubscribe } from './events.js';
import { Handlers } from './handlers.js';
import type { Host } from './host.js';
import type { Message } from './message.js';
import { Outgoing } from './outgoing.js';
import { Presence } from './presence.js';

/**
 * How it stands with a room, for a page to show. The object is another one
 * after each change. `error` says why one is out, if it was not one's own choice.
 */
export interface RoomState {
  readonly phase: 'out' | 'joining' | 'joined' | 'lagged';
  readonly error?: FinchError;
}

interface Waiting {
  resolve(joined: Joined): void;
  reject(error: FinchError): void;
}

/**
 * Whether this client is in a room: what shall be, what is, and what was asked
 * for. `sync` makes the second follow the first, one question at a time.
 */
export class Membership extends Address {
  /** Who is here. */
  readonly presence: Presence;
  /** How it stands with the room. The same object until it changes. */
  readonly state: RoomState = { phase: 'out' };
  /** @internal */
  readonly listeners: Handlers;
  /** @internal */
  readonly outgoing: Outgoing;
  /** @internal */
  readonly host: Host;
  #error: FinchError | undefined;

  #wanted = false; // the app, or the server, wants this client to be in
  #leaving = false; // the server may still take it to be in, against its will
  #inside = false; // by the server's word on this connection
  #asked: '' | 'hello' | 'join' | 'leave' = ''; // is on its way on this connection
  #lagged = false;
  #stale = ''; // why the position was given up before the server could say anything about it

  #joining: Waiting[] = [];
  #parting: (() => void)[] = [];
  #backoff = new Backoff();

  /** @internal */
  constructor(
    /** Its name. */
    readonly name: string,
    host: Host,
  ) {
    super(host.report);
    this.host = host;
    this.listeners = new Handlers(host.report);
    this.outgoing = host.options.outbox?.outgoing(this, host) ?? new Outgoing(this, host);
    this.presence = new Presence(this);
  }

  /** Calls a function with each new state. */
  onState(fn: (state: RoomState) => void): Unsubscribe {
    return this.listeners.add('state', fn);
  }

  /** @internal The app, or the server, wants this client to be in. */
  get wanted(): boolean {
    return this.#wanted;
  }

  /** @internal By the server's word we are in, and nothing about it is on its way. */
  get joined(): boolean {
    return this.#inside && !this.#asked;
  }

  /** @internal Publishes may go: if we are not to be in, the server says what it thinks of that. */
  get takes(): boolean {
    return this.joined || (!this.#shall && !this.#asked);
  }

  /** @internal Resolves once in. */
  entered(): Promise<Joined> {
    return new Promise((resolve, reject) => {
      if (!this.#wanted) reject(new FinchError('not_in_room', undefined, 403));
      else if (this.joined) resolve({ room: this.name, position: this.position });
      else this.#joining.push({ resolve, reject });
    });
  }

  /**
   * Joins, and stays joined until `leave`. Resolves once in, however long that
   * takes; rejects if the server refuses. Register handlers before. With a
   * position, what came after it follows, or `finch.reset` comes.
   */
  join({ position }: { readonly position?: string } = {}): Promise<Joined> {
    if (this.host.closed) return Promise.reject(closed());
    this.#wanted = true;
    this.#leaving = false;
    this.#error = undefined;
    if (position && !this.position) this.place(position);
    this.sync();
    return this.entered();
  }

  /**
   * Leaves. Nothing of the room reaches a handler from now on, and what was not
   * published yet will not be. Resolves when the server knows it, or when there
   * is no connection: it will not be joined again then.
   */
  leave(): Promise<void> {
    if (!this.#wanted) return Promise.resolve();
    this.#wanted = false;
    this.#leaving = true;
    this.place();
    const error = new FinchError('left');
    if (!this.outgoing.held) this.outgoing.refuse(error);
    this.#fail(error);
    const parted = new Promise<void>((resolve) => this.#parting.push(resolve));
    this.sync();
    return parted;
  }

  /** @internal Asks about this room, over the connection that there is. */
  ask(path: string, data: object, done: (error: FinchError | undefined, answer: object) => void): void {
    this.host.askRoom(path, { room: this.name, ...data }, done);
  }

  /** @internal Asks about this room once one is in, as the app does. */
  async query(path: string, data: object): Promise<object> {
    await this.entered();
    return { ...((await this.host.request(path, { room: this.name, ...data })) as object) };
  }

  /** @internal The position to say in hello; undefined if this is no room to be in. */
  greeting(): string | undefined {
    if (!this.#shall) return undefined;
    this.#asked = 'hello';
    return this.asks();
  }

  /** @internal */
  lost(final: boolean): void {
    this.#inside = this.#lagged = false;
    this.#asked = '';
    this.#backoff.stop();
    this.outgoing.lost(final);
    if (final) this.#fail(closed());
    this.sync();
  }

  /** @internal The position is no good; the app will be told when the server knows another. */
  forget(why: string): void {
    if (this.position) this.#stale = why;
    this.place();
    this.#asked = '';
  }

  /** @internal Makes what is follow what shall be. */
  sync(): void {
    const { open } = this.host;
    if (open && !this.#asked) {
      if (this.#shall && !this.#inside) this.#join();
      else if (!this.#shall && (this.#inside || this.#leaving)) this.#leave();
    }
    if (!open) this.#parted();
    this.#changed();
  }

  /** @internal A message of the app. Shall handlers see it? */
  receive(message: Message): boolean {
    if (this.#leaving || this.#asked === 'leave' || (!this.#wanted && this.outgoing.held)) return false;
    if (message.position === undefined) return true;
    this.#wanted = true; // if it was not, the server has joined us, and its word about it is still to come
    if (!this.take(message)) return false;
    this.#lagged = false;
    this.outgoing.seen(message);
    this.#changed();
    return true;
  }

  /** @internal A message of the framework. */
  control(path: string, word: Joined & Word): void {
    if (this.#asked === 'leave') return;
    if (path === 'finch.joined') this.#enter(word);
    if (path === 'finch.reset') this.#enter(word, word.reason);
    if (path === 'finch.left') this.#left(word);
    if (path === 'finch.position') this.passed(word), this.outgoing.moved();
    if (path === 'finch.lagged') {
      this.#lagged = true;
      this.#tell(path, word);
      this.#changed();
    }
  }

  get #shall(): boolean {
    return this.#wanted || this.outgoing.held;
  }

  #changed(): void {
    if (!this.joined) this.presence.lost();
    const phase = !this.#wanted || this.host.closed ? 'out' : !this.joined ? 'joining' : this.#lagged ? 'lagged' : 'joined';
    if (phase === this.state.phase && this.#error === this.state.error) return;
    (this as { state: RoomState }).state = this.#error ? { phase, error: this.#error } : { phase };
    this.listeners.run('state', this.state);
  }

  #tell(path: string, data: object): void {
    if (!this.#wanted) return;
    const message = { path, data };
    this.handlers.run(path, data, message);
    this.host.emit(message);
  }

  #fail(error: FinchError): void {
    for (const { reject } of this.#joining.splice(0)) reject(error);
  }

  #join(): void {
    const position = this.asks();
    this.#asked = 'join';
    this.ask('finch.join', position ? { position } : {}, (error, word) => {
      this.#asked = '';
      if (!error) return this.#enter(word as Joined);
      if (passes(error)) return this.#later();
      if (error.code === 'bad_position' && position) this.forget(error.code);
      else this.#out(error);
      this.sync();
    });
  }

  #leave(): void {
    this.#asked = 'leave';
    this.ask('finch.leave', {}, (error) => {
      this.#asked = '';
      if (error && passes(error)) return this.#later();
      this.#inside = this.#leaving = false;
      this.#parted();
      this.sync();
    });
  }

  #parted(): void {
    for (const parted of this.#parting.splice(0)) parted();
  }

  #enter(word: Joined & Word, reset = ''): void {
    if (!this.#shall && !this.#leaving) this.#wanted = true; // it was the server that joined us
    this.#inside = true;
    if (this.#asked === 'hello') this.#asked = '';
    this.#backoff.reset();
    if (reset) this.place(word.position);
    else if (this.settled(word)) reset = word.reason ?? 'no_position';
    reset ||= this.#stale;
    this.#stale = '';
    if (reset) this.#tell('finch.reset', { room: this.name, position: this.position, reason: reset });
    else this.#tell('finch.joined', word);
    if (this.joined) for (const { resolve } of this.#joining.splice(0)) resolve(word);
    this.outgoing.moved(!!reset);
    this.presence.load();
    this.sync();
  }

  #left(word: Word): void {
    this.#inside = false;
    if (this.#asked === 'hello') this.#asked = '';
    const error = word.error && refusal(word.error, 403);
    if (error?.code === 'unavailable') return this.#later();
    this.#tell('finch.left', word);
    this.#out(error);
    this.sync();
  }

  #out(error: FinchError | undefined): void {
    this.#wanted = this.#inside = this.#leaving = false;
    this.#parted();
    this.#error = error;
    this.place();
    const why = error ?? new FinchError('left');
    this.outgoing.refuse(why);
    this.#fail(why);
  }

  #later(): void {
    this.#backoff.later(() => this.sync());
    this.#changed();
  }
}
