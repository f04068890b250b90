/** Ends a claim. */
export type Release = () => void;

/**
 * Claims a name that one page of a browser holds at a time, until it is released
 * or the page ends, in whichever way it does. Undefined: another page holds it,
 * and `wait` is false. Where there are no locks (an insecure page) every claim is
 * good at once: what depends on it has to stand being done twice. One that is
 * aborted never settles.
 */
export function claim(name: string, wait: boolean, signal?: AbortSignal): Promise<Release | undefined> {
  return new Promise((resolve) => {
    const all = (): void => resolve(() => {});
    const hold = (lock: Lock | null): Promise<void> | undefined => {
      if (lock) return new Promise((release) => resolve(release));
      resolve(undefined);
      return undefined;
    };
    const { locks } = globalThis.navigator ?? {};
    if (locks) locks.request(name, { ifAvailable: !wait, ...(signal && { signal }) }, hold).catch(() => signal?.aborted || all());
    else all();
  });
}
