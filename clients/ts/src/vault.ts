const STORE = 'publishes';
const PATIENCE = 2000; // milliseconds; some browsers never answer

/** A publish, as it is kept for a later page. */
export interface Kept {
  /** The page that wrote it, and how many it had written before. */
  readonly owner: string;
  readonly number: number;
  /** Who wrote it, by the app's word, and by the server's when it was first tried. */
  readonly user: string;
  readonly from: string;
  /** When it was written, and when first tried (0: not yet), in Unix milliseconds. */
  readonly written: number;
  readonly tried: number;
  readonly room: string;
  readonly path: string;
  readonly data: unknown;
  readonly key: string;
  readonly echo: boolean;
}

/** Publishes in IndexedDB. All its promises reject if the storage is full, forbidden, absent, or does not answer. */
export class Vault {
  #name: string;
  #database: Promise<IDBDatabase> | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  /** Resolves when it is on the disk. */
  async put(kept: Kept): Promise<void> {
    await this.#do('readwrite', (store) => store.put(kept));
  }

  async delete({ owner, number }: Kept): Promise<void> {
    await this.#do('readwrite', (store) => store.delete([owner, number]));
  }

  /** All of them, those of one page in the order in which it wrote them. */
  all(): Promise<Kept[]> {
    return this.#do('readonly', (store) => store.getAll() as IDBRequest<Kept[]>);
  }

  #open(): Promise<IDBDatabase> {
    return (this.#database ??= new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(this.#name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: ['owner', 'number'] });
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        // Whoever deletes the database, or wants it with another version, must not wait for us.
        request.result.onversionchange = request.result.onclose = () => {
          request.result.close();
          this.#database = undefined;
        };
        resolve(request.result);
      };
    }).catch((error) => {
      this.#database = undefined; // the next one tries again
      throw error;
    }));
  }

  #do<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    return within(PATIENCE, async () => {
      const database = await this.#open();
      return new Promise<T>((resolve, reject) => {
        const transaction = database.transaction(STORE, mode, { durability: 'strict' });
        const request = act(transaction.objectStore(STORE));
        transaction.oncomplete = () => resolve(request.result);
        transaction.onabort = transaction.onerror = () => reject(transaction.error ?? request.error);
      });
    });
  }
}

/** What an act gives, or a rejection if it gives nothing in time. */
async function within<T>(milliseconds: number, act: () => Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the storage does not answer')), milliseconds);
  });
  try {
    return await Promise.race([act(), late]);
  } finally {
    clearTimeout(timer);
  }
}
