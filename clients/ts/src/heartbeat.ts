import { now, Timer } from './clock.js';

/**
 * Notices that the other end is gone. After a period of silence it asks for a
 * sign of life; if nothing comes within the patience, the link is dead. It waits
 * in two halves, because a timer that fires late (the device slept) must leave
 * what arrived meanwhile a chance to be read.
 */
export class Heartbeat {
  #timer = new Timer();
  #heard = now();
  #strikes = 0;
  #period: number;
  #patience: number;
  #ask: () => void;
  #dead: () => void;

  constructor(period: number, patience: number, ask: () => void, dead: () => void) {
    this.#period = period;
    this.#patience = patience / 2;
    this.#ask = ask;
    this.#dead = dead;
    this.#wait(period);
  }

  /** Something arrived. */
  heard(): void {
    this.#heard = now();
    if (this.#strikes) this.#wait(this.#period);
    this.#strikes = 0;
  }

  /** Asks now: there is reason to doubt. */
  check(): void {
    if (this.#strikes) return;
    this.#strikes = 1;
    this.#ask();
    this.#wait(this.#patience);
  }

  stop(): void {
    this.#timer.stop();
  }

  #wait(milliseconds: number): void {
    this.#timer.set(milliseconds, () => {
      const rest = this.#heard + this.#period - now();
      if (this.#strikes > 1) this.#dead();
      else if (this.#strikes) this.#strikes++, this.#wait(this.#patience);
      else if (rest > 0) this.#wait(rest);
      else this.check();
    });
  }
}
