import { claim, type Release } from './claim.js';
import { Timer } from './clock.js';
import { closed, type FinchError } from './error.js';
import type { Host } from './host.js';
import type { Membership } from './membership.js';
import { notSent, Outgoing, unknown, type Entry } from './outgoing.js';
import type { Room } from './room.js';
import type { PublishStore } from './store.js';
import { keepTicket } from './ticket.js';
import { Vault, type Kept } from './vault.js';

/** What became of a publish that an earlier page had left behind. */
export interface Outcome {
  readonly room: string;
  readonly path: string;
  readonly data: unknown;
  readonly key: string;
  /** Absent: it was recorded. `outcome_unknown`: perhaps it was; anything else: it was not. */
  readonly error?: FinchError;
}

/** How to keep publishes. */
export interface OutboxOptions {
  /**
   * Who writes here: what one user left behind is never published as another. An
   * app in which nobody signs in gives any word.
   */
  readonly user: string;
  /** Gets what became of publishes that an earlier page had left behind: its own promises are gone with it. */
  readonly onOutcome?: (outcome: Outcome) => void;
  /** Gets why publishes cannot be kept: the storage is full, or forbidden. They are sent all the same. By default console.warn. */
  readonly onProblem?: (error: unknown) => void;
  /** How many milliseconds a publish that was never tried may wait for a page that sends it: one day by default. */
  readonly maxAge?: number;
  /** Name of the database: `finch-outbox` by default. */
  readonly name?: string;
}

const DAY = 86_400_000;
const FOREIGN = 30 * DAY; // how long what another user left is kept for that user

/**
 * Keeps publishes until it is known what became of them, beyond the life of the
 * page. Give it to `connect` as the option `outbox`, one for each client:
 *
 * ```ts
 * const client = connect('/ws', { outbox: outbox({ user: 'ann' }) });
 * ```
 *
 * A page that is loaded after a crash sends what the other left, in order and
 * under the same keys, and joins its rooms for as long as that takes. What was
 * tried too long ago is not tried again: its outcome is unknown.
 */
export function outbox(options: OutboxOptions): Outbox {
  return new Outbox(options);
}

/** See `outbox`. */
export class Outbox implements PublishStore {
  /** False while publishes cannot be kept: they are sent, but would not survive the page. */
  keeps = true;
  /** @internal The newest ticket. */
  ticket: string;
  /** @internal What earlier pages left was looked through. */
  ready = false;
  #options: OutboxOptions;
  #vault: Vault;
  #from = '';
  #outgoings = new Map<string, KeptOutgoing>();
  #kept = new WeakMap<Entry, Kept>();
  #left = new WeakSet<Entry>(); // by an earlier page

  // Each page owns what it writes, and holds a lock for as long as it lives: who gets that lock later gets what is left.
  #owner = '';
  #number = 0;
  #held: Promise<Release | undefined>[] = [];
  #known = new Set<string>(); // owners that are taken care of

  /** Use `outbox`. */
  constructor(options: OutboxOptions) {
    const { name = 'finch-outbox', user } = options;
    this.#options = options;
    this.#vault = new Vault(name);
    this.ticket = keepTicket(`${name}:${user}`, () => this.ticket);
    this.#begin();
  }

  /** @internal What publishes to a room, and keeps it. */
  outgoing(room: Membership, host: Host): Outgoing {
    const outgoing = new KeptOutgoing(room, host, this);
    this.#outgoings.set(room.name, outgoing);
    return outgoing;
  }

  /** @internal A connection is there, and `from` says as whom. */
  greeted(from: string, room: (name: string) => Room): void {
    this.#from = from;
    void this.#look(room);
  }

  /** @internal Resolves when a publish is kept, or cannot be. */
  async save(room: string, entry: Entry): Promise<void> {
    const { path, data, key, echo, tried } = entry;
    const first = this.#kept.get(entry) ?? { owner: this.#owner, number: ++this.#number, user: this.#options.user, written: Date.now(), room, path, data, key, echo };
    const kept = { ...first, from: this.#from, tried };
    this.#kept.set(entry, kept);
    const put = this.#try(this.#vault.put(kept).then(() => void (this.keeps = true)));
    if (this.keeps) await put; // a storage that failed holds nothing up; if it works again, so much the better
  }

  /** @internal It is decided what became of a publish. */
  drop(entry: Entry, error: FinchError | undefined): void {
    const kept = this.#kept.get(entry);
    if (!kept) return;
    this.#kept.delete(entry);
    this.#decided(kept, error, this.#left.has(entry));
  }

  /** @internal The client is closed: what is left is for others. */
  release(): void {
    for (const held of this.#held.splice(0)) void held.then((release) => release?.());
    this.ready = false;
    this.#begin();
  }

  #begin(): void {
    this.#owner = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join('-');
    this.#number = 0;
    this.#known = new Set([this.#owner]);
    this.#held = [claim(lockOf(this.#owner), true)];
  }

  /** Looks for what pages left that have ended, and waits for the end of those that live. */
  async #look(room: (name: string) => Room): Promise<void> {
    const owner = this.#owner;
    const all = (await this.#try(this.#vault.all())) ?? [];
    if (owner !== this.#owner) return; // the client was closed meanwhile
    const owners = new Set(all.sort((a, b) => a.written - b.written).map((kept) => kept.owner));
    for (const other of owners) {
      if (this.#known.has(other)) continue;
      this.#known.add(other);
      const take = (release: Release | undefined): Promise<void> | undefined => release && this.#take(other, owner, room, release);
      const release = await claim(lockOf(other), false);
      if (release) await take(release);
      else void claim(lockOf(other), true).then(take);
    }
    this.ready ||= owner === this.#owner;
    for (const outgoing of this.#outgoings.values()) outgoing.pump();
  }

  /** Takes over what a page left that has ended. */
  async #take(other: string, owner: string, room: (name: string) => Room, release: Release): Promise<void> {
    const left = ((await this.#try(this.#vault.all())) ?? []).filter((kept) => kept.owner === other && this.#ours(kept));
    if (owner !== this.#owner || !left.length) return release();
    this.#held.push(Promise.resolve(release));
    const rooms = new Map<string, Kept[]>();
    for (const kept of left) rooms.set(kept.room, [...(rooms.get(kept.room) ?? []), kept]);
    for (const [name, kept] of rooms) {
      room(name); // makes its outgoing, if there was none
      this.#adopt(this.#outgoings.get(name)!, kept);
    }
  }

  /** Is it of the same user? What is too old for anybody is thrown away on the way. */
  #ours(kept: Kept): boolean {
    const ours = kept.user === this.#options.user;
    if (!ours && Date.now() - kept.written > FOREIGN) void this.#try(this.#vault.delete(kept));
    return ours;
  }

  #adopt(outgoing: KeptOutgoing, all: readonly Kept[]): void {
    const { maxAge = DAY } = this.#options;
    const entries: Entry[] = [];
    for (const kept of all) {
      const age = Date.now() - (kept.tried || kept.written);
      // What was tried goes again only while the server knows its key, which is one of this publisher.
      const good = kept.tried ? kept.from === this.#from && age >= 0 && age < outgoing.timeout : age < maxAge;
      if (!good) {
        this.#decided(kept, kept.tried ? unknown() : notSent(), true);
        continue;
      }
      const { path, data, key, echo, tried } = kept;
      const entry: Entry = { path, data, key, echo, tried, due: false, flying: false, deadline: new Timer(), resolve: () => {}, reject: () => {} };
      this.#kept.set(entry, kept);
      this.#left.add(entry);
      entries.push(entry);
    }
    outgoing.adopt(entries);
  }

  #decided(kept: Kept, error: FinchError | undefined, left: boolean): void {
    void this.#try(this.#vault.delete(kept));
    const { room, path, data, key } = kept;
    if (left) this.#options.onOutcome?.({ room, path, data, key, ...(error && { error }) });
  }

  async #try<T>(act: Promise<T>): Promise<T | undefined> {
    try {
      return await act;
    } catch (error) {
      const { onProblem = console.warn } = this.#options;
      if (this.keeps) onProblem(error); // once, and not with each publish
      this.keeps = false;
      return undefined;
    }
  }
}

const lockOf = (owner: string): string => `finch-outbox:${owner}`;

/** Outgoing publishes that are kept. They have a time limit only once they were tried. */
class KeptOutgoing extends Outgoing {
  #box: Outbox;
  #saving = new WeakSet<Entry>();

  constructor(room: Membership, host: Host, box: Outbox) {
    super(room, host);
    this.#box = box;
  }

  override get held(): boolean {
    return this.entries.some((entry) => entry.recorded === undefined);
  }

  override added(entry: Entry): void {
    queueMicrotask(() => {
      if (!entry.tried && this.entries.includes(entry)) void this.#box.save(this.room.name, entry); // or its turn, or its end, has come already
    });
  }

  /** Before a first try the disk has to know of it, or after a crash nobody would. */
  override prepared(entry: Entry): boolean {
    if (!this.#box.ready) return false;
    if (!entry.tried) {
      entry.tried = Date.now();
      this.#saving.add(entry);
      void this.#box.save(this.room.name, entry).then(() => {
        this.#saving.delete(entry);
        this.pump();
      });
    }
    return !this.#saving.has(entry);
  }

  override done(entry: Entry, error?: FinchError): void {
    super.done(entry, error);
    this.#box.drop(entry, error);
  }

  override lost(final: boolean): void {
    if (final) for (const entry of this.entries) entry.reject(closed()); // it may still be sent, by a later page
    super.lost(final);
    if (final) this.#box.release();
  }

  /** Takes over what an earlier page left: it goes before what this one has. */
  adopt(entries: readonly Entry[]): void {
    this.entries.unshift(...entries);
    for (const entry of entries) {
      entry.due = entry.tried > 0;
      if (entry.due) this.expire(entry, this.timeout - (Date.now() - entry.tried));
    }
    this.changed();
    this.room.sync();
    this.pump();
  }
}
