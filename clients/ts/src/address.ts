import { Handlers } from './handlers.js';
import type { Message } from './message.js';
import { isAfter } from './position.js';

/** What the server says about an address. */
export interface Word {
  readonly room?: string;
  readonly to?: string;
  readonly position?: string;
  readonly recovered?: boolean;
  readonly reason?: string;
  readonly ticket?: string;
  readonly error?: { readonly code: string; readonly message: string };
}

/**
 * Where messages are recorded, with the place where this reader stands in them:
 * one value, moved before a handler runs, so that nothing that a handler does
 * (throwing, leaving, joining again) can bring a message twice.
 */
export class Address {
  /** @internal */
  readonly handlers: Handlers;
  #position = '';
  #asked: string | undefined; // the position that the server was asked to go on from, until it says what came of it

  /** @internal */
  constructor(report: (error: unknown) => void) {
    this.handlers = new Handlers(report);
  }

  /** Where this reader stands: what was handled last, or where it came in. Empty while it stands nowhere. */
  get position(): string {
    return this.#position;
  }

  /** @internal The server is asked to go on from here, or will be once there is a connection. */
  asks(): string {
    return (this.#asked = this.#position);
  }

  /** @internal Nobody stands here any longer, or stands there from now on. */
  place(position = ''): void {
    this.#position = `${position}`;
    this.#asked = undefined;
  }

  /**
   * @internal Shall this message reach the handlers? Not if it was here before. And not
   * while the server is asked to go on from a position: recorded messages come
   * again then, in order, after its word.
   */
  take({ position }: Message): boolean {
    if (position === undefined) return true;
    if (this.#position && (this.#asked !== undefined || !isAfter(position, this.#position))) return false;
    this.#position = position;
    return true;
  }

  /** @internal The place moved past a message that is not for this reader. */
  passed({ position = '' }: Word): void {
    if (!this.#asked && isAfter(position, this.#position)) this.#position = position;
  }

  /**
   * @internal The server's word to the question: the reader goes on from where it stood.
   * True if instead it stands elsewhere now, and what it has is stale.
   */
  settled({ position, recovered }: Word): boolean {
    const asked = this.#asked;
    this.#asked = undefined;
    if (recovered === true && this.#position) return false;
    if (asked || !this.#position || (position && isAfter(position, this.#position))) this.#position = `${position ?? ''}`;
    return !!asked;
  }
}
