// The code of the package's page. It is compiled, and does not run.

// region connect
import { connect } from 'finch-client';

interface Chat {
  receive: { line: { name: string; text: string } };
  send: { typing: boolean };
  request: { members: { data: string; answer: string[] } };
  answer: { where: { data: null; answer: { zoom: number } } };
}

const client = connect<Chat>('/ws'); // an address of the page, or ws://…

client.on('line', ({ name, text }) => console.log(`${name}: ${text}`)); // once, for all connections
client.send('typing', true);
const members = await client.request('members', 'garden');
client.answer('where', () => ({ zoom: 3 })); // when the server asks
// endregion

// region state
client.onState((state) => {
  switch (state.phase) {
    case 'open':
      return show('');
    case 'waiting':
      return show(`${state.reason.name}; next try in ${Math.round(state.delay / 1000)} s`);
    case 'closed':
      return show(`The conversation is over (${state.reason.code}).`, () => client.reconnect());
  }
});
// endregion

// region token
const signedIn = connect('/ws', {
  token: async () => {
    const answer = await fetch('/token', { method: 'POST' });
    return (await answer.json()) as { token: string; expiresIn: number }; // milliseconds
  },
});
// endregion

// region node
import { connect as connectRooms } from 'finch-client/rooms';
import { WebSocket } from 'ws'; // Node 22 and later, Bun, browsers and workers have one of their own

const bot = connectRooms('wss://example.com/ws', { WebSocket, token: () => process.env['TOKEN'] });
// endregion

// region rooms
interface Room {
  receive: { post: { text: string } };
  publish: { post: { text: string } };
}

const session = connectRooms<Room>('/ws');
const room = session.room('garden');

room.on('post', (post, { from, position }) => append(post, from, position));
room.on('finch.reset', () => fetchAll()); // what this page shows is stale
await room.join(); // and stays in, across reconnects, until leave()

await room.publish('post', { text: 'salaam' }); // recorded, once
const page = await room.history({ before: firstPosition, limit: 50 });
// endregion

// region pending
const publication = room.publish('post', { text: 'salaam' });
room.onPending((pending) => {
  for (const { key, data, recorded } of pending) showGrey(key, data, recorded); // until the message itself comes
});
publication.catch((error) => {
  if (error.code === 'outcome_unknown') ask('It may have been sent. Send it again?', publication.key);
});
// endregion

// region presence
const end = room.presence.watch(({ members, count, ready }) => showPeople(members, count, ready));
await room.presence.set({ typing: true });
// endregion

// region outbox
import { outbox } from 'finch-client/outbox';

const lasting = connectRooms('/ws', {
  outbox: outbox({
    user: 'ann', // what she wrote is never published as somebody else
    onOutcome: ({ data, error }) => console.log(data, error?.code ?? 'recorded'), // of publishes that an earlier page had left
    onProblem: (error) => console.warn('publishes cannot be kept here', error),
  }),
});
// endregion

// region tabs
import { tabs } from 'finch-client/tabs';

const shared = connectRooms('/ws', { WebSocket: tabs() });
// endregion

// region shared
const shown = tabs({
  onShared({ tabs, home }) {
    showSharing(`${tabs} tabs`, { worker: 'a worker has the connection', here: 'this tab has it', elsewhere: 'another tab has it' }[home]);
  },
});
// endregion

// region react
import { usePresence, useRoom, useSocket } from 'finch-client/react';

function Garden() {
  const state = useSocket(session);
  const { room, pending } = useRoom(session, 'garden', { post: (post) => append(post), 'finch.reset': () => fetchAll() });
  const { members } = usePresence(room);
  return <p>{state.phase === 'open' ? `${members.length} here, ${pending.length} on their way` : 'connecting…'}</p>;
}
// endregion

declare function show(text: string, again?: () => void): void;
declare function append(post: { text: string }, from?: string, position?: string): void;
declare function fetchAll(): void;
declare function showSharing(tabs: string, home: string): void;
declare function showGrey(key: string, data: unknown, recorded: boolean): void;
declare function ask(question: string, key: string): void;
declare function showPeople(members: readonly { id: string }[], count: number, ready: boolean): void;
declare const firstPosition: string;
declare const process: { env: Record<string, string | undefined> };

export { bot, end, Garden, lasting, members, page, shared, shown, signedIn };
