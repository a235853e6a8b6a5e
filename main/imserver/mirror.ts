/**
 * Owns: keeping what this node has in memory in step with a store that other nodes change: one key (a user) is read again
 * after each news of it, and never what is older than a change of our own that is under way.
 * Called by: registrar.ts, contact-rules-book.ts, presence-asks.ts. Calls: the store through its owner.
 */
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';

export interface MirrorOptions<Row extends { readonly user: string }> {
  /** Rows of one user, or of all. Rejects with StoreError. */
  readonly read: (user?: string) => Promise<readonly Row[]>;
  /** This is what the store has of a user now. */
  readonly apply: (user: string, rows: readonly Row[]) => void;
  /** Users of whom there is something in memory. */
  readonly users: () => Iterable<string>;
  readonly log: Log;
  readonly clock: Clock;
}

interface Busy {
  /** Changes of our own that are under way. */
  writes: number;
  reading: boolean;
  /** There is something newer than what was read last. */
  stale: boolean;
}

/** After a read that failed; the connection for news says when everything is to be read. */
const RETRY_MS = 1_000;

/** What of one kind of rows is in memory. */
export class Mirror<Row extends { readonly user: string }> implements Disposable {
  readonly #options: MirrorOptions<Row>;
  readonly #busy = new Map<string, Busy>();
  /** Users of whom there was something new while everything was being read. */
  #touched = new Set<string>();
  #loading: Promise<void> = Promise.resolve();
  #retry: Timer | undefined;
  #ended = false;

  constructor(options: MirrorOptions<Row>) {
    this.#options = options;
  }

  /** Reads everything. Rejects with StoreError. */
  load(): Promise<void> {
    const loaded = this.#loading.then(() => this.#load());
    this.#loading = loaded.catch(() => undefined);
    return loaded;
  }

  /** Another node has changed something of this user; undefined: of anybody. */
  receiveNews(user?: string): void {
    if (user === undefined) {
      this.load().catch((error: unknown) => {
        this.#options.log.warn('mirror.not-read', { error });
        this.#retryLater();
      });
      return;
    }
    this.#of(user).stale = true;
    this.#settle(user);
  }

  /** Carries out a change of our own: until it is over, what others have written is not looked at. */
  async write<Result>(user: string, change: () => Promise<Result>): Promise<Result> {
    const busy = this.#of(user);
    busy.writes++;
    if (busy.reading) busy.stale = true;
    try {
      return await change();
    } finally {
      busy.writes--;
      this.#settle(user);
    }
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#retry?.[Symbol.dispose]();
  }

  async #load(): Promise<void> {
    this.#touched = new Set(this.#busy.keys());
    const rows = Map.groupBy(await this.#options.read(), ({ user }) => user);
    for (const user of new Set([...this.#options.users(), ...rows.keys()])) {
      if (this.#touched.has(user)) this.receiveNews(user);
      else this.#options.apply(user, rows.get(user) ?? []);
    }
  }

  #of(user: string): Busy {
    const busy = this.#busy.get(user) ?? { writes: 0, reading: false, stale: false };
    this.#busy.set(user, busy);
    this.#touched.add(user);
    return busy;
  }

  #settle(user: string): void {
    const busy = this.#of(user);
    if (busy.writes > 0 || busy.reading || this.#ended) return;
    if (!busy.stale) {
      this.#busy.delete(user);
      return;
    }
    busy.stale = false;
    busy.reading = true;
    this.#options
      .read(user)
      .then(
        (rows) => {
          if (!busy.stale && !this.#ended) this.#options.apply(user, rows);
        },
        (error: unknown) => {
          this.#options.log.warn('mirror.not-read', { error });
          this.#retryLater();
        },
      )
      .finally(() => {
        busy.reading = false;
        this.#settle(user);
      });
  }

  #retryLater(): void {
    if (this.#ended) return;
    this.#retry?.[Symbol.dispose]();
    this.#retry = this.#options.clock.startTimer(RETRY_MS, () => {
      this.receiveNews();
    });
  }
}
