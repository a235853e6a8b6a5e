/**
 * Owns: who waits for an answer to his question whether he may see somebody. Called by: presence.ts, watcher-list.ts.
 * Calls: imserver-store.ts.
 */
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { PresenceLimits } from '../base/presence-limits.ts';
import type { PresenceAsk } from '../store/contact-tables.ts';
import type { ImServerStore } from './imserver-store.ts';
import { Mirror } from './mirror.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;

/** In memory and on disk: the asked user may come back after weeks, and the server in between. */
export class PresenceAsks implements Disposable {
  readonly #store: ImServerStore;
  readonly #limits: PresenceLimits;
  readonly #clock: Clock;
  readonly #log: Log;
  /** By asked user: the addresses of those who ask, oldest first, and when they did. */
  readonly #asks = new Map<string, Map<string, number>>();
  readonly #byWatcher = new Map<string, number>();

  readonly #mirror: Mirror<PresenceAsk>;

  constructor(options: {
    store: ImServerStore;
    limits: PresenceLimits;
    clock: Clock;
    log: Log;
    /** Somebody has asked, or was answered, at another node. */
    receiveElsewhere: (user: string) => void;
  }) {
    const { store, clock, log } = options;
    this.#store = store;
    this.#limits = options.limits;
    this.#clock = clock;
    this.#log = log;
    this.#mirror = new Mirror({
      read: (user) =>
        store.call('selectPresenceAsks', {
          sinceMs: this.#sinceMs,
          ...(user === undefined ? {} : { user }),
        }),
      apply: (user, asks) => {
        for (const watcher of [...(this.#asks.get(user)?.keys() ?? [])]) this.#take(user, watcher);
        for (const { watcher, askedMs } of asks) this.#put(user, watcher, askedMs);
        options.receiveElsewhere(user);
      },
      users: () => this.#asks.keys(),
      ...{ log, clock },
    });
  }

  /** Reads what is on disk. Rejects with StoreError. */
  load(): Promise<void> {
    return this.#mirror.load();
  }

  /** Another node has changed who asks for a user; undefined: for anybody. */
  receiveNews(user?: string): void {
    this.#mirror.receiveNews(user);
  }

  [Symbol.dispose](): void {
    this.#mirror[Symbol.dispose]();
  }

  /** Addresses of those who wait for an answer of this user, oldest first. */
  of(user: string): readonly string[] {
    this.#expire(user);
    return [...(this.#asks.get(user)?.keys() ?? [])];
  }

  /** He asks (again). False: he has asked too many who have not answered. */
  add(user: string, watcher: string): boolean {
    const isNew = this.#asks.get(user)?.has(watcher) !== true;
    if (isNew && this.#hasAskedTooMany(watcher)) return false;
    const askedMs = this.#clock.now();
    this.#put(user, watcher, askedMs);
    const asks = this.#asks.get(user);
    const oldest = asks === undefined || asks.size <= this.#limits.maxAsks ? undefined : [...asks.keys()][0];
    if (oldest !== undefined) this.remove(user, [oldest]);
    this.#write(user, () => this.#store.call('upsertPresenceAsk', { user, watcher, askedMs }));
    return true;
  }

  /** They have been answered. */
  remove(user: string, watchers: readonly string[]): void {
    const known = watchers.filter((watcher) => this.#take(user, watcher));
    if (known.length === 0) return;
    const removed = known.map((watcher) => ({ user, watcher }));
    this.#write(user, () => this.#store.call('deletePresenceAsks', { asks: removed }));
  }

  #hasAskedTooMany(watcher: string): boolean {
    const { maxAsksByWatcher } = this.#limits;
    const isFull = (): boolean => (this.#byWatcher.get(watcher) ?? 0) >= maxAsksByWatcher;
    if (isFull()) for (const user of [...this.#asks.keys()]) this.#expire(user);
    return isFull();
  }

  #expire(user: string): void {
    const sinceMs = this.#sinceMs;
    const old = [...(this.#asks.get(user) ?? [])].filter(([, askedMs]) => askedMs <= sinceMs);
    this.remove(
      user,
      old.map(([watcher]) => watcher),
    );
  }

  get #sinceMs(): number {
    return this.#clock.now() - this.#limits.askDays * DAY_MS;
  }

  #put(user: string, watcher: string, askedMs: number): void {
    const asks = this.#asks.get(user) ?? new Map<string, number>();
    this.#asks.set(user, asks);
    if (!asks.delete(watcher)) this.#count(watcher, 1);
    asks.set(watcher, askedMs);
  }

  #take(user: string, watcher: string): boolean {
    const asks = this.#asks.get(user);
    if (asks?.delete(watcher) !== true) return false;
    if (asks.size === 0) this.#asks.delete(user);
    this.#count(watcher, -1);
    return true;
  }

  #count(watcher: string, step: 1 | -1): void {
    const count = (this.#byWatcher.get(watcher) ?? 0) + step;
    if (count === 0) this.#byWatcher.delete(watcher);
    else this.#byWatcher.set(watcher, count);
  }

  /** A question that is not on disk is asked again with the next subscription. */
  #write(user: string, write: () => Promise<unknown>): void {
    this.#mirror
      .write(user, write)
      .catch((error: unknown) => this.#log.warn('presence.ask-not-stored', { error }));
  }
}
