import { useCallback, useEffect, useInsertionEffect, useRef, useSyncExternalStore } from 'react';
import type { Client } from './client.js';
import type { Events, FrameworkEvents, Handler, Path, Received, Unsubscribe } from './events.js';
import type { RoomState } from './membership.js';
import type { PendingPublish } from './outgoing.js';
import type { PresenceState } from './presence.js';
import type { Room } from './room.js';
import type { RoomsClient } from './rooms-client.js';
import type { State } from './state.js';

/** Functions by path. They may be others with each render: the newest ones run. */
export type HandlersOf<E> = { readonly [P in Path<Received<E> & FrameworkEvents>]?: Handler<(Received<E> & FrameworkEvents)[P]> };

interface Source {
  on(path: string, fn: Handler<unknown>): Unsubscribe;
}

/**
 * How the connection of a client is. With functions by path it also handles
 * messages, while the component is shown.
 *
 * ```tsx
 * const client = connect<Chat>('/ws'); // outside of components
 *
 * function Status() {
 *   const state = useSocket(client);
 *   return state.phase === 'open' ? null : <p>Connecting…</p>;
 * }
 * ```
 */
export function useSocket<E extends Events>(client: Client<E>, handlers?: HandlersOf<NoInfer<E>>): State {
  useHandlers(client as unknown as Source, handlers);
  const subscribe = useCallback((changed: () => void) => client.onState(changed), [client]);
  const state = (): State => client.state;
  return useSyncExternalStore(subscribe, state, state);
}

/** A room, for a component. */
export interface RoomInUse<E extends Events> {
  readonly room: Room<E>;
  readonly state: RoomState;
  /** What was published here and has not come back yet. */
  readonly pending: readonly PendingPublish[];
}

/**
 * Is in a room while a component that uses it is shown, whichever and however
 * many, and handles its messages. A room that was joined without this hook is
 * not left by it.
 */
export function useRoom<E extends Events>(client: RoomsClient<E>, name: string, handlers?: HandlersOf<NoInfer<E>>): RoomInUse<E> {
  const room = client.room(name);
  useHandlers(room as unknown as Source, handlers); // before joining, or messages could pass
  useEffect(() => use(room as unknown as Room), [room]);
  const onState = useCallback((changed: () => void) => room.onState(changed), [room]);
  const onPending = useCallback((changed: () => void) => room.onPending(changed), [room]);
  const state = (): RoomState => room.state;
  const pending = (): readonly PendingPublish[] => room.pending;
  return { room, state: useSyncExternalStore(onState, state, state), pending: useSyncExternalStore(onPending, pending, pending) };
}

/** Who is in a room, kept up to date while the component is shown. */
export function usePresence<E extends Events>(room: Room<E>): PresenceState {
  const { presence } = room;
  const subscribe = useCallback(
    (changed: () => void) => {
      let shown = true;
      const end = presence.watch(() => shown && changed());
      return () => {
        shown = false;
        setTimeout(end); // whoever subscribes again at once finds the list still there
      };
    },
    [presence],
  );
  const state = (): PresenceState => presence.state;
  return useSyncExternalStore(subscribe, state, state);
}

function useHandlers(source: Source, handlers: Readonly<Record<string, Handler<never> | undefined>> = {}): void {
  const newest = useRef(handlers);
  useInsertionEffect(() => {
    newest.current = handlers;
  });
  const paths = JSON.stringify(Object.keys(handlers).sort());
  useEffect(() => {
    const ends = (JSON.parse(paths) as string[]).map((path) => source.on(path, (data, message) => newest.current[path]?.(data as never, message as never)));
    return () => ends.forEach((end) => end());
  }, [source, paths]);
}

const users = new WeakMap<Room, number>();

/** One component more uses a room. It is left when none does any longer, and not in between: components come and go in one moment. */
function use(room: Room): () => void {
  const count = users.get(room);
  if (count === undefined && room.wanted) return () => {}; // it was joined otherwise
  users.set(room, (count ?? 0) + 1);
  if (!room.wanted) room.join().catch(() => {}); // the state says why not
  return () => {
    users.set(room, users.get(room)! - 1);
    setTimeout(() => {
      if (users.get(room) !== 0) return;
      users.delete(room);
      void room.leave();
    });
  };
}
