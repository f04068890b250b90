import { Client } from './client.js';
import type { Events } from './events.js';
import type { Options } from './options.js';

/**
 * Connects to a Finch server, and stays connected until `close`.
 *
 * ```ts
 * const client = connect<Chat>('/ws');
 * client.on('chat.line', (line) => show(line));
 * client.send('chat.say', { text: 'salaam' });
 * const members = await client.request('chat.members', { room: 'garden' });
 * ```
 *
 * The address may be relative to the page. It throws if there is no WebSocket
 * here, or the address is none.
 */
export function connect<E extends Events = {}>(url: string | URL, options?: Options): Client<E> {
  const client = new Client<E>(url, options);
  client.reconnect();
  return client;
}

export { closeCode, closeCodes, type Action, type CloseCode } from './codes.js';
export { FinchError } from './error.js';
export type { Client } from './client.js';
export type { Answerer, DataArgument, Events, FrameworkEvents, Handler, Joined, Unsubscribe } from './events.js';
export type { CloseLike, WebSocketClass, WebSocketLike } from './link.js';
export type { Message } from './message.js';
export type { Options, RequestOptions } from './options.js';
export type { Reason, State } from './state.js';
export type { Token, TokenSource } from './token.js';
