import { Backoff } from './backoff.js';
import { Timer } from './clock.js';
import { closed, FinchError, passes } from './error.js';
import type { Host } from './host.js';
import type { Membership } from './membership.js';
import { encode, type Message } from './message.js';
import { isAfter } from './position.js';

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

/** A publish, with what is known of it. */
export interface Entry {
  readonly path: string;
  readonly data: unknown;
  readonly key: string;
  readonly echo: boolean;
  /** When it was first tried, by the wall; 0: not yet. */
  tried: number;
  /** The time for trying runs. */
  due: boolean;
  /** Sent on this connection, and not answered. */
  flying: boolean;
  /** Where it was recorded, if it was. */
  recorded?: string;
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
  entries: Entry[] = [];
  room: Membership;
  host: Host;
  #paused = false;
  #backoff: Backoff;

  constructor(room: Membership, host: Host) {
    this.room = room;
    this.host = host;
    const { publishRetry = 1000 } = host.options;
    this.#backoff = new Backoff(publishRetry, 8 * publishRetry);
  }

  /** The rest has to go, whether or not the app wants to be in the room. */
  get held(): boolean {
    return false;
  }

  /** May a publish go that is on its turn? If not now, `pump` is called later. */
  prepared(_entry: Entry): boolean {
    return true;
  }

  /** A publish is new. */
  added(entry: Entry): void {
    this.expire(entry);
  }

  /** It is decided what became of a publish: recorded, or the error. */
  done(entry: Entry, _error?: FinchError): void {
    entry.deadline.stop();
  }

  publish(path: string, data: unknown, { key = newKey(), echo = true }: PublishOptions = {}): Publication {
    const promise = new Promise<Recorded>((resolve, reject) => {
      const { queue = 256 } = this.host.options;
      if (this.host.closed) throw closed();
      if (this.entries.length >= queue) throw notSent();
      // What is changed later must not go under the same key: that would be another message.
      const copy = encode({}, data ?? null);
      if (typeof copy !== 'string') throw new TypeError('bytes cannot be published');
      const entry = { path, ...JSON.parse(copy), key, echo, tried: 0, due: false, flying: false, deadline: new Timer(), resolve, reject };
      this.entries.push(entry);
      this.added(entry);
      this.pump();
      this.changed();
    });
    return Object.assign(promise, { key });
  }

  /** Sends what can be sent now. */
  pump(): void {
    if (this.#paused || !this.host.open || !this.room.takes) return;
    let flying = 0;
    for (const entry of [...this.entries]) {
      if (entry.recorded !== undefined || (entry.flying && ++flying)) continue;
      if (++flying > MOST_FLYING || !this.prepared(entry)) return;
      this.#send(entry);
    }
  }

  /** A message came: perhaps one of ours. */
  seen({ key, position = '' }: Message): void {
    const entry = this.entries.find((e) => e.key === key);
    if (entry) this.#recorded(entry, { position }, true);
    this.moved();
  }

  /** The reader stands elsewhere now. What was recorded before that place will not come any more. */
  moved(reset = false): void {
    for (const entry of [...this.entries]) {
      if (entry.recorded !== undefined && (reset || !isAfter(entry.recorded, this.room.position))) this.#remove(entry);
    }
    this.pump();
  }

  lost(final: boolean): void {
    this.#backoff.stop();
    this.#paused = false;
    for (const entry of [...this.entries]) {
      entry.flying = false;
      if (!final) continue;
      entry.deadline.stop();
      entry.reject(entry.tried ? unknown() : notSent()); // what is stored stays stored
      this.#remove(entry);
    }
    if (!this.room.wanted && !this.held) this.refuse(unknown());
  }

  /**
   * Nothing can be tried again; and with an error, nothing can be tried. What
   * flies will be answered, or is lost with the connection.
   */
  refuse(error?: FinchError): void {
    for (const entry of [...this.entries]) {
      const why = entry.tried ? unknown() : error;
      if (why && !entry.flying && entry.recorded === undefined) this.failed(entry, why);
    }
  }

  get timeout(): number {
    return this.host.options.publishTimeout ?? 60_000;
  }

  /** Gives up after so long. */
  expire(entry: Entry, within = this.timeout): void {
    entry.deadline.set(within, () => this.failed(entry, entry.tried ? unknown() : notSent()));
  }

  failed(entry: Entry, error: FinchError): void {
    this.done(entry, error);
    entry.reject(error);
    this.#remove(entry);
  }

  changed(): void {
    this.pending = this.entries.map(({ key, path, data, recorded }) => ({ key, path, data, recorded: recorded !== undefined }));
    this.room.listeners.run('pending', this.pending);
  }

  #send(entry: Entry): void {
    const { path, data, key, echo } = entry;
    if (!entry.due) this.expire(entry);
    entry.due = true;
    entry.tried ||= Date.now();
    // While a device sleeps timers do not run, but the server forgets keys.
    if (Date.now() - entry.tried > 4 * this.timeout) return this.failed(entry, unknown());
    entry.flying = true;
    this.room.ask('finch.publish', { path, data, key, ...(!echo && { echo }) }, (error, answer) => {
      entry.flying = false;
      if (error && (error.status >= 500 || passes(error))) this.#pause(); // with a 5xx the server does not know either
      else if (!this.entries.includes(entry)) return; // it was seen, or its time was over
      else if (error) this.failed(entry, error);
      else this.#recorded(entry, answer, false);
      this.pump();
    });
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#backoff.later(() => {
      this.#paused = false;
      this.pump();
    });
  }

  #recorded(entry: Entry, { position = '', duplicate }: Partial<Recorded>, seen: boolean): void {
    if (entry.recorded === undefined) {
      position = entry.recorded = `${position}`;
      this.#backoff.reset();
      this.done(entry);
      entry.resolve({ position, ...(duplicate && { duplicate }) });
    }
    if (seen || !entry.echo || !this.room.wanted || !position || !isAfter(position, this.room.position)) this.#remove(entry);
    else this.changed();
  }

  #remove(entry: Entry): void {
    this.entries = this.entries.filter((e) => e !== entry);
    this.changed();
    if (!this.entries.length) this.room.sync(); // perhaps it was only for these that we were in
  }
}

export const notSent = (): FinchError => new FinchError('not_sent');
export const unknown = (): FinchError => new FinchError('outcome_unknown');

/** 128 random bits. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
