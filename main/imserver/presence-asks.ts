/**
 * Owns: who waits for an answer to his question whether he may see somebody. Called by: presence.ts, watcher-list.ts.
 * Calls: imserver-store.ts.
 */
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { PresenceLimits } from '../base/presence-limits.ts';
import type { ImServerStore } from './imserver-store.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;

/** In memory and on disk: the asked user may come back after weeks, and the server in between. */
export class PresenceAsks {
  readonly #store: ImServerStore;
  readonly #limits: PresenceLimits;
  readonly #clock: Clock;
  readonly #log: Log;
  /** By asked user: the addresses of those who ask, oldest first, and when they did. */
  readonly #asks = new Map<string, Map<string, number>>();
  readonly #byWatcher = new Map<string, number>();

  constructor(options: { store: ImServerStore; limits: PresenceLimits; clock: Clock; log: Log }) {
    this.#store = options.store;
    this.#limits = options.limits;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Reads what is on disk. Rejects with StoreError. */
  async load(): Promise<void> {
    const asks = await this.#store.call('selectPresenceAsks', { sinceMs: this.#sinceMs });
    for (const { user, watcher, askedMs } of asks) {
      this.#put(user, watcher, askedMs);
    }
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
    this.#write(this.#store.call('upsertPresenceAsk', { user, watcher, askedMs }));
    return true;
  }

  /** They have been answered. */
  remove(user: string, watchers: readonly string[]): void {
    const asks = this.#asks.get(user);
    const known = watchers.filter((watcher) => asks?.delete(watcher) === true);
    if (known.length === 0) return;
    if (asks?.size === 0) this.#asks.delete(user);
    for (const watcher of known) this.#count(watcher, -1);
    const removed = known.map((watcher) => ({ user, watcher }));
    this.#write(this.#store.call('deletePresenceAsks', { asks: removed }));
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

  #count(watcher: string, step: 1 | -1): void {
    const count = (this.#byWatcher.get(watcher) ?? 0) + step;
    if (count === 0) this.#byWatcher.delete(watcher);
    else this.#byWatcher.set(watcher, count);
  }

  /** A question that is not on disk is asked again with the next subscription. */
  #write(written: Promise<unknown>): void {
    written.catch((error: unknown) => this.#log.warn('presence.ask-not-stored', { error }));
  }
}
