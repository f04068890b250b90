import { Timer } from './clock.js';
import { FinchError } from './error.js';
import { bytes, type Frame } from './message.js';

/** A message that waits. Exactly one of the two is called, unless it is withdrawn. */
export interface Queued {
  readonly frame: Frame;
  /** It was handed to the network. */
  sent?(): void;
  /** It will never go. */
  refused(error: FinchError): void;
}

const AGAIN = 50; // milliseconds until a network that took nothing is asked again

/** Messages that wait for a connection, or for the network to take more. It is bounded: what finds it full is refused. */
export class Queue {
  #items: Queued[] = [];
  #timer = new Timer();
  #open = false;
  #most: number;
  #send: (frame: Frame) => boolean;
  /** The most bytes of a message that the server takes. */
  limit = Infinity;

  /** `send` is false while the network takes nothing. */
  constructor(most: number, send: (frame: Frame) => boolean) {
    this.#most = most;
    this.#send = send;
  }

  /** From now on messages go, or wait again. */
  set open(open: boolean) {
    this.#open = open;
    this.#flush();
  }

  /** False if it is full. */
  put(item: Queued): boolean {
    if (this.#items.length >= this.#most) return false;
    this.#items.push(item);
    this.#flush();
    return true;
  }

  withdraw(item: Queued): void {
    this.#items = this.#items.filter((i) => i !== item);
  }

  /** Refuses all that waits. */
  clear(error: FinchError): void {
    for (const item of this.#items.splice(0)) item.refused(error);
  }

  /** Why a message cannot go at all, if so: the server would end the connection, and everything else would suffer. */
  fault(frame: Frame): FinchError | undefined {
    return bytes(frame) > this.limit ? new FinchError('too_large', undefined, 413) : undefined;
  }

  #flush(): void {
    this.#timer.stop();
    for (let item; this.#open && (item = this.#items[0]); ) {
      const fault = this.fault(item.frame);
      if (!fault && !this.#send(item.frame)) return this.#timer.set(AGAIN, () => this.#flush());
      this.#items.shift();
      if (fault) item.refused(fault);
      else item.sent?.();
    }
  }
}
