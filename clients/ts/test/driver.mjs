// Steers clients as the suite for clients wants it (clients/suite/README.md). It
// knows nothing of Node, so that it can run in a page too: node-driver.mjs and
// page-driver.mjs bring the control connection.

// drive serves one control connection. `entry` is the entry rooms; `options` is
// what every client gets besides.
export function drive(control, entry, options, name, lacks = []) {
  const actors = new Map();
  const report = (saw, fields = {}) => control.send(JSON.stringify({ saw, ...fields }));
  const receive = ({ data }) => {
    const { do: deed, client, ...command } = JSON.parse(data);
    if (deed === 'new') actors.set(client, new Actor(client, entry, options, command, report));
    else actors.get(client)?.do(deed, command);
    if (deed === 'forget') actors.delete(client);
  };
  control.onmessage = receive;
  report('ready', { name, lacks });
}

const NAMES = {
  retry_first: 'retryFirst', retry_max: 'retryMax', retry_steady: 'retrySteady', connect_timeout: 'connectTimeout', request_timeout: 'requestTimeout',
  heartbeat: 'heartbeat', heartbeat_timeout: 'heartbeatTimeout', publish_timeout: 'publishTimeout', publish_retry: 'publishRetry',
};

const encode = (bytes) => btoa(String.fromCharCode(...bytes));
const decode = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const payload = ({ data, bytes }) => (bytes === undefined ? data : decode(bytes));
const shown = (data) => (data instanceof Uint8Array ? { bytes: encode(data) } : { data });
const picked = ({ room, position, from, key, to }) => ({ room, position, from, key, to });

// An Actor is one client of the suite's.
class Actor {
  #report;
  #FinchError;
  #make;
  #client;
  #waiting = []; // what came before connect: our client connects as soon as there is one
  #forgotten = false;
  #ons = new Map(); // of each path, what ends its handler
  #rooms = new Map(); // of each room, its handler
  #watched = new Set();

  constructor(name, { connect, FinchError }, options, { url, options: own = {} }, report) {
    this.#report = (saw, fields) => this.#forgotten || report(saw, { client: name, ...fields });
    const all = { onError: () => {}, ...options };
    for (const [theirs, ours] of Object.entries(NAMES)) if (own[theirs] !== undefined) all[ours] = own[theirs];
    if (own.tokens) all.token = tokens(own.tokens);
    this.#FinchError = FinchError;
    this.#make = () => connect(url, all);
  }

  do(deed, command) {
    if (deed === 'connect') return this.#connect();
    if (!this.#client && deed !== 'forget') return this.#waiting.push([deed, command]);
    if (typeof this[deed] !== 'function' || deed === 'constructor') return this.#report('unknown', { do: deed });
    this[deed](command);
  }

  #connect() {
    if (this.#client) return this.#client.reconnect();
    this.#client = this.#make();
    const tell = ({ phase, delay, reason }) => this.#report('state', { state: phase, code: reason?.code, reason: reason?.text, delay });
    this.#client.onState(tell);
    tell(this.#client.state);
    for (const [deed, command] of this.#waiting.splice(0)) this.do(deed, command);
  }

  #result(ref, promise, saw, fields) {
    promise.then(
      (value) => this.#report(saw, { ref, ...fields(value) }),
      (error) => this.#report('error', { ref, code: error.code ?? 'client', status: error.status, message: `${error.message}` }),
    );
  }

  // handler makes what the suite wants a handler to be.
  #handler({ answer, answer_bytes: bytes, fail, throws, delay, then = [] }) {
    return async (data, message) => {
      this.#report('message', { path: message.path, ...shown(data), ...picked(message) });
      for (const { do: deed, ...command } of then.splice(0)) this.do(deed, command);
      if (delay) await new Promise((resolve) => setTimeout(resolve, delay));
      if (fail) throw new this.#FinchError(fail.code, fail.message, fail.status);
      if (throws) throw new Error('a bug');
      return bytes === undefined ? answer : decode(bytes);
    };
  }

  on({ path, ...handler }) {
    const fn = this.#handler(handler);
    this.#ons.get(path)?.();
    this.#ons.set(path, this.#client.on(path, fn));
    this.#client.answer(path, fn);
  }

  send(command) {
    try {
      if (!this.#client.send(command.path, payload(command))) this.#report('error', { code: 'not_sent' });
    } catch (error) {
      this.#report('error', { code: 'client', message: error.message });
    }
  }

  request({ ref, path, timeout, ...command }) {
    this.#result(ref, this.#client.request(path, payload(command), timeout === undefined ? {} : { timeout }), 'answer', shown);
  }

  join({ ref, room: name, ...handler }) {
    const room = this.#client.room(name);
    const fn = this.#handler(handler);
    if (!this.#watched.has(name)) {
      this.#watched.add(name);
      room.on('', (data, message) => {
        const saw = /^finch\.(joined|lagged|reset|left)$/.exec(message.path)?.[1];
        if (!saw) return this.#rooms.get(name)?.(data, message);
        const { room, to, position, recovered, missed, reason, error } = data;
        if (saw !== 'joined' || recovered !== undefined) this.#report(saw, { room, to, position, recovered, missed, reason, code: error?.code });
      });
    }
    this.#rooms.set(name, fn);
    this.#result(ref, room.join(), 'joined', ({ room, position, recovered, missed }) => ({ room, position, recovered, missed }));
  }

  leave({ ref, room }) {
    this.#result(ref, this.#client.room(room).leave(), 'answer', () => ({ data: null }));
  }

  publish({ ref, room, path, key, echo, ...command }) {
    this.#result(ref, this.#client.room(room).publish(path, payload(command), { key, echo }), 'published', ({ position, duplicate }) => ({ position, duplicate }));
  }

  history({ ref, room, before, after, limit }) {
    const tell = ({ messages, more }) => ({ messages: messages.map((m) => ({ path: m.path, ...shown(m.data), ...picked(m) })), more });
    this.#result(ref, this.#client.room(room).history({ before, after, limit }), 'history', tell);
  }

  presence({ ref, room, watch }) {
    const { presence } = this.#client.room(room);
    if (!watch) return this.#result(ref, presence.read(), 'presence', (members) => ({ room, members: members.map(({ id }) => id), count: members.length }));
    const end = presence.watch(({ members, count, ready, error }) => {
      if (ref && error) this.#report('error', { ref, code: error.code, status: error.status, message: error.message });
      else if (ready) this.#report('presence', { ref, room, members: members.map(({ id }) => id), count });
      if (error) end();
      if (ready || error) ref = undefined;
    });
  }

  close() {
    this.#client.close();
  }

  forget() {
    this.#forgotten = true;
    this.#client?.close();
  }
}

// tokens is the function that gives one token after another.
function tokens(all) {
  return () => {
    const next = all.length > 1 ? all.shift() : all[0];
    if (next === null) throw new Error('no token now');
    return next;
  };
}
