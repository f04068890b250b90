import type { DataArgument, Events, FrameworkEvents, Handler, Path, Published, Received, Unsubscribe } from './events.js';
import { readPage, type HistoryOptions, type HistoryPage } from './history.js';
import { Membership } from './membership.js';
import type { PendingPublish, Publication, PublishOptions } from './outgoing.js';

/**
 * A room, as one client sees it. Once joined it stays joined, across
 * reconnects, until `leave`: what was missed meanwhile comes in order, or
 * `finch.reset` says that it cannot. Get one from `client.room`.
 */
export class Room<E extends Events = {}> extends Membership {
  /** Handles the messages of a path in this room. All functions run; the same function counts once. The empty path stands for all. */
  on<P extends Path<Received<E> & FrameworkEvents>>(path: P, fn: Handler<(Received<E> & FrameworkEvents)[P]>): Unsubscribe {
    return this.handlers.add(path, fn);
  }

  /**
   * Publishes a message: it is recorded, and reaches everybody who is in, this
   * client too. It is tried again across reconnects, in order with the others
   * of this room and under one key, so that it is recorded once. Resolves when
   * it is; rejects if the server refuses, and with `outcome_unknown` if that
   * could not be found out in time. Data is JSON, and is copied at once.
   */
  publish<P extends Path<Published<E>>>(path: P, ...[data, options]: [...DataArgument<Published<E>[P]>, options?: PublishOptions]): Publication {
    return this.outgoing.publish(path, data, options as PublishOptions | undefined);
  }

  /** What was published here and has not come back yet, to be shown meanwhile. Another array after each change. */
  get pending(): readonly PendingPublish[] {
    return this.outgoing.pending;
  }

  /** Calls a function whenever `pending` changes. */
  onPending(fn: (pending: readonly PendingPublish[]) => void): Unsubscribe {
    return this.listeners.add('pending', fn);
  }

  /** Reads recorded messages: the newest, or those before or after a position. One must have joined. */
  async history(options?: HistoryOptions): Promise<HistoryPage<E>> {
    return readPage(this.name, await this.query('finch.history', { ...options }));
  }
}
