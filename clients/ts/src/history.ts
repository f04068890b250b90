import type { Received } from './events.js';
import type { Message } from './message.js';

/** Which messages to read. */
export interface HistoryOptions {
  /** The newest before this position. */
  readonly before?: string;
  /** The oldest after this position. */
  readonly after?: string;
  /** How many: 50 by default, 500 at most. */
  readonly limit?: number;
}

/** A recorded message. */
export type RecordedMessage<E> = {
  readonly [P in string & keyof Received<E>]: Pick<Message<Received<E>[P]>, 'data' | 'timestamp' | 'from' | 'key'> & {
    readonly path: P;
    readonly room: string;
    readonly position: string;
  };
}[string & keyof Received<E>];

/** A page of a room's history. */
export interface HistoryPage<E> {
  /** Oldest first. */
  readonly messages: readonly RecordedMessage<E>[];
  /** There are more in this direction: ask with `before` the first of these, or `after` the last. */
  readonly more: boolean;
  /** Where the room's newest message stands. */
  readonly position: string;
}

interface Page {
  readonly messages?: readonly { readonly binary?: string }[];
  readonly more?: boolean;
  readonly position?: string;
}

/** Reads the answer of the server. */
export function readPage<E>(room: string, { messages = [], more = false, position = '' }: Page): HistoryPage<E> {
  return {
    messages: messages.map(({ binary, ...message }) => ({
      ...message,
      room,
      ...(binary !== undefined && { data: Uint8Array.from(atob(binary), (c) => c.charCodeAt(0)) }),
    })) as unknown as RecordedMessage<E>[],
    more,
    position,
  };
}
