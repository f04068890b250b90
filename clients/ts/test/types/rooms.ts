// The types of rooms. Nothing here runs.

import { connect, type FrameworkEvents, type Member, type PendingPublish, type Room, type RoomState } from 'finch-client/rooms';

interface Post {
  readonly text: string;
}

interface Chat {
  receive: { post: Post; photo: Uint8Array };
  publish: { post: Post };
}

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_yes: Same<A, B>): void => {};

const client = connect<Chat>('/ws', { publishTimeout: 30_000 });
const room: Room<Chat> = client.room('garden');

room.on('post', (post, { position, from, key }) => {
  same<typeof post, Post>(true);
  same<typeof position, string | undefined>(true);
  return [from, key];
});
room.on('finch.reset', ({ position, reason }) => position + reason);
room.on('finch.lagged', (data) => same<typeof data, FrameworkEvents['finch.lagged']>(true));
client.on('finch.reset', ({ room, to }) => room ?? to);
// @ts-expect-error: no such path
room.on('pots', () => {});

export async function use(): Promise<void> {
  const { position, recovered } = await room.join({ position: 'e.1.a' });
  same<typeof position, string>(true);
  same<typeof recovered, boolean | undefined>(true);
  const sent = room.publish('post', { text: 'salaam' }, { echo: false });
  same<typeof sent.key, string>(true);
  const recorded = await sent;
  same<typeof recorded.position, string>(true);
  // @ts-expect-error: data is missing
  await room.publish('post');
  // @ts-expect-error: of another shape
  await room.publish('post', { txet: '' });
  // @ts-expect-error: nobody publishes these
  await room.publish('photo', new Uint8Array());
  const page = await room.history({ before: 'e.9.a', limit: 20 });
  for (const message of page.messages) {
    same<typeof message.position, string>(true);
    if (message.path === 'post') same<typeof message.data, Post>(true);
    else same<typeof message.data, Uint8Array>(true);
  }
  // @ts-expect-error: no such option
  await room.history({ until: 'e.9.a' });
  await room.presence.set({ typing: true });
  const members = await room.presence.read();
  same<typeof members, readonly Member[]>(true);
  await room.leave();
}

const show = ({ phase, error }: RoomState): string => phase + (error?.code ?? '');
room.onState(show);
room.onPending((pending) => same<typeof pending, readonly PendingPublish[]>(true));
room.presence.watch(({ members, count, ready }) => [members.length, count, ready]);
// @ts-expect-error: a room is made by its client
new Room('x', client);
// @ts-expect-error: what is between the client's own parts is not in its types
room.sync();
// @ts-expect-error: a place is not for writing
room.position = '';
// @ts-expect-error: and neither is a state
room.state = { phase: 'joined' };
