import type { FinchError } from './error.js';

/** A publish, as it is kept for a later page. */
export interface StoredPublish {
  readonly room: string;
  readonly path: string;
  readonly data: unknown;
  readonly key: string;
  readonly echo: boolean;
  /** When it was first tried, in Unix milliseconds; 0: not yet. */
  readonly tried: number;
}

/** What keeps publishes beyond the life of a page. The outbox is one. */
export interface PublishStore {
  /** The newest ticket of the session, so that a page that is loaded again can go on with it. */
  ticket: string;
  /** False until all that an earlier page left behind was given to `adopt`. */
  readonly ready: boolean;
  /** The first connection is there: gives what an earlier page left behind, and calls `done`. */
  begin(resumed: boolean, adopt: (room: string, left: readonly StoredPublish[]) => void, done: () => void): void;
  /** Resolves when it is kept, or cannot be. It never rejects. */
  save(publish: StoredPublish): Promise<void>;
  /** It is decided what became of it: recorded, or the error. */
  drop(publish: StoredPublish, error?: FinchError): void;
}
