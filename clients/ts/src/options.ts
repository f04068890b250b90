import type { TokenSource } from './token.js';
import type { PublishStore } from './store.js';
import type { WebSocketClass } from './link.js';

/** How to connect. Everything may be left out. Times are in milliseconds. */
export interface Options {
  /** Gives the token that proves who this is. Apps that sign in with cookies need none. */
  readonly token?: TokenSource;
  /** The class of WebSockets to use: the global one by default. Node 20 has none: give that of the package ws. */
  readonly WebSocket?: WebSocketClass;
  /**
   * Gets what nobody else can: errors that handlers throw, refusals of messages that
   * had no id, nonsense of the server. By default the page's error event, or console.error.
   */
  readonly onError?: (error: unknown) => void;
  /** Gets texts that are no messages of Finch. An app may send such. */
  readonly onText?: (text: string) => void;
  /** How many messages may wait for a connection: 256 by default. */
  readonly queue?: number;
  /** Bound of the random delay before the first try to connect again: 5,000 by default. */
  readonly retryFirst?: number;
  /** What that bound grows to, doubling with each failure: 20,000 by default. */
  readonly retryMax?: number;
  /** How long a connection must hold for the bound to begin anew: 10,000 by default. */
  readonly retrySteady?: number;
  /** Limit for opening a connection, the token and the server's first answer included: 20,000 by default. */
  readonly connectTimeout?: number;
  /** Limit for the answer to a request: 15,000 by default. */
  readonly requestTimeout?: number;
  /** Silence of the server after which the client asks for a sign of life: what the server says by default, and 25,000 if it says nothing. Infinity: never. */
  readonly heartbeat?: number;
  /** How long it waits for one: 10,000 by default. */
  readonly heartbeatTimeout?: number;
}

/** How to ask. */
export interface RequestOptions {
  /** Limit for the answer, in milliseconds. Infinity: none. */
  readonly timeout?: number;
  /** Gives the request up, with the signal's reason. The server is not told. */
  readonly signal?: AbortSignal;
}

/** How to connect, and how to publish. Times are in milliseconds. */
export interface RoomsOptions extends Options {
  /** How long a publish is tried before its outcome is called unknown: 60,000 by default. The server forgets keys after five minutes. */
  readonly publishTimeout?: number;
  /** Bound of the random delay before a publish that the server could not take is tried again: 1,000 by default, growing to eight times that. */
  readonly publishRetry?: number;
  /** Keeps publishes beyond the life of the page. */
  readonly outbox?: PublishStore;
}
