import type { Message } from './message.js';

/**
 * What an app's events carry, by path, for the compiler. Every part may be left
 * out; then its paths are any strings and their data is unknown.
 *
 * ```ts
 * interface Chat {
 *   receive: { 'chat.line': { name: string; text: string } };
 *   send: { 'chat.typing': boolean };
 *   request: { 'chat.members': { data: { room: string }; answer: string[] } };
 *   answer: { where: { data: null; answer: { zoom: number } } };
 *   publish: { post: { text: string } };
 * }
 * ```
 */
export interface Events {
  /** What the server sends, and what comes in rooms. */
  readonly receive?: object;
  /** What the client sends without waiting for an answer. */
  readonly send?: object;
  /** What the client asks, and the answers: `{ data, answer }`. */
  readonly request?: object;
  /** What the server asks, and the answers: `{ data, answer }`. */
  readonly answer?: object;
  /** What the client publishes in rooms. */
  readonly publish?: object;
}

/** How a client came into a room. */
export interface Joined {
  readonly room: string;
  readonly position: string;
  /** It went on from where it stood. */
  readonly recovered?: boolean;
  /** How many messages it missed. They follow. */
  readonly missed?: number;
}

/** What the framework itself sends, and the empty path, which stands for all. Rooms and what is about them: with the entry `finch-client/rooms`. */
export interface FrameworkEvents {
  '': unknown;
  /** A message that had no id was refused. For the person who writes the app. */
  'finch.error': { readonly path?: string } | null;
  /** This server goes away; the client comes back at the moment that it was given. */
  'finch.drain': { readonly delay: number };
  /** You are in a room. With `recovered`, the messages that were missed follow. */
  'finch.joined': Joined;
  /** What you have of the room is stale: fetch it anew. Its messages go on after `position`. */
  'finch.reset': { readonly room?: string; readonly to?: 'user' | 'everyone'; readonly position: string; readonly reason: string };
  /** You read too slowly: the messages of the room pause, and will go on from where they stopped. */
  'finch.lagged': { readonly room?: string; readonly to?: 'user' | 'everyone' };
  /** The server took you out of a room. */
  'finch.left': { readonly room: string; readonly error?: { readonly code: string; readonly message: string } };
}

type Part<E, Name extends keyof Events> = E extends { readonly [N in Name]: infer Table extends object } ? Table : Record<string, unknown>;
type Exchanges<E, Name extends 'request' | 'answer'> = E extends { readonly [N in Name]: infer Table extends object }
  ? Table
  : Record<string, { data: unknown; answer: unknown }>;

/** Paths and data of what an app receives. */
export type Received<E> = Part<E, 'receive'>;
/** Paths and data of what an app sends. */
export type Sent<E> = Part<E, 'send'>;
/** Paths and data of what an app publishes. */
export type Published<E> = Part<E, 'publish'>;
/** Paths of what an app asks. */
export type Requests<E> = Exchanges<E, 'request'>;
/** Paths of what an app is asked. */
export type Answers<E> = Exchanges<E, 'answer'>;

/** The paths of a table. */
export type Path<Table> = string & keyof Table;
/** The data part of an exchange. */
export type DataOf<X> = X extends { data: infer D } ? D : unknown;
/** The answer part of an exchange. */
export type AnswerOf<X> = X extends { answer: infer A } ? A : unknown;
/** Data as an argument: it may be left out where there is none. */
export type DataArgument<D> = unknown extends D ? [data?: D] : [D] extends [null | undefined | void] ? [data?: D] : [data: D];

/** Handles messages of one path. What it throws or rejects with goes to `onError`. */
export type Handler<D> = (data: D, message: Message<D>) => unknown;
/** Handles questions of the server on one path. */
export type Answerer<D, A> = (data: D, message: Message<D>) => A | Promise<A>;
/** Ends what the call that gave it has begun. Calling it again does nothing. */
export type Unsubscribe = () => void;
