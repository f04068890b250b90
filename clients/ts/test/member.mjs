// A client that is in a room of a server which the test plays.

import { chance, move } from './clock.mjs';
import { sockets } from './server.mjs';
import { connect, FinchError } from '../lib/rooms.js';

export async function open(options = {}) {
  chance(0.5);
  const WebSocket = sockets();
  const errors = [];
  const client = connect('ws://finch.test/ws', { WebSocket, heartbeat: Infinity, onError: (error) => errors.push(error), ...options });
  const socket = await WebSocket.last.greet();
  return { client, socket, errors, WebSocket };
}

// inside opens a client that is in a room, and writes down what reaches it.
export async function inside(position = 'e.5.a', options = {}) {
  const opened = await open(options);
  const room = opened.client.room('chat:7');
  const seen = watch(room);
  const joined = room.join();
  opened.socket.answer('finch.join', { room: 'chat:7', position });
  await joined;
  seen.length = 0;
  return { ...opened, room, seen };
}

export function watch(room) {
  const seen = [];
  room.on('post', (data) => seen.push(data));
  for (const path of ['joined', 'reset', 'lagged', 'left']) room.on(`finch.${path}`, (data) => seen.push([path, data]));
  return seen;
}

export const post = (socket, n, more = {}) => socket.say({ path: 'post', room: 'chat:7', position: `e.${n}.a`, data: n, ...more });

// again loses the connection and gets another one, up to hello.
export async function again(WebSocket, greeting = { resumed: true }) {
  WebSocket.last.drop();
  await move(20_000);
  return WebSocket.last.greet(greeting);
}

export const code = (wanted) => (error) => error instanceof FinchError && error.code === wanted;
