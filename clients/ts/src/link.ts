import type { Frame } from './message.js';

/** What the client needs of a WebSocket. The browser's, Node's, Bun's and that of the package ws are such. */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(data: Frame): void;
  close(code?: number, reason?: string): void;
}

/** A class of WebSockets. */
export type WebSocketClass = new (url: string, protocols: string[]) => WebSocketLike;

/** What a close event says. `delay` is not of the browser: a WebSocket of one's own may say how many milliseconds to wait. */
export interface CloseLike {
  readonly code: number;
  readonly reason: string;
  readonly delay?: number;
}

/** What a link tells its owner. */
export interface LinkOwner {
  opened(): void;
  received(data: unknown): void;
  lost(close: CloseLike): void;
}

const MOST_WAITING = 1 << 20; // bytes that the network has not taken yet

/**
 * One WebSocket, from dialling to its loss. Once it has ended it tells its owner
 * nothing more: what the socket still says then belongs to a past that is over.
 */
export class Link {
  #socket: WebSocketLike;
  #owner: LinkOwner | undefined;

  constructor(WebSocket: WebSocketClass, url: string, protocols: string[], owner: LinkOwner) {
    const socket = (this.#socket = new WebSocket(url, protocols));
    this.#owner = owner;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => this.#owner?.opened();
    socket.onmessage = (event: { data: unknown }) => this.#owner?.received(event.data);
    socket.onerror = () => {}; // a close always follows and says more
    socket.onclose = (event: CloseLike) => {
      const to = this.#owner;
      this.#owner = undefined;
      to?.lost(event);
    };
  }

  /** The network does not take what was sent before. */
  get full(): boolean {
    return this.#socket.bufferedAmount > MOST_WAITING;
  }

  send(frame: Frame): void {
    this.#socket.send(frame);
  }

  /** Ends the link without waiting for the other end, which may be gone. Its owner is told nothing. */
  end(code?: number): void {
    this.#owner = undefined;
    this.#socket.close(code);
  }
}
