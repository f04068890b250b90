// A small Finch server for the tests in a browser: sessions, rooms that record,
// keys, presence, and what a test needs to make it fail. It also serves the
// client's files, so that pages and sockets have one origin.

import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';

const TYPES = { js: 'text/javascript', html: 'text/html' };
const LIB = fileURLToPath(new URL('../../lib/', import.meta.url));

export async function serve() {
  const server = new Finch();
  await new Promise((resolve) => server.http.listen(0, '127.0.0.1', resolve));
  return server;
}

class Finch {
  connections = new Set();
  dialled = 0; // connections ever
  rooms = new Map(); // name → { log, keys }
  heard = []; // every message of clients, with who sent it
  files = new Map(); // path → text, beside those of lib
  ignore = () => false; // messages for which it plays dead
  refuse = false; // new connections
  #sessions = new Map(); // ticket → session
  #ids = 0;

  constructor() {
    this.http = createServer((request, response) => this.#file(new URL(request.url, 'http://x').pathname, response));
    const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'finch.v1.json' });
    this.http.on('upgrade', (request, tcp, head) => {
      if (this.refuse) return tcp.destroy();
      this.dialled++;
      sockets.handleUpgrade(request, tcp, head, (socket) => new Connection(this, socket, new URL(request.url, 'http://x').searchParams.get('user')));
    });
  }

  get url() {
    return `http://127.0.0.1:${this.http.address().port}`;
  }

  // cut breaks all connections without a close frame.
  cut() {
    for (const { socket } of this.connections) socket.terminate();
  }

  close() {
    this.cut();
    this.http.closeAllConnections();
    this.http.close();
  }

  room(name) {
    if (!this.rooms.has(name)) this.rooms.set(name, { log: [], keys: new Map() });
    return this.rooms.get(name);
  }

  // said lists what was recorded in a room.
  said(name) {
    return this.room(name).log.map((m) => m.data);
  }

  // record writes a message down and sends it to who is in.
  record(name, message, except) {
    const { log } = this.room(name);
    const recorded = { path: 'post', ...message, room: name, position: `m.${log.length + 1}.a`, timestamp: 1 };
    log.push(recorded);
    for (const c of this.connections) {
      if (!c.rooms.has(name)) continue;
      if (c === except) c.note('position', { room: name, position: recorded.position });
      else c.say(recorded);
    }
    return recorded.position;
  }

  session(ticket) {
    const known = this.#sessions.get(ticket);
    const session = known ?? { from: `anonymous${++this.#ids}` };
    const next = `ticket${++this.#ids}`;
    this.#sessions.set(next, session);
    return { session, resumed: !!known, ticket: next };
  }

  newId() {
    return `socket${++this.#ids}`;
  }

  here(name) {
    const members = new Map();
    for (const { rooms, from } of this.connections) if (rooms.has(name)) members.set(from, (members.get(from) ?? 0) + 1);
    return [...members].sort().map(([id, devices]) => ({ id, devices, since: 1 }));
  }

  // shown tells those who watch who came and who went.
  shown(name, change) {
    for (const c of this.connections) if (c.watches.has(name)) c.say({ path: 'finch.presence', room: name, data: { ...change, count: this.here(name).length } });
  }

  async #file(path, response) {
    try {
      const text = this.files.get(path) ?? (path === '/' ? '<!doctype html><title>Finch</title><div id=app></div>' : await readFile(LIB + path.match(/^\/lib\/([\w-]+\.js)$/)[1]));
      response.writeHead(200, { 'Content-Type': TYPES[path.split('.')[1] ?? 'html'] }).end(text);
    } catch {
      response.writeHead(404).end();
    }
  }
}

class Connection {
  rooms = new Set();
  watches = new Set();
  from;
  #server;
  #user;

  constructor(server, socket, user) {
    this.#server = server;
    this.#user = user;
    this.socket = socket;
    server.connections.add(this);
    socket.on('message', (text) => this.#receive(JSON.parse(text)));
    socket.on('close', () => {
      server.connections.delete(this);
      for (const room of this.rooms) server.shown(room, { left: [this.from] });
    });
    socket.on('error', () => {});
  }

  say(message) {
    this.socket.send(JSON.stringify({ status: 200, timestamp: 1, ...message }));
  }

  note(kind, data) {
    this.say({ path: `finch.${kind}`, data });
  }

  #receive(message) {
    const server = this.#server;
    server.heard.push({ ...message, by: this });
    if (server.ignore(message)) return;
    const { path, id, data } = message;
    const answer = (data = null) => this.say({ path, reply: id, data });
    const no = (status, code) => this.say({ path, reply: id, status, error: { code, message: code } });
    switch (path) {
      case 'finch.hello': {
        const { session, resumed, ticket } = server.session(data.ticket);
        this.from = this.#user ?? session.from;
        answer({ version: 1, client: server.newId(), from: this.from, resumed, reason: data.ticket && !resumed ? 'bad_ticket' : undefined, ticket, heartbeat: 25_000, limits: { message_bytes: 65_536, json_depth: 64 } });
        for (const [room, position] of Object.entries(data.rooms ?? {})) this.#enter(room, position, (word) => this.note('joined', word));
        return;
      }
      case 'finch.ping':
        return answer();
      case 'finch.join':
        return this.#enter(data.room, data.position, answer);
      case 'finch.leave':
        if (this.rooms.delete(data.room)) server.shown(data.room, { left: [this.from] });
        this.watches.delete(data.room);
        return answer();
      case 'finch.publish': {
        if (!this.rooms.has(data.room)) return no(403, 'not_in_room');
        const { keys } = server.room(data.room);
        const key = `${this.from} ${data.key}`;
        const before = keys.get(key);
        if (before) return answer({ position: before, duplicate: true });
        const position = server.record(data.room, { path: data.path, data: data.data, from: this.from, key: data.key }, data.echo === false ? this : undefined);
        keys.set(key, position);
        return answer({ position });
      }
      case 'finch.presence': {
        if (data.watch === true) this.watches.add(data.room);
        if (data.watch === false) this.watches.delete(data.room);
        const members = server.here(data.room);
        return answer({ members, count: members.length });
      }
      case 'echo':
        return answer(data);
      default:
        if (id !== undefined) no(404, 'unknown_path');
    }
  }

  #enter(room, position, tell) {
    const { log } = this.#server.room(room);
    const head = `m.${log.length}.a`;
    if (!this.rooms.has(room)) {
      this.rooms.add(room);
      this.#server.shown(room, { joined: [{ id: this.from, devices: 1, since: 1 }] });
    }
    if (!position) return tell({ room, position: head });
    const missed = log.slice(Number(position.split('.')[1]));
    tell({ room, position, recovered: true, missed: missed.length });
    for (const message of missed) this.say(message);
  }
}
