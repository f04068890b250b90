const ONLINE_WITHIN = 1000; // a whole office comes online at one moment

/**
 * Tells of the moments at which waiting any longer makes no sense: the network
 * is back, or somebody looks at the page again (after a night's sleep, say).
 * `wake` is told within how many milliseconds something should happen. What it
 * gives ends it.
 */
export function onWaking(wake: (within: number) => void): () => void {
  const listening = new AbortController();
  const { document } = globalThis;
  globalThis.addEventListener?.('online', () => wake(ONLINE_WITHIN), listening);
  document?.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && wake(0), listening);
  return () => listening.abort();
}
