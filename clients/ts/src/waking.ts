const ONLINE_WITHIN = 1000; // a whole office comes online at one moment

/**
 * Tells of the moments at which waiting any longer makes no sense: the network
 * is back, or somebody looks at the page again (after a night's sleep, say). The
 * callback is given within how many milliseconds something should happen.
 */
export class Waking {
  #listening: AbortController | undefined;

  constructor(readonly wake: (within: number) => void) {}

  start(): void {
    this.stop();
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    globalThis.addEventListener?.('online', () => this.wake(ONLINE_WITHIN), { signal });
    const { document } = globalThis;
    document?.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && this.wake(0), { signal });
  }

  stop(): void {
    this.#listening?.abort();
  }
}
