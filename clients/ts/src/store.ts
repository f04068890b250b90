import type { Host } from './host.js';
import type { Membership } from './membership.js';
import type { Outgoing } from './outgoing.js';
import type { Room } from './room.js';

/** Keeps publishes beyond the life of a page. The entry `finch-client/outbox` makes one. */
export interface PublishStore {
  /** @internal The newest ticket of the session, so that a page that is loaded again can go on with it. */
  ticket: string;
  /** @internal What publishes to a room, and keeps it. */
  outgoing(room: Membership, host: Host): Outgoing;
  /** @internal A connection is there, and `from` says as whom. */
  greeted(from: string, room: (name: string) => Room): void;
}
