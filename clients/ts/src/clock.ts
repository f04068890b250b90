/** Milliseconds of a clock that never jumps. */
export const now = (): number => performance.now();

const LONGEST = 2 ** 31 - 1; // what setTimeout takes, 24 days; beyond it fires at once

/** A timer that can be set again and again; setting it stops what it was set to. */
export class Timer {
  #handle: ReturnType<typeof setTimeout> | undefined;

  set(milliseconds: number, fn: () => void): void {
    this.stop();
    this.#handle = setTimeout(fn, Math.min(milliseconds, LONGEST));
  }

  stop(): void {
    clearTimeout(this.#handle);
  }
}
