import { Backoff } from './backoff.js';
import { Timer } from './clock.js';
import { closed, FinchError, passes } from './error.js';
import type { Host } from './host.js';
import type { Membership } from './membership.js';
import type { Message } from './message.js';
import { isAfter } from './position.js';
import type { StoredPublish } from './store.js';

/** Where a publish was recorded. */
export interface Recorded {
  readonly position: string;
  /** It had been recorded before, by an earlier try. */
  readonly duplicate?: boolean;
}

/** A publish on its way. Await it, or show it by its key meanwhile. */
export interface Publication extends Promise<Recorded> {
  readonly key: string;
}

/** How to publish. */
export interface PublishOptions {
  /** The key under which it is recorded once, however often it is tried: a random one by default. */
  readonly key?: string;
  /** False: the message does not come back to this client. */
  readonly echo?: boolean;
}

/** A publish that has not come back yet. */
export interface PendingPublish {
  readonly key: string;
  readonly path: string;
  readonly data: unknown;
  /** The server has it; the message itself is still to come. */
  readonly recorded: boolean;
}

interface Entry extends StoredPublish {
  tried: number; // when it was first tried, by the wall; 0: not yet
  saving?: boolean; // the store is told of the first try; true until it knows
  due: boolean; // the deadline runs
  flying: boolean; // sent on this connection, and not answered
  recorded?: string; // where
  readonly deadline: Timer;
  resolve(recorded: Recorded): void;
  reject(error: unknown): void;
}

const MOST_FLYING = 32;

/**
 * What this client publishes to one room: in order, each under a key that was
 * chosen before the first try and is the same in every other, until the server
 * has answered or the time is over.
 */
export class Outgoing {
  pending: readonly PendingPublish[] = [];
  #room: Membership;
  #host: Host;
  #entries: Entry[] = [];
  #paused = false;
  #backoff: Backoff;

  constructor(room: Membership, host: Host) {
    this.#room = room;
    this.#host = host;
    const { publishRetry = 1000 } = host.options;
    this.#backoff = new Backoff(publishRetry, 8 * publishRetry);
  }

  /** What is stored has to go, whether or not the app wants to be in the room. */
  get held(): boolean {
    return !!this.#host.options.outbox && this.#entries.some((e) => e.recorded === undefined);
  }

  publish(path: string, data: unknown, { key = newKey(), echo = true }: PublishOptions = {}): Publication {
    const promise = new Promise<Recorded>((resolve, reject) => {
      const { queue = 256, outbox } = this.#host.options;
      if (this.#host.closed) throw closed();
      if (!this.#room.wanted) throw new FinchError('not_in_room', 'Join the room first.', 403);
      if (this.#entries.length >= queue) throw new FinchError('not_sent', 'Too much is waiting already.');
      // What is changed later must not go under the same key: that would be another message.
      const copy: unknown = JSON.parse(JSON.stringify(data ?? null));
      const entry = this.#entry({ room: this.#room.name, path, data: copy, key, echo, tried: 0 }, resolve, reject);
      this.#entries.push(entry);
      this.pump();
      if (!entry.tried) void outbox?.save(entry);
      this.#changed();
    });
    return Object.assign(promise, { key });
  }

  /** Takes over what an earlier page left behind. */
  adopt(stored: readonly StoredPublish[]): void {
    const entries = stored.map((s) => this.#entry(s, () => {}, () => {}));
    this.#entries.unshift(...entries);
    for (const entry of entries) if (entry.tried) this.#expire(entry, this.#timeout - Math.abs(Date.now() - entry.tried));
    this.#changed();
    this.#room.sync();
  }

  /** Sends what can be sent now. */
  pump(): void {
    const { open, options } = this.#host;
    if (this.#paused || !open || !this.#room.joined || options.outbox?.ready === false) return;
    let flying = 0;
    for (const entry of [...this.#entries]) {
      if (entry.recorded !== undefined || (entry.flying && ++flying)) continue;
      if (++flying > MOST_FLYING || !this.#prepared(entry)) return;
      this.#send(entry);
    }
  }

  /** A message came: perhaps one of ours. */
  seen({ key, position = '' }: Message): void {
    const entry = this.#entries.find((e) => e.key === key);
    if (entry) this.#recorded(entry, { position }, true);
    this.moved();
  }

  /** The reader stands elsewhere now. What was recorded before that place will not come any more. */
  moved(reset = false): void {
    for (const entry of [...this.#entries]) {
      if (entry.recorded !== undefined && (reset || !isAfter(entry.recorded, this.#room.position))) this.#remove(entry);
    }
    this.pump();
  }

  lost(final: boolean): void {
    this.#backoff.stop();
    this.#paused = false;
    for (const entry of [...this.#entries]) {
      entry.flying = false;
      if (!final) continue;
      entry.reject(entry.tried ? unknown() : closed()); // what is stored stays stored
      this.#remove(entry);
    }
    if (!this.#room.wanted && !this.held) this.refuse(unknown());
  }

  /** The room takes nothing any longer. What flies will be answered, or is lost with the connection. */
  refuse(error: FinchError): void {
    for (const entry of [...this.#entries]) if (!entry.flying && entry.recorded === undefined) this.#failed(entry, entry.tried ? unknown() : error);
  }

  get #timeout(): number {
    return this.#host.options.publishTimeout ?? 60_000;
  }

  #entry(stored: StoredPublish, resolve: (recorded: Recorded) => void, reject: (error: unknown) => void): Entry {
    return { ...stored, due: false, flying: false, deadline: new Timer(), resolve, reject };
  }

  #expire(entry: Entry, within: number): void {
    entry.due = true;
    entry.deadline.set(within, () => this.#failed(entry, unknown()));
  }

  /** Before a first try the store has to know of it, or after a crash nobody would. */
  #prepared(entry: Entry): boolean {
    const { outbox } = this.#host.options;
    if (outbox && !entry.tried) {
      entry.tried = Date.now();
      entry.saving = true;
      void outbox.save(entry).then(() => {
        entry.saving = false;
        this.pump();
      });
    }
    return !entry.saving;
  }

  #send(entry: Entry): void {
    const { room, path, data, key, echo } = entry;
    entry.tried ||= Date.now();
    if (!entry.due) this.#expire(entry, this.#timeout);
    // While a device sleeps timers do not run, but the server forgets keys.
    if (Date.now() - entry.tried > 4 * this.#timeout) return this.#failed(entry, unknown());
    entry.flying = true;
    this.#host.askRoom('finch.publish', { room, path, data, key, ...(!echo && { echo }) }, (error, answer) => {
      entry.flying = false;
      if (error && passes(error)) this.#pause();
      else if (!this.#entries.includes(entry)) return; // it was seen, or its time was over
      else if (error) this.#failed(entry, error);
      else this.#recorded(entry, answer, false);
      this.pump();
    });
  }

  #pause(): void {
    this.#paused = true;
    this.#backoff.later(() => {
      this.#paused = false;
      this.pump();
    });
  }

  #recorded(entry: Entry, { position = '', duplicate }: Partial<Recorded>, seen: boolean): void {
    if (entry.recorded === undefined) {
      entry.recorded = position;
      this.#backoff.reset();
      this.#done(entry);
      entry.resolve({ position, ...(duplicate && { duplicate }) });
    }
    if (seen || !entry.echo || !this.#room.wanted || !position || !isAfter(position, this.#room.position)) this.#remove(entry);
    else this.#changed();
  }

  #failed(entry: Entry, error: FinchError): void {
    this.#done(entry, error);
    entry.reject(error);
    this.#remove(entry);
  }

  #done(entry: Entry, error?: FinchError): void {
    entry.deadline.stop();
    this.#host.options.outbox?.drop(entry, error);
  }

  #remove(entry: Entry): void {
    this.#entries = this.#entries.filter((e) => e !== entry);
    this.#changed();
    if (!this.#entries.length) this.#room.sync(); // perhaps it was only for these that we were in
  }

  #changed(): void {
    this.pending = this.#entries.map(({ key, path, data, recorded }) => ({ key, path, data, recorded: recorded !== undefined }));
    this.#room.listeners.run('pending', this.pending);
  }
}

const unknown = (): FinchError => new FinchError('outcome_unknown', 'Perhaps it was recorded, perhaps not.');

/** 128 random bits. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
