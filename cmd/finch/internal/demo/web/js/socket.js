// The page's socket: a plain WebSocket that speaks envelopes, asks and waits
// for answers, and comes back by itself.

const BASE = 1000; // ms
const CAP = 20000; // ms
const STEADY = 5000; // ms a connection must live before the waits start small again
const ANSWER = 10000; // ms to wait for an answer

// backoff is full jitter: anywhere between nothing and a ceiling that doubles.
// A fixed wait would bring every page back in the same instant.
export function backoff(attempt, random = Math.random) {
  return random() * Math.min(CAP, BASE * 2 ** attempt);
}

export class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    Object.assign(this, { status, code });
  }
}

const encoder = new TextEncoder();

export class Connection {
  state = { name: 'connecting' };

  #url;
  #ws = null;
  #attempt = 0;
  #openedAt = 0;
  #timer = 0;
  #lastID = 0;
  #asked = new Map();
  #events = new Map();
  #frames = [];
  #states = [];
  #texts = [];

  constructor(url) {
    this.#url = url;
    addEventListener('online', () => this.retry());
    document.addEventListener('visibilitychange', () => { if (!document.hidden) this.retry(); });
  }

  on(path, f) {
    if (!this.#events.has(path)) this.#events.set(path, []);
    this.#events.get(path).push(f);
  }
  onFrame(f) { this.#frames.push(f); }
  onState(f) { this.#states.push(f); f(this.state); }
  onText(f) { this.#texts.push(f); }

  open() {
    clearTimeout(this.#timer);
    this.#set({ name: 'connecting' });
    const ws = this.#ws = new WebSocket(this.#url);
    ws.binaryType = 'arraybuffer';
    ws.onopen = () => {
      this.#openedAt = performance.now();
      this.#note('opened');
      this.#set({ name: 'open' });
    };
    ws.onmessage = ({ data }) => this.#received(data);
    ws.onclose = ({ code, reason }) => this.#closed(code, reason);
  }

  // retry ends a wait early; otherwise it does nothing.
  retry() {
    if (this.state.name === 'waiting' || this.state.name === 'refused') this.open();
  }

  sendText(text) {
    if (this.#ws?.readyState !== WebSocket.OPEN) return false;
    this.#ws.send(text);
    this.#frame({ dir: 'out', text, size: encoder.encode(text).length });
    return true;
  }

  send(path, data) {
    return this.sendText(JSON.stringify({ path, data }));
  }

  // request asks and resolves with the answer's data, or rejects with Refused.
  request(path, data) {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastID;
      if (!this.sendText(JSON.stringify({ path, data, id }))) {
        reject(new Refused(0, 'offline', 'not connected'));
        return;
      }
      const timer = setTimeout(() => {
        this.#asked.delete(id);
        reject(new Refused(0, 'timeout', 'no answer'));
      }, ANSWER);
      this.#asked.set(id, { resolve, reject, timer });
    });
  }

  #received(data) {
    if (data instanceof ArrayBuffer) {
      this.#frame({ dir: 'in', bytes: new Uint8Array(data), size: data.byteLength });
      return;
    }
    let envelope = null;
    try { envelope = JSON.parse(data); } catch { /* not an envelope: a bare text */ }
    if (typeof envelope?.path !== 'string') envelope = null;
    this.#frame({ dir: 'in', text: data, size: encoder.encode(data).length, path: envelope?.path });
    if (!envelope) {
      for (const f of this.#texts) f(data);
      return;
    }
    const asked = this.#asked.get(envelope.reply);
    if (asked) {
      this.#asked.delete(envelope.reply);
      clearTimeout(asked.timer);
      const { status = 200, error } = envelope;
      if (error || status >= 400) asked.reject(new Refused(status, error?.code ?? 'unknown', error?.message ?? String(status)));
      else asked.resolve(envelope.data);
      return;
    }
    for (const f of this.#events.get(envelope.path) ?? []) f(envelope.data, envelope);
  }

  #closed(code, reason) {
    this.#ws = null;
    for (const { reject, timer } of this.#asked.values()) {
      clearTimeout(timer);
      reject(new Refused(0, 'offline', 'the connection ended'));
    }
    this.#asked.clear();
    if (this.state.name === 'open') this.#note('closed', code, reason);
    if (code === 4401 || code === 4403) { // asking again would be answered the same
      this.#set({ name: 'refused', code });
      return;
    }
    if (this.#openedAt && performance.now() - this.#openedAt > STEADY) this.#attempt = 0;
    this.#openedAt = 0;
    const wait = backoff(this.#attempt++);
    this.#set({ name: 'waiting', until: Date.now() + wait, code });
    this.#timer = setTimeout(() => this.open(), wait);
  }

  #set(state) {
    this.state = state;
    for (const f of this.#states) f(state);
  }
  #frame(frame) {
    frame.at = Date.now();
    for (const f of this.#frames) f(frame);
  }
  #note(note, code, reason) {
    this.#frame({ dir: 'note', note, code, reason, size: 0 });
  }
}
