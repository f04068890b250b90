import { Timer } from './clock.js';

/**
 * How long to wait before the next try: a random time between 0 and a bound,
 * from the very first try on, because ten thousand clients that lost a server
 * at one moment must not come back at one moment. The bound doubles with each
 * failure and begins anew after a success.
 */
export class Backoff {
  #failures = 0;
  #first: number;
  #max: number;
  #timer = new Timer();

  constructor(first = 1000, max = 20 * first) {
    this.#first = first;
    this.#max = max;
  }

  /** Counts a failure. */
  next(): number {
    return Math.random() * Math.min(this.#max, this.#first * 2 ** this.#failures++);
  }

  /** Counts a failure, and calls a function when it is time for the next try. */
  later(fn: () => void): void {
    this.#timer.set(this.next(), fn);
  }

  /** There will be no next try, or it is made already. */
  stop(): void {
    this.#timer.stop();
  }

  /** It worked. */
  reset(): void {
    this.#failures = 0;
  }
}
