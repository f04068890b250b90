import type { Message } from './message.js';
import type { Unsubscribe } from './events.js';

type Fn = (data: never, message: Message<never>) => unknown;

/**
 * Functions by path. All functions of a path run, in the order in which they
 * were added, and then those of the empty path, which no message has and which
 * stands for all. The same function counts once.
 */
export class Handlers {
  #byPath = new Map<string, Set<Fn>>();
  #onError: (error: unknown) => void;

  /** `onError` gets what a function throws or rejects with. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  add(path: string, fn: Fn): Unsubscribe {
    let all = this.#byPath.get(path);
    if (!all) this.#byPath.set(path, (all = new Set()));
    all.add(fn);
    let added = true;
    return () => {
      if (added) all.delete(fn); // a second call must not end what somebody else began meanwhile
      added = false;
    };
  }

  /**
   * Runs the functions of a path; false if there are none. One that is added
   * meanwhile waits for the next message, and one that is removed does not run.
   */
  run(path: string, data: unknown, message?: unknown): boolean {
    let ran = false;
    for (const all of [this.#byPath.get(path), this.#byPath.get('')]) {
      for (const fn of [...(all ?? [])]) {
        if (!all!.has(fn)) continue;
        ran = true;
        try {
          const result = fn(data as never, message as never);
          if (result instanceof Promise) result.catch(this.#onError);
        } catch (error) {
          this.#onError(error);
        }
      }
    }
    return ran;
  }
}
