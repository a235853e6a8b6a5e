/**
 * Owns: what DNS and the hosts file have said, for as long as it holds. Called by: resolver.ts. Calls: nothing.
 */
import { setNewest } from '../../base/bounded-map.ts';
import { monotonicMs, type Clock } from '../../base/clock.ts';
import { SIP_NETWORK_LIMITS } from '../../base/limits.ts';

interface Entry {
  readonly value: unknown;
  readonly untilMs: number;
}

/** Answers by question. Who asks while the same question is under way gets its answer. */
export class DnsCache {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  #pending = new Map<string, Promise<unknown>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The remembered answer, or that of `ask`, kept for the time that `ttlMs` says. A rejection is not kept. */
  async get<T>(key: string, ask: () => Promise<T>, ttlMs: (value: T) => number): Promise<T> {
    const known = this.#entries.get(key);
    if (known !== undefined && known.untilMs > monotonicMs(this.#clock)) return known.value as T;
    const pending = this.#pending;
    const asked = pending.get(key);
    if (asked !== undefined) return asked as Promise<T>;
    const answer = ask().then(
      (value) => {
        // Forgotten meanwhile: the network has changed.
        if (this.#pending === pending) this.#keep(key, value, ttlMs(value));
        pending.delete(key);
        return value;
      },
      (error: unknown) => {
        pending.delete(key);
        throw error;
      },
    );
    pending.set(key, answer);
    return answer;
  }

  clear(): void {
    this.#entries.clear();
    this.#pending = new Map();
  }

  get size(): number {
    return this.#entries.size;
  }

  #keep(key: string, value: unknown, ttlMs: number): void {
    const entry = { value, untilMs: monotonicMs(this.#clock) + ttlMs };
    setNewest(this.#entries, key, entry, SIP_NETWORK_LIMITS.maxDnsCache);
  }
}
