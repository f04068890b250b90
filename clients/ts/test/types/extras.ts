// The types of the hooks, the outbox and the tabs. Nothing here runs.

import { outbox, type Outcome } from 'finch-client/outbox';
import { usePresence, useRoom, useSocket } from 'finch-client/react';
import { connect, type PendingPublish, type State } from 'finch-client/rooms';
import { connect as plain } from 'finch-client';
import { tabs, type Shared } from 'finch-client/tabs';

interface Chat {
  receive: { post: { text: string }; photo: Uint8Array };
  publish: { post: { text: string } };
}

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_yes: Same<A, B>): void => {};

const box = outbox({ user: 'ann', onOutcome: ({ room, error }: Outcome) => [room, error?.code] });
same<typeof box.keeps, boolean>(true);
// @ts-expect-error: whose publishes they are has to be said
outbox({});
// @ts-expect-error: what is between the client's own parts is not in its types
box.greeted('ann', () => undefined as never);

const client = connect<Chat>('/ws', { outbox: box, WebSocket: tabs({ name: 'ann' }) });
plain('/ws', { WebSocket: tabs() });
plain('/ws', {
  WebSocket: tabs({
    onShared({ tabs, home }: Shared) {
      same<typeof tabs, number>(true);
      same<typeof home, 'worker' | 'here' | 'elsewhere'>(true);
    },
  }),
});
// @ts-expect-error: without rooms there is nothing to keep
plain('/ws', { outbox: box });

export function Component(): void {
  const state = useSocket(client, { post: ({ text }) => text });
  same<typeof state, State>(true);
  // @ts-expect-error: no such path
  useSocket(client, { pots: () => {} });
  const { room, pending } = useRoom(client, 'garden', { post: (post, { position }) => post.text + position, 'finch.reset': ({ reason }) => reason });
  same<typeof pending, readonly PendingPublish[]>(true);
  void room.publish('post', { text: '' });
  // @ts-expect-error: a post has no such field
  useRoom(client, 'garden', { post: (post) => post.txet });
  const { members, count, ready } = usePresence(room);
  same<typeof count, number>(true);
  same<typeof ready, boolean>(true);
  members.map((member) => member.id);
  // @ts-expect-error: presence is of a room
  usePresence(client);
}
