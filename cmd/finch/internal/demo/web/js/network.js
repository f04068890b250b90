// A network that can be cut, for a client that is given its WebSocket. While it
// is cut nothing arrives and nothing opens; the server is not told, and goes on
// writing into a connection that nobody reads, as with a dead network.

export class Network {
  #until = 0;
  #lines = new Set();

  get isCut() { return performance.now() < this.#until; }

  // left is how many milliseconds the network is still cut.
  get left() { return Math.max(0, this.#until - performance.now()); }

  cut(milliseconds) {
    this.#until = performance.now() + milliseconds;
    for (const line of this.#lines) line.drop();
    this.#lines.clear();
  }

  // The class of its WebSockets.
  get WebSocket() {
    const network = this;
    return class {
      binaryType = 'arraybuffer';
      onopen = null;
      onmessage = null;
      onerror = null;
      onclose = null;
      #real = null;
      #dropped = false;

      constructor(url, protocols) {
        if (network.isCut) {
          setTimeout(() => this.drop(), 50);
          return;
        }
        const real = this.#real = new WebSocket(url, protocols);
        real.binaryType = 'arraybuffer';
        real.onopen = (e) => this.#dropped || this.onopen?.(e);
        real.onmessage = (e) => this.#dropped || this.onmessage?.(e);
        real.onclose = ({ code, reason }) => {
          network.#lines.delete(this);
          if (!this.#dropped) this.onclose?.({ code, reason });
        };
        network.#lines.add(this);
      }

      get bufferedAmount() { return this.#real?.bufferedAmount ?? 0; }

      send(data) { if (!this.#dropped) this.#real?.send(data); }

      close(code, reason) {
        if (!this.#dropped) this.#real?.close(code, reason); // over a dead network no goodbye gets through
      }

      drop() {
        if (this.#dropped) return;
        this.#dropped = true;
        this.onclose?.({ code: 1006, reason: '' });
      }
    };
  }
}
