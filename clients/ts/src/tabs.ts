import { claim } from './claim.js';
import { Timer } from './clock.js';
import { pageLock, type Said } from './hub.js';
import type { CloseLike, WebSocketClass, WebSocketLike } from './link.js';
import type { Frame } from './message.js';
import { channelWire, lead, leads, workerWire, type Wire } from './wire.js';

/** How tabs share a connection. */
export interface TabsOptions {
  /**
   * What shares a connection: by default all tabs of the origin that connect to
   * the same address. Put the user into it if one browser may hold tabs of several.
   */
  readonly name?: string;
  /** Where the script of the shared worker is, if a bundler did not put `finch-client/tabs-worker` where it is looked for. */
  readonly worker?: string | URL;
  /** False: no shared worker, the connection lives in one of the tabs. */
  readonly shared?: boolean;
  /** Is told how tabs share the connection whenever that changes, for a page to show. Never, where each connects by itself. */
  readonly onShared?: (shared: Shared) => void;
}

/** How tabs share a connection now. */
export interface Shared {
  /** How many clients of pages share it, this one among them. */
  readonly tabs: number;
  /** Where it lives: in the shared worker, in this page, or in another one. */
  readonly home: 'worker' | 'here' | 'elsewhere';
}

const PATIENCE = 4000; // milliseconds until a worker that says nothing is taken to be none

let page: Promise<string> | undefined;

/** This page's name, once it holds the lock that tells others that it lives. */
function livingPage(): Promise<string> {
  return (page ??= (async () => {
    const name = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join('-');
    await claim(pageLock(name), true);
    return name;
  })());
}

/**
 * One connection for all tabs of a browser. Give what it returns to `connect`:
 *
 * ```ts
 * const client = connect('/ws', { WebSocket: tabs() });
 * ```
 *
 * Every tab has a client as ever, with rooms and handlers of its own, and to the
 * server all of them are one: present once, and in a room as long as one of them
 * is. The connection lives in a shared worker, or else in one of the tabs; when
 * that tab is closed another takes over, and nothing is lost. Where there are no
 * locks and channels (an insecure page, an old browser) each tab connects by itself.
 */
export function tabs({ name, worker, shared = true, onShared }: TabsOptions = {}): WebSocketClass {
  if (!globalThis.navigator?.locks || !globalThis.BroadcastChannel) return globalThis.WebSocket;
  let broken = !shared || !globalThis.SharedWorker;

  /** The wire to the hub; `again` is called if it turns out to be none. */
  const wireTo = (hub: string, again: () => void): Wire => {
    if (!broken) {
      try {
        return workerWire(worker, hub, () => {
          broken = true;
          again();
        });
      } catch {
        broken = true; // a policy of the page forbids it
      }
    }
    lead(hub);
    return channelWire(hub);
  };

  return class TabSocket implements WebSocketLike {
    binaryType = 'arraybuffer';
    readonly bufferedAmount = 0;
    onopen: WebSocketLike['onopen'] = null;
    onmessage: WebSocketLike['onmessage'] = null;
    onerror: WebSocketLike['onerror'] = null;
    onclose: WebSocketLike['onclose'] = null;
    #tab = crypto.getRandomValues(new Uint32Array(4)).join('-');
    #url: string;
    #protocols: string[];
    #wire: Wire | undefined;
    #state: 'connecting' | 'open' | 'closed' = 'connecting';
    #silence = new Timer();
    #ended = new AbortController();

    constructor(url: string, protocols: string[]) {
      this.#url = url;
      this.#protocols = protocols;
      this.#dial();
    }

    send(frame: Frame): void {
      if (this.#state === 'open') this.#wire?.tell({ tab: this.#tab, do: 'send', frame });
    }

    close(code?: number): void {
      if (this.#state === 'closed') return;
      this.#wire?.tell({ tab: this.#tab, do: 'close', code });
      this.#end({ code: code ?? 1005, reason: '' });
    }

    #dial(): void {
      const wire: Wire = (this.#wire = wireTo(name ?? this.#url, () => this.#redial(wire)));
      wire.listen((said) => this.#wire === wire && this.#hear(said));
      if (!broken) {
        this.#silence.set(PATIENCE, () => {
          broken = true;
          this.#redial(wire);
        });
      }
      void this.#knock(wire);
    }

    #redial(wire: Wire): void {
      if (this.#state !== 'connecting' || this.#wire !== wire) return;
      wire.close();
      this.#dial();
    }

    async #knock(wire: Wire): Promise<void> {
      const page = await livingPage();
      if (this.#wire === wire && this.#state === 'connecting') wire.tell({ tab: this.#tab, do: 'open', page, url: this.#url, protocols: this.#protocols });
    }

    #hear(said: Said | undefined): void {
      if (!said) {
        // Another hub has taken over: it knows nothing of us yet.
        if (this.#state === 'open') this.#end({ code: 1006, reason: '', delay: 0 });
        else void this.#knock(this.#wire!);
        return;
      }
      if (said.to !== this.#tab || this.#state === 'closed') return;
      this.#silence.stop();
      if (said.saw === 'close') return this.#end(said.close);
      if (said.saw === 'message') return this.onmessage?.({ data: said.data } as never);
      if (said.saw === 'heard') return this.#watch(said.life);
      if (said.saw === 'shared') return onShared?.({ tabs: said.tabs, home: !broken ? 'worker' : leads(name ?? this.#url) ? 'here' : 'elsewhere' });
      if (this.#state === 'open') return;
      this.#state = 'open';
      this.onopen?.({} as never);
    }

    /** Whoever gets the hub's lock has seen it die. */
    #watch(life: string | undefined): void {
      if (life === undefined) return; // another way tells of the next hub
      void claim(life, true, this.#ended.signal).then((release) => {
        release?.();
        this.#end({ code: 1006, reason: '', delay: 0 });
      });
    }

    #end(close: CloseLike): void {
      if (this.#state === 'closed') return;
      this.#state = 'closed';
      this.#ended.abort();
      this.#silence.stop();
      this.#wire?.close();
      this.#wire = undefined;
      this.onclose?.(close as never);
    }
  };
}
