// What the compiler must take, and what it must refuse. Nothing here runs.

import { connect, FinchError, type Client, type Message, type State, type WebSocketClass } from 'finch-client';

interface Line {
  readonly name: string;
  readonly text: string;
}

interface Chat {
  receive: { 'chat.line': Line; 'chat.closed': null; photo: Uint8Array };
  send: { 'chat.typing': boolean; 'chat.stop': undefined; photo: Uint8Array };
  request: { 'chat.members': { data: { room: string }; answer: readonly string[] }; time: { data: null; answer: number } };
  answer: { where: { data: { level: number }; answer: { zoom: number } } };
}

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_yes: Same<A, B>): void => {};

const client = connect<Chat>('/ws', { token: async () => ({ token: 't', expiresIn: 60_000 }), retryFirst: 1000 });

client.on('chat.line', (line, message) => {
  same<typeof line, Line>(true);
  same<typeof message, Message<Line>>(true);
  same<typeof message.room, string | undefined>(true);
});
client.on('photo', (bytes) => same<typeof bytes, Uint8Array>(true));
client.on('finch.error', (data) => same<typeof data, { readonly path?: string } | null>(true));
client.on('', (data) => same<typeof data, unknown>(true));
// @ts-expect-error: the server sends nothing on this path
client.on('chat.lime', () => {});
// @ts-expect-error: a line has no such field
client.on('chat.line', (line) => line.colour);
// @ts-expect-error: a handler takes no number
client.on('chat.line', (line: number) => line);

same<ReturnType<typeof client.send>, boolean>(true);
client.send('chat.typing', true);
client.send('chat.stop');
client.send('photo', new Uint8Array());
// @ts-expect-error: data is missing
client.send('chat.typing');
// @ts-expect-error: of another type
client.send('chat.typing', 'yes');
// @ts-expect-error: only the server sends this
client.send('chat.line', { name: '', text: '' });

export async function ask(): Promise<void> {
  const members = await client.request('chat.members', { room: 'garden' });
  same<typeof members, readonly string[]>(true);
  const time = await client.request('time');
  same<typeof time, number>(true);
  await client.request('time', null, { timeout: 1000, signal: new AbortController().signal });
  await client.request('chat.members', { room: 'garden' }, { timeout: Infinity });
  // @ts-expect-error: data is missing
  await client.request('chat.members');
  // @ts-expect-error: of another shape
  await client.request('chat.members', { rooms: 1 });
  // @ts-expect-error: no such request
  await client.request('chat.member', {});
  // @ts-expect-error: no such option
  await client.request('time', null, { timeouts: 1 });
}

client.answer('where', ({ level }) => ({ zoom: level }));
client.answer('where', async () => ({ zoom: 1 }));
client.answer('where', () => {
  throw new FinchError('no_map', 'There is no map.', 404);
});
// @ts-expect-error: an answer of another shape
client.answer('where', () => ({ zoon: 1 }));
// @ts-expect-error: nobody asks this
client.answer('there', () => 1);

// Without a table anything may be said, and nothing is known of what comes.
const plain: Client = connect('wss://example.com/ws');
plain.on('anything', (data) => {
  same<typeof data, unknown>(true);
  // @ts-expect-error: unknown has no fields
  return data.field;
});
plain.send('anything', { a: 1 });
plain.send('anything');
export const answer: Promise<unknown> = plain.request('anything', 1);
plain.answer('anything', () => 1);

// A part of the table that is left out is open.
const half = connect<{ receive: { line: string } }>('/ws');
half.send('anything', 1);
// @ts-expect-error: but this part is not
half.on('limes', () => {});

// @ts-expect-error: no part of a table has this name
connect<{ receives: { line: string } }>('/ws');
// @ts-expect-error: no such option
connect('/ws', { retryFist: 1000 });
// @ts-expect-error: a token is a string
connect('/ws', { token: () => 5 });

const show = (state: State): string => {
  switch (state.phase) {
    case 'connecting':
      return `${state.attempt} ${state.reason?.name}`;
    case 'open':
      return `${state.client} ${state.from} ${state.resumed}`;
    case 'waiting':
      return `${state.delay} ${state.reason.text}`;
    case 'closed':
      // @ts-expect-error: there is no next try
      return `${state.delay} ${state.reason.code}`;
  }
};
const off: () => void = client.onState(show);
off();
// @ts-expect-error: the state is not for writing
client.state.phase = 'open';
// @ts-expect-error: what is between the client's own parts is not in its types
client.ask('finch.ping', null, () => {});

export const own: WebSocketClass = WebSocket;
