// Socket.IO on Node's own HTTP server, WebSocket only: what its clients reach
// after they have left long polling.

import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { host, maxMessage, port, tell } from './address.mjs';

const server = createServer((request, response) => {
  if (request.url === '/settle') globalThis.gc();
  response.end('settled\n');
});
const io = new Server(server, { transports: ['websocket'], maxHttpBufferSize: maxMessage, serveClient: false, cors: { origin: '*' } });
io.on('connection', (socket) => {
  // The request of the handshake is kept unless it is dropped; the project's own
  // page on memory usage says to.
  socket.conn.request = null;
  socket.on('echo', (data) => socket.emit('echo', data));
  socket.on('all', (data) => io.emit('all', data));
});
server.listen({ host, port, backlog: 4096 }, () => tell(server.address().port));
