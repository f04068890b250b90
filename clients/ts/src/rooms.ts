import type { Events } from './events.js';
import type { RoomsOptions } from './options.js';
import { RoomsClient } from './rooms-client.js';

/**
 * Connects to a Finch server, and stays connected until `close`: with rooms.
 *
 * ```ts
 * const client = connect<Chat>('/ws');
 * const room = client.room('garden');
 * room.on('post', (post) => show(post));
 * room.on('finch.reset', () => fetchAll());
 * await room.join();
 * await room.publish('post', { text: 'salaam' });
 * ```
 *
 * The address may be relative to the page. It throws if there is no WebSocket
 * here, or the address is none.
 */
export function connect<E extends Events = {}>(url: string | URL, options?: RoomsOptions): RoomsClient<E> {
  const client = new RoomsClient<E>(url, options);
  client.reconnect();
  return client;
}

export { closeCode, closeCodes, type Action, type CloseCode } from './codes.js';
export { FinchError } from './error.js';
export type { Client } from './client.js';
export type { Answerer, DataArgument, Events, FrameworkEvents, Handler, Joined, Unsubscribe } from './events.js';
export type { HistoryOptions, HistoryPage, RecordedMessage } from './history.js';
export type { CloseLike, WebSocketClass, WebSocketLike } from './link.js';
export type { RoomState } from './membership.js';
export type { Message } from './message.js';
export type { Options, RequestOptions, RoomsOptions } from './options.js';
export type { PendingPublish, Publication, PublishOptions, Recorded } from './outgoing.js';
export type { Member, Presence, PresenceState } from './presence.js';
export type { Room } from './room.js';
export type { RoomsClient } from './rooms-client.js';
export type { Reason, State } from './state.js';
export type { PublishStore } from './store.js';
export type { Token, TokenSource } from './token.js';
