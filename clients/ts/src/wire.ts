import { claim } from './claim.js';
import { Hub, type Said, type Told } from './hub.js';

/** The way between the sockets of a page and the hub. */
export interface Wire {
  /** Tells the hub. */
  tell(told: Told): void;
  /** Calls a function with what the hub says, to whomever, and with undefined when another hub has taken its place. */
  listen(fn: (said: Said | undefined) => void): void;
  close(): void;
}

/** The hub in a worker that all tabs of the browser share. `broken` is called if there is no such worker after all. */
export function workerWire(url: string | URL | undefined, name: string, broken: () => void): Wire {
  const options = { type: 'module', name } as const;
  const worker = url ? new SharedWorker(url, options) : new SharedWorker(new URL('./tabs-worker.js', import.meta.url), options);
  worker.onerror = broken;
  return {
    tell: (told) => worker.port.postMessage(told),
    listen: (fn) => {
      worker.port.onmessage = ({ data }: MessageEvent<Said>) => fn(data);
    },
    close: () => worker.port.close(),
  };
}

/**
 * The hub in one of the tabs: in the one that has the lock. When that tab ends,
 * another gets the lock, and its hub takes the place of the first.
 */
export function channelWire(name: string): Wire {
  const channel = new BroadcastChannel(`finch-tabs:${name}`);
  return {
    tell: (told) => channel.postMessage({ told }),
    listen: (fn) => {
      channel.onmessage = ({ data }: MessageEvent<{ said?: Said; begins?: true }>) => {
        if (data.begins) fn(undefined);
        else if (data.said) fn(data.said);
      };
    },
    close: () => channel.close(),
  };
}

const led = new Map<string, boolean>(); // true: its hub lives here

/** Tells whether the hub lives in this page. */
export const leads = (name: string): boolean => led.get(name) === true;

/** Makes this page one of those that the hub may live in. */
export function lead(name: string): void {
  if (led.has(name)) return;
  led.set(name, false);
  void claim(`finch-hub:${name}`, true).then(() => {
    led.set(name, true);
    const channel = new BroadcastChannel(`finch-tabs:${name}`); // one of its own: a channel does not hear itself
    const hub = new Hub((said) => channel.postMessage({ said }));
    channel.onmessage = ({ data }: MessageEvent<{ told?: Told }>) => data.told && hub.receive(data.told);
    channel.postMessage({ begins: true });
  });
}
