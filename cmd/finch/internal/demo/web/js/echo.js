// Echo: the guide's, beside envelopes on /ws, and the raw route /echo.

import { append, byTest, el, trim } from './dom.js';
import { say, when } from './i18n.js';

const KEEP = 50;

export function startEcho(connection, rawURL) {
  const shared = new EchoPane('echo', (text) => connection.sendText(text));
  connection.onText((text) => shared.received(text));

  const raw = new EchoPane('rawecho', (text) => rawSocket.send(text));
  const rawSocket = new RawSocket(rawURL, (text) => raw.received(text), () => raw.forget());
}

// RawSocket is opened by the first text and again when it has gone.
class RawSocket {
  #ws = null;
  #waiting = [];

  constructor(url, onText, onClose) {
    Object.assign(this, { url, onText, onClose });
  }

  send(text) {
    if (this.#ws?.readyState === WebSocket.OPEN) {
      this.#ws.send(text);
      return true;
    }
    this.#waiting.push(text);
    if (!this.#ws) this.#open();
    return true;
  }

  #open() {
    const ws = this.#ws = new WebSocket(this.url);
    ws.onopen = () => { for (const text of this.#waiting.splice(0)) ws.send(text); };
    ws.onmessage = ({ data }) => this.onText(data);
    ws.onclose = () => {
      this.#ws = null;
      this.#waiting.length = 0;
      this.onClose();
    };
  }
}

class EchoPane {
  #sent = []; // {text, at} of what has no answer yet, in order
  #log;

  constructor(name, send) {
    this.#log = byTest(`${name}-log`);
    const input = byTest(`${name}-input`);
    input.form.addEventListener('submit', (e) => {
      e.preventDefault();
      const text = input.value || input.placeholder;
      this.#sent.push({ text, at: performance.now() });
      if (send(text)) {
        this.#line('sent', text);
        input.value = '';
      } else {
        this.#sent.pop();
        this.#problem();
      }
      input.focus();
    });
  }

  received(text) {
    // Answers keep the order, but not every text gets one: what looks like an
    // envelope is refused instead.
    const i = this.#sent.findIndex((sent) => text.endsWith(sent.text));
    const [sent] = i < 0 ? [] : this.#sent.splice(0, i + 1).slice(-1);
    const took = sent ? say(el('span', { class: 'took' }), 'echo.took', { ms: performance.now() - sent.at }) : null;
    this.#line('received', text, took);
  }

  // forget gives up on answers that a closed socket can no longer bring.
  forget() {
    if (this.#sent.length) this.#problem();
    this.#sent = [];
  }

  #line(kind, text, extra) {
    append(this.#log, el('div', { class: kind }, el('span', { class: 'echo-text', dir: 'auto' }, text), extra ?? when(Date.now())), KEEP);
  }

  #problem() {
    this.#log.append(say(el('div', { class: 'problem' }), 'echo.lost'));
    trim(this.#log, KEEP);
  }
}
