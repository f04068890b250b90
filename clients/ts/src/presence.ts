import { passes, type FinchError } from './error.js';
import type { Unsubscribe } from './events.js';
import type { Membership } from './membership.js';
import { Backoff } from './backoff.js';

/** Somebody in a room. */
export interface Member {
  /** The user, or the socket of an anonymous client. */
  readonly id: string;
  readonly devices: number;
  /** Since when, in Unix milliseconds. */
  readonly since: number;
  /** What this member says of itself. */
  readonly data?: unknown;
}

/** Who is in a room. The object is another one after each change. */
export interface PresenceState {
  /** In order of their ids. */
  readonly members: readonly Member[];
  readonly count: number;
  /** False until the list is whole, and while one is not in the room or not connected: then it is what it was. */
  readonly ready: boolean;
  /** Why it cannot be had, if so. */
  readonly error?: FinchError;
}

interface Page {
  readonly members?: readonly Member[];
  readonly count?: number;
  readonly next?: string;
}

interface Change {
  readonly joined?: readonly Member[];
  readonly updated?: readonly Member[];
  readonly left?: readonly string[];
  readonly count?: number;
  readonly partial?: boolean;
}

const PATH = 'finch.presence';

/** Who is in a room, kept up to date while somebody watches. */
export class Presence {
  #room: Membership;
  #watching = 0;
  #state: PresenceState = { members: [], count: 0, ready: false };
  #members = new Map<string, Member>();
  #crossing: Change[] | undefined; // while a list is read, page by page: what changes meanwhile, to be applied once more behind it
  #reading = 0; // which reading is the newest; answers to older ones are ignored
  #own: { readonly data: unknown } | undefined;
  #backoff = new Backoff();

  /** @internal */
  constructor(room: Membership) {
    this.#room = room;
  }

  /** Who is there. The same object until it changes. */
  get state(): PresenceState {
    return this.#state;
  }

  /** Watches: calls a function with each new state, until the end of the watch. */
  watch(fn: (state: PresenceState) => void): Unsubscribe {
    const unsubscribe = this.#room.listeners.add('presence', (state: PresenceState) => fn(state));
    if (!this.#watching++) this.load();
    let watching = true;
    return () => {
      unsubscribe();
      if (!watching) return;
      watching = false;
      if (!--this.#watching && this.#room.joined) this.#ask({ watch: false, limit: 1 });
    };
  }

  /** Asks once who is there. One must have joined. */
  async read(): Promise<readonly Member[]> {
    const all = new Map<string, Member>();
    let after: string | undefined;
    do {
      const { members = [], next } = (await this.#room.query(PATH, { after })) as Page;
      for (const member of members) all.set(member.id, member);
      after = next;
    } while (after);
    return sorted(all);
  }

  /** Sets what others see as this member's `data`: JSON of 1 KiB at most. It is said again after each reconnect. */
  async set(data: unknown): Promise<void> {
    this.#own = { data };
    await this.#room.query(PATH, { data, limit: 1 });
  }

  /** @internal Reads the list, if somebody watches: the room was entered, or too much has changed. */
  load(): void {
    this.#backoff.stop();
    if (!this.#room.joined) return;
    if (!this.#watching) return this.#own && this.#ask({ ...this.#own, limit: 1 });
    this.#crossing = [];
    this.#read(++this.#reading, new Map(), this.#own);
  }

  /** @internal */
  change(change: Change): void {
    this.#crossing?.push(change);
    if (change.partial) {
      if (!this.#crossing) this.load();
    } else if (this.#state.ready) {
      apply(change, this.#members);
      this.#show({ count: change.count, ready: true });
    }
  }

  /** @internal We are not in the room, or do not know it. */
  lost(): void {
    this.#reading++;
    this.#crossing = undefined;
    this.#backoff.stop();
    if (this.#state.ready) this.#show({ ready: false });
  }

  #read(reading: number, coming: Map<string, Member>, more: object | undefined): void {
    this.#ask({ watch: true, ...more }, (error, { members = [], count, next }) => {
      if (reading !== this.#reading) return; // another reading began meanwhile
      for (const member of members) coming.set(member.id, member);
      if (next) return this.#read(reading, coming, { after: next });
      const crossed = this.#crossing!;
      this.#crossing = undefined;
      if (error) {
        if (passes(error)) this.#backoff.later(() => this.load());
        return this.#show({ ready: false, error });
      }
      this.#backoff.reset();
      this.#members = coming;
      for (const change of crossed) apply(change, coming);
      if (crossed.some(({ partial }) => partial)) this.load();
      this.#show({ ready: true, count: crossed.at(-1)?.count ?? count });
    });
  }

  #ask(data: object, done: (error: FinchError | undefined, page: Page) => void = () => {}): void {
    this.#room.ask(PATH, data, done);
  }

  #show({ count = this.#members.size, ready, error }: { count?: number | undefined; ready: boolean; error?: FinchError }): void {
    this.#state = { members: sorted(this.#members), count, ready, ...(error && { error }) };
    this.#room.listeners.run('presence', this.#state);
  }
}

function apply({ joined = [], updated = [], left = [] }: Change, members: Map<string, Member>): void {
  for (const member of [...joined, ...updated]) members.set(member.id, member);
  for (const id of left) members.delete(id);
}

const sorted = (members: ReadonlyMap<string, Member>): Member[] => [...members.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
