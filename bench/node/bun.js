// Bun's server: uWebSockets with JavaScript on top.

import { host, maxMessage, port, tell } from './address.mjs';

const server = Bun.serve({
  hostname: host,
  port,
  fetch(request, server) {
    if (request.url.endsWith('/settle')) {
      Bun.gc(true);
      return new Response('settled\n');
    }
    if (server.upgrade(request, { data: request.url.endsWith('/all') })) return undefined;
    return new Response('not a WebSocket\n', { status: 426 });
  },
  websocket: {
    idleTimeout: 120,
    maxPayloadLength: maxMessage,
    backpressureLimit: 4 * maxMessage,
    perMessageDeflate: false,
    open(socket) {
      if (socket.data) socket.subscribe('all');
    },
    message(socket, message) {
      if (socket.data) server.publish('all', message);
      else socket.send(message);
    },
  },
});
tell(server.port);
