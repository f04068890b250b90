// The other end of a WebSocket, without a network: what a test writes into it
// comes to the client at once, and what the client sends is there to be looked at.

import assert from 'node:assert/strict';
import { settle } from './clock.mjs';

export const GREETING = { version: 1, client: 'socket', from: 'ann', resumed: false, ticket: 'ticket', heartbeat: 25_000, limits: { message_bytes: 65_536, json_depth: 64 } };

// A fresh class for each test: dialled holds the sockets that were made of it.
export function sockets() {
  return class ScriptedSocket {
    static dialled = [];
    static get last() { return this.dialled.at(-1); }

    binaryType = 'blob';
    bufferedAmount = 0;
    frames = []; // as they were sent
    sent = []; // as messages; bytes under data
    closedWith = undefined; // by the client
    state = 'connecting';
    onopen = null; onmessage = null; onerror = null; onclose = null;

    constructor(url, protocols) {
      Object.assign(this, { url, protocols });
      this.constructor.dialled.push(this);
    }

    send(frame) {
      assert.equal(this.state, 'open', 'sent before the socket was open, or after its end');
      this.frames.push(frame);
      this.sent.push(typeof frame === 'string' ? JSON.parse(frame) : read(frame));
    }

    close(code, reason) {
      if (code !== undefined && code !== 1000 && !(code >= 3000 && code <= 4999)) throw new Error(`a browser forbids ${code}`);
      this.closedWith ??= { code, reason };
      this.state = 'closed';
    }

    // From here on: what the server does.

    accept() {
      this.state = 'open';
      this.onopen({});
    }

    say(message) {
      this.raw(JSON.stringify({ status: 200, timestamp: 1, ...message }));
    }

    raw(data) {
      this.onmessage({ data });
    }

    bytes(envelope, payload) {
      const head = new TextEncoder().encode(JSON.stringify(envelope));
      const frame = new Uint8Array(4 + head.length + payload.length);
      new DataView(frame.buffer).setUint32(0, head.length);
      frame.set(head, 4);
      frame.set(payload, 4 + head.length);
      this.raw(frame.buffer);
    }

    // asked is the newest message of the client on a path.
    asked(path) {
      const message = this.sent.findLast((m) => m.path === path);
      assert.ok(message, `nothing was sent on ${path}, but ${JSON.stringify(this.sent.map((m) => m.path))}`);
      return message;
    }

    // answer answers the newest question on a path, or this one.
    answer(question, data = null) {
      const { path, id } = typeof question === 'string' ? this.asked(question) : question;
      this.say({ path, reply: id, data });
    }

    refuse(question, status, code, message = 'no') {
      const { path, id } = typeof question === 'string' ? this.asked(question) : question;
      this.say({ path, reply: id, status, error: { code, message } });
    }

    drop(code = 1006, reason = '', more = {}) {
      this.state = 'closed';
      this.onclose({ code, reason, ...more });
    }

    // greet accepts the socket and answers its hello.
    async greet(greeting = {}) {
      await settle();
      this.accept();
      await settle();
      this.answer('finch.hello', { ...GREETING, ...greeting });
      await settle();
      return this;
    }

    // paths that were sent, without those of the framework that need no look.
    get paths() {
      return this.sent.map((m) => m.path).filter((p) => p !== 'finch.hello' && p !== 'finch.ping');
    }
  };
}

function read(frame) {
  const length = new DataView(frame.buffer, frame.byteOffset).getUint32(0);
  return { ...JSON.parse(new TextDecoder().decode(frame.subarray(4, 4 + length))), data: frame.subarray(4 + length) };
}

// numbered answers the data of a hello that has a ticket without the number of
// its attempt, which rises from one to the next of a test.
let attempts = 0;
export function numbered({ attempt, ...hello }) {
  if (!(attempt > attempts)) throw new Error(`attempt ${attempt} came after ${attempts}`);
  attempts = attempt;
  return hello;
}
