import type { FinchError } from './error.js';
import type { RoomsOptions } from './options.js';

/** What rooms need of their client. */
export interface Host {
  /** Messages go. */
  readonly open: boolean;
  /** The client is closed. */
  readonly closed: boolean;
  readonly options: RoomsOptions;
  /**
   * Asks over the connection that there is. `done` gets the answer's data, an
   * object, or the refusal. It is not called if the connection ends before.
   */
  askRoom(path: string, data: object, done: (error: FinchError | undefined, answer: object) => void): void;
  /** Asks as the app does: within a time limit, and over the next connection if there is none. */
  request(path: string, data: object): Promise<unknown>;
  /** Runs the handlers of the client itself. */
  emit(message: { readonly path: string; readonly data: unknown }): void;
  report(error: unknown): void;
}
