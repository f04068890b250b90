/**
 * Hands the ticket of a session from a page to the one that takes its place when
 * it is loaded again, in sessionStorage. It lies there in between alone: a tab
 * that is duplicated copies that storage, and two tabs with one ticket would
 * drive each other out.
 */
export function keepTicket(name: string, ticket: () => string): string {
  const key = `finch-ticket:${name}`;
  const take = (): string =>
    attempt((storage) => {
      const kept = storage.getItem(key) ?? '';
      storage.removeItem(key);
      return kept;
    });
  globalThis.addEventListener?.('pagehide', () => attempt((storage) => (ticket() && storage.setItem(key, ticket()), '')));
  globalThis.addEventListener?.('pageshow', (event) => event.persisted && take());
  return take();
}

/** A page that may not store anything throws at the very name of the storage, and a worker has none: then nothing is kept. */
function attempt(act: (storage: Storage) => string): string {
  try {
    return act(sessionStorage);
  } catch {
    return '';
  }
}
