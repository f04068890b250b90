import { Backoff } from './backoff.js';
import { now, Timer } from './clock.js';
import { closeCode } from './codes.js';
import { Heartbeat } from './heartbeat.js';
import { Link, type CloseLike, type WebSocketClass } from './link.js';
import type { Frame } from './message.js';
import type { Options } from './options.js';
import type { Reason, State } from './state.js';
import { fetchToken, renewIn, subprotocols } from './token.js';
import { onWaking } from './waking.js';

/** What the server says of itself, if it says what it should. */
export interface Hello {
  readonly client?: string;
  readonly from?: string;
  readonly resumed?: boolean;
  readonly heartbeat?: number;
  readonly limits?: { readonly message_bytes?: number };
}

/** What a connection tells its owner, and what it wants of it. */
export interface ConnectionOwner {
  /** The socket is open. The owner says hello, and then calls `established`. */
  dialled(): void;
  received(data: unknown): void;
  /** The socket is lost, or could not be had; `final` if no other will be tried. The state has changed already. */
  lost(final: boolean): void;
  entered(state: State): void;
  report(error: unknown): void;
  /** Asks for a sign of life. */
  ping(): void;
  /** Shows a new token; `renewed` tells whether it was taken, unless the connection ends before. */
  auth(token: string, renewed: (error?: { readonly code: string }) => void): void;
}

const LONGEST_DRAIN = 600_000;
const RENEW_AGAIN = 10_000;

/**
 * Keeps a link to the server: dials, notices its loss, waits, dials again. It
 * knows close codes and delays, and nothing of messages.
 */
export class Connection {
  state: State = { phase: 'connecting', attempt: 1 };
  #url: string;
  #options: Options;
  #class: WebSocketClass;
  #owner: ConnectionOwner;

  // The link that there is. The generation is another one after each; what belongs to an old one is ignored.
  #link: Link | undefined;
  #generation = 0;
  #openSince: number | undefined;
  #expires = Infinity; // the token, by our clock
  #heartbeat: Heartbeat | undefined;
  #renewal = new Timer();

  // Connecting again.
  #timer = new Timer(); // of the next try, of the limit of the present one, or of the moment to go
  #backoff: Backoff;
  #attempt = 0;
  #due = 0; // when the next try is made; -1 if the server chose the moment, which nothing hastens
  #slot = 0; // the moment that the server gave when it said that it goes away
  #newToken = false; // a new token was tried after 4401, and has not proved itself yet
  #unlisten = (): void => {};

  constructor(url: string | URL, options: Options, owner: ConnectionOwner) {
    this.#url = absolute(url);
    this.#options = options;
    this.#owner = owner;
    this.#backoff = new Backoff(options.retryFirst ?? 5000, options.retryMax ?? 20_000);
    const { WebSocket = globalThis.WebSocket } = options;
    if (!WebSocket) throw new TypeError('no global WebSocket: give one as the option WebSocket');
    this.#class = WebSocket;
  }

  /** Begins, or begins anew after the end; a wait ends at once. */
  start(): void {
    if (this.#generation && (this.state.phase === 'connecting' || this.state.phase === 'open')) return;
    this.#unlisten();
    this.#unlisten = onWaking((within) => this.#wake(within));
    this.#backoff.reset();
    this.#attempt = 0;
    this.#newToken = false;
    this.#dial();
  }

  /** False if there is no link; with `patience`, also while the network does not take what was sent before. */
  send(frame: Frame, patience = false): boolean {
    if (!this.#link || (patience && this.#link.full)) return false;
    this.#link.send(frame);
    return true;
  }

  /** Another value after each loss. */
  get generation(): number {
    return this.#generation;
  }

  /** Hello was answered: the server is there and takes this client. */
  established({ client, from = client, resumed, heartbeat }: Hello): void {
    const { heartbeat: own, heartbeatTimeout = 10_000 } = this.#options;
    const period = own ?? (heartbeat! >= 1000 ? +heartbeat! : 25_000);
    this.#timer.stop();
    this.#openSince = now();
    this.#newToken = false;
    this.#attempt = 0;
    this.#heartbeat?.stop();
    this.#heartbeat = new Heartbeat(period, heartbeatTimeout, () => this.#owner.ping(), () => this.lose({ code: 4408, reason: '' }));
    this.#renewLater();
    this.#enter({ phase: 'open', client: `${client}`, from: `${from}`, resumed: resumed === true });
  }

  /** The server goes away, and gave a moment to come back. */
  drain(delay: unknown): void {
    if (typeof delay !== 'number' || !(delay >= 0 && delay <= LONGEST_DRAIN) || !this.#heartbeat) return;
    this.#slot = now() + delay;
    this.#timer.set(delay, () => this.lose({ code: 1012, reason: '' }));
  }

  /** Gives the link up. */
  lose(close: CloseLike, name?: string): void {
    this.#end();
    const { name: codeName, action } = closeCode(close.code);
    const reason = { code: close.code, name: name ?? (globalThis.navigator?.onLine === false ? 'offline' : codeName), text: `${close.reason}` };
    const held = this.#openSince !== undefined && now() - this.#openSince >= (this.#options.retrySteady ?? 10_000);
    this.#openSince = undefined;
    if (held) this.#backoff.reset();
    const retry = action === 'new token' ? !!this.#options.token && !this.#newToken : action !== 'stop';
    this.#newToken ||= action === 'new token';
    if (!retry) return this.#stop(reason);
    const slot = this.#slot && Math.max(0, this.#slot - now());
    const delay = this.#slot ? slot : close.delay ?? this.#backoff.next() / (action === 'new token' ? 5 : 1);
    this.#due = this.#slot ? -1 : now() + delay;
    this.#slot = 0;
    this.#timer.set(delay, () => this.#dial());
    this.#enter({ phase: 'waiting', attempt: this.#attempt, delay, reason }, false);
  }

  close(): void {
    if (this.state.phase === 'closed') return;
    this.#end(1000);
    this.#stop({ code: 1000, name: 'normal', text: '' });
  }

  #enter(state: State, final?: boolean): void {
    this.state = state;
    if (final !== undefined) this.#owner.lost(final);
    if (state === this.state) this.#owner.entered(state); // or what was lost has changed it again
  }

  #stop(reason: Reason): void {
    this.#unlisten();
    this.#openSince = undefined;
    this.#slot = 0;
    this.#enter({ phase: 'closed', reason }, true);
  }

  /** Ends what there is of a link and of a try. */
  #end(code?: number): void {
    this.#generation++;
    this.#link?.end(code);
    this.#link = undefined;
    this.#heartbeat?.stop();
    this.#timer.stop();
    this.#renewal.stop();
  }

  #dial(): void {
    this.#end();
    const generation = this.#generation;
    const { connectTimeout = 20_000, token } = this.#options;
    const { reason } = this.state as { readonly reason?: Reason };
    this.#timer.set(connectTimeout, () => this.lose({ code: 1006, reason: '' }, 'no answer'));
    this.#enter({ phase: 'connecting', attempt: ++this.#attempt, ...(reason && { reason }) });
    if (generation !== this.#generation) return; // a listener closed us
    if (!token) return this.#open('');
    this.#withToken(
      (token) => this.#open(token),
      (error) => this.lose({ code: 0, reason: `${error}` }, 'token failed'),
    );
  }

  /** Fetches a token, unless this connection is over before it comes. */
  #withToken(got: (token: string) => void, failed: (error: unknown) => void): void {
    const generation = this.#generation;
    const current = <T>(fn: (value: T) => void) => (value: T): void => {
      if (generation === this.#generation) fn(value);
    };
    fetchToken(this.#options.token).then(
      current(({ token, expiresIn }) => {
        this.#expires = now() + expiresIn;
        got(token);
      }),
      current((error) => {
        this.#owner.report(error);
        failed(error);
      }),
    );
  }

  #open(token: string): void {
    try {
      this.#link = new Link(this.#class, this.#url, subprotocols(token), {
        opened: () => this.#owner.dialled(),
        received: (data) => {
          this.#heartbeat?.heard();
          this.#owner.received(data);
        },
        lost: (close) => this.lose(close),
      });
    } catch (error) {
      this.lose({ code: 0, reason: `${error}` }, 'no socket'); // a policy of the page forbids it, say
    }
  }

  #renew(): void {
    const again = (): void => this.#renewal.set(RENEW_AGAIN, () => this.#renew());
    this.#withToken((token) => {
      this.#owner.auth(token, (error) => {
        if (!error) return this.#renewLater();
        if (error.code === 'other_user') return this.lose({ code: 1006, reason: '', delay: 0 }); // the token is good for a new connection
        this.#owner.report(error);
        if (error.code !== 'no_tokens') again();
      });
    }, again);
  }

  #renewLater(): void {
    this.#renewal.set(renewIn(this.#expires - now()), () => this.#renew());
  }

  /** The network is back, or somebody looks at the page: try within this time, or doubt the link that there is. */
  #wake(within: number): void {
    if (this.state.phase === 'open') this.#heartbeat?.check();
    const delay = Math.random() * within;
    if (this.state.phase === 'waiting' && this.#due > now() + delay) this.#timer.set(delay, () => this.#dial());
  }
}

/** The address of a WebSocket: relative to the page, if there is one, and http becomes ws. */
function absolute(url: string | URL): string {
  const { href } = new URL(url, globalThis.document?.baseURI ?? globalThis.location?.origin);
  return href.replace(/^http/, 'ws').replace(/#.*/, '');
}
