// The page's connection: the Finch client, with an ear on the wire for the
// console, and a way to send what is no envelope.

import { connect } from './finch-client.js';

const BACK = 2000; // ms, at most, after the server has said goodbye: this page stays

const encoder = new TextEncoder();

// offline is why something was not even sent.
const offline = () => Object.assign(new Error('not connected'), { code: 'offline', status: 0 });

export class Connection {
  state = { name: 'connecting' };

  #ws = null;
  #leaving = false;
  #timer = 0;
  #frames = [];
  #states = [];
  #texts = [];

  constructor(url) {
    this.client = connect(url, {
      WebSocket: tapped(this),
      retryFirst: 1000, // an office of pages would come back at one moment; here there are few
      onText: (text) => { for (const f of this.#texts) f(text); },
      onError: () => {}, // refusals of what the console sent; it shows them
    });
    this.client.onState((state) => this.#entered(state));
    // Who closes the page is gone at once, and not only when the server gives up waiting.
    addEventListener('pagehide', () => {
      this.#leaving = true;
      this.client.close();
    });
    addEventListener('pageshow', ({ persisted }) => {
      this.#leaving = false;
      if (persisted) this.client.reconnect();
    });
  }

  on(path, f) { this.client.on(path, f); }
  onFrame(f) { this.#frames.push(f); }
  onState(f) { this.#states.push(f); f(this.state); }
  onText(f) { this.#texts.push(f); }

  // retry ends a wait early; otherwise it does nothing.
  retry() {
    clearTimeout(this.#timer);
    this.client.reconnect();
  }

  sendText(text) {
    if (this.#ws?.readyState !== WebSocket.OPEN) return false;
    this.#ws.send(text);
    return true;
  }

  send(path, data) {
    return this.state.name === 'open' && this.client.send(path, data);
  }

  // request asks and resolves with the answer's data. Unlike the client it does
  // not wait for a connection: who pressed a button wants to know.
  async request(path, data) {
    if (this.state.name !== 'open') throw offline();
    return this.client.request(path, data, { timeout: 10000 });
  }

  // tap hands a socket's traffic to the console.
  tap(ws) {
    this.#ws = ws;
    ws.addEventListener('open', () => this.#note('opened'));
    ws.addEventListener('message', ({ data }) => this.#heard('in', data));
    ws.addEventListener('close', ({ code, reason }) => {
      if (this.#ws === ws && this.state.name === 'open') this.#note('closed', code, reason);
    });
  }

  sent(data) { this.#heard('out', data); }

  #heard(dir, data) {
    if (typeof data !== 'string') {
      const bytes = new Uint8Array(data);
      this.#frame({ dir, bytes, size: bytes.length });
      return;
    }
    this.#frame({ dir, text: data, size: encoder.encode(data).length });
  }

  #entered(state) {
    clearTimeout(this.#timer);
    const { phase, reason } = state;
    if (phase === 'connecting') this.#set({ name: 'connecting' });
    else if (phase === 'open') this.#set({ name: 'open' });
    else if (phase === 'waiting') this.#set({ name: 'waiting', until: Date.now() + state.delay, code: reason.code });
    else if (reason.code !== 1000) this.#set({ name: 'refused', code: reason.code }); // asking again would be answered the same
    else if (!this.#leaving) this.#comeBack();
  }

  #comeBack() {
    const wait = Math.random() * BACK;
    this.#set({ name: 'waiting', until: Date.now() + wait, code: 1000 });
    this.#timer = setTimeout(() => this.client.reconnect(), wait);
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

// tapped is the browser's WebSocket, with somebody listening in.
function tapped(connection) {
  return class extends WebSocket {
    constructor(url, protocols) {
      super(url, protocols);
      connection.tap(this);
    }
    send(data) {
      super.send(data);
      connection.sent(data);
    }
  };
}
