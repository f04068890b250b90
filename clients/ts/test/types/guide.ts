// The code of the guide that is written for the client. It is compiled with the
// tests, and nothing here runs.

// region events
import { connect } from 'finch-client/rooms'; // without npm: from '/finch.js'

const client = connect('/ws', { onText: (text) => show(text) }); // texts that are no envelope
client.on('test', (data) => show(data)); // once; it stays through reconnects
client.send('test', { any: 'thing' });
// endregion

// region questions
const { total } = (await client.request('sum', { terms: [1, 2, 3] })) as { total: number };
client.answer('confirm', (question) => confirm(`${question}`)); // when the server asks
// endregion

// region binary
client.send('photo', new Uint8Array(await file.arrayBuffer()));
client.on('photo', (jpeg) => draw(jpeg as Uint8Array));
// endregion

// region token
const signedIn = connect('wss://app.example.com/ws', {
  token: async () => (await fetch('/token', { method: 'POST' })).json(), // {token, expiresIn}; asked before each connect and before it expires
});
// endregion

// region presence
const room = client.room('chat:7');
const end = room.presence.watch(({ members }) => showPeople(members.map(({ id, devices }) => `${id} on ${devices}`)));
await room.presence.set({ typing: true });
// endregion

declare function show(data: unknown): void;
declare function draw(jpeg: Uint8Array): void;
declare function showPeople(people: readonly string[]): void;
declare const file: Blob;

export { end, signedIn, total };
