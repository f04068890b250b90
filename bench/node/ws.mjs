// ws on Node's own HTTP server.

import { createServer } from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';
import { host, maxMessage, port, tell } from './address.mjs';

const options = { noServer: true, maxPayload: maxMessage, perMessageDeflate: false };
const echo = new WebSocketServer(options);
echo.on('connection', (socket) => {
  socket.on('message', (data, binary) => socket.send(data, { binary }));
  socket.on('error', () => {});
});

const all = new WebSocketServer(options);
all.on('connection', (socket) => {
  socket.on('message', (data, binary) => {
    for (const member of all.clients) {
      if (member.readyState === WebSocket.OPEN) member.send(data, { binary });
    }
  });
  socket.on('error', () => {});
});

const server = createServer((request, response) => {
  if (request.url === '/settle') globalThis.gc();
  response.end('settled\n');
});
server.on('upgrade', (request, socket, head) => {
  const to = request.url === '/all' ? all : echo;
  to.handleUpgrade(request, socket, head, (ws) => to.emit('connection', ws, request));
});
server.listen({ host, port, backlog: 4096 }, () => tell(server.address().port));
