// A WebSocket client that does what it is told, right or wrong: a TCP socket, a
// handshake and frames by hand (RFC 6455, sections 4.1 and 5.2).

import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import assert from 'node:assert/strict';

const WITHIN = 10000; // ms

// dial sends a handshake with these headers over the usual ones (undefined
// leaves one out) and reads the head of the answer.
export async function dial(base, path, headers = {}) {
  const { hostname, port, host } = new URL(base);
  const key = randomBytes(16).toString('base64');
  const all = { Host: host, Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Key': key, 'Sec-WebSocket-Version': '13', ...headers };
  const tcp = connect(Number(port), hostname);
  const socket = new BareSocket(tcp);
  tcp.write(`GET ${path} HTTP/1.1\r\n` + Object.entries(all).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}: ${value}\r\n`).join('') + '\r\n');
  const head = (await socket.readUntil('\r\n\r\n')).toString();
  const [first, ...lines] = head.trim().split('\r\n');
  const answer = { status: Number(first.split(' ')[1]), headers: {} };
  for (const line of lines) {
    const [name, ...value] = line.split(':');
    answer.headers[name.toLowerCase()] = value.join(':').trim();
  }
  if (answer.status !== 101) tcp.destroy();
  return { socket, answer, key };
}

export async function upgrade(base, path) {
  const { socket, answer, key } = await dial(base, path);
  assert.equal(answer.status, 101);
  const accept = createHash('sha1').update(key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
  assert.equal(answer.headers['sec-websocket-accept'], accept);
  return socket;
}

// frame makes the bytes of one frame. A length beyond the payload is a promise
// that is not kept.
export function frame({ opcode, payload = Buffer.alloc(0), fin = true, rsv = 0, masked = true, length = payload.length }) {
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  const mask = masked ? 0x80 : 0;
  if (length < 126) head.push(mask | length);
  else if (length < 65536) head.push(mask | 126, length >> 8, length & 255);
  else head.push(mask | 127, 0, 0, 0, 0, ...[24, 16, 8, 0].map((n) => (length >>> n) & 255));
  if (!masked) return Buffer.concat([Buffer.from(head), payload]);
  const key = randomBytes(4);
  return Buffer.concat([Buffer.from(head), key, payload.map((byte, i) => byte ^ key[i % 4])]);
}

class BareSocket {
  #tcp;
  #bytes = Buffer.alloc(0);
  #ended = false;
  #wake = () => {};

  constructor(tcp) {
    this.#tcp = tcp;
    tcp.on('data', (chunk) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#wake();
    });
    for (const event of ['end', 'error', 'close']) tcp.on(event, () => { this.#ended = true; this.#wake(); });
  }

  write(bytes) {
    if (!this.#ended) this.#tcp.write(bytes);
  }

  // need waits for n bytes; false if the connection ends before they come.
  async #need(n) {
    const timer = setTimeout(() => this.#tcp.destroy(new Error('nothing came')), WITHIN);
    while (this.#bytes.length < n && !this.#ended) await new Promise((resolve) => { this.#wake = resolve; });
    clearTimeout(timer);
    return this.#bytes.length >= n;
  }

  #take(n) {
    const taken = this.#bytes.subarray(0, n);
    this.#bytes = this.#bytes.subarray(n);
    return taken;
  }

  async readUntil(mark) {
    for (let n = 1; ; n = this.#bytes.length + 1) {
      const at = this.#bytes.indexOf(mark);
      if (at >= 0) return this.#take(at + mark.length);
      if (!await this.#need(n)) throw new Error(`the connection ended before ${JSON.stringify(mark)}`);
    }
  }

  // readFrame answers undefined at the end of the connection.
  async readFrame() {
    if (!await this.#need(2)) return undefined;
    const opcode = this.#bytes[0] & 15;
    assert.equal(this.#bytes[1] & 0x80, 0, 'a server masks nothing (5.1)');
    let length = this.#bytes[1];
    const wide = { 126: 2, 127: 8 }[length] ?? 0;
    if (!await this.#need(2 + wide)) return undefined;
    if (wide) length = Number(BigInt('0x' + this.#bytes.subarray(2, 2 + wide).toString('hex')));
    if (!await this.#need(2 + wide + length)) return undefined;
    this.#take(2 + wide);
    return { opcode, payload: this.#take(length) };
  }

  // closeCode reads on until the server's close frame, and sees that the
  // connection ends after it; 1006 if it ends without one.
  async closeCode() {
    for (let f; (f = await this.readFrame());) {
      if (f.opcode !== 8) continue;
      const code = f.payload.length ? f.payload.readUInt16BE() : 1005;
      this.#tcp.end();
      assert.equal(await this.#need(this.#bytes.length + 1), false, 'a frame came after the close frame');
      return code;
    }
    return 1006;
  }
}
