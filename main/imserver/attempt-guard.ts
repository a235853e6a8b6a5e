/**
 * Owns: who has tried too many wrong passwords. Called by: password-check.ts. Calls: nothing.
 */
import { setNewest } from '../base/bounded-map.ts';
import { monotonicMs, type Clock } from '../base/clock.ts';
import type { ImServerLimits } from '../base/limits.ts';

interface Count {
  wrong: number;
  untilMs: number;
}

/**
 * Wrong passwords, counted for each user at each address, and for each address over all users who were never right
 * there: whoever tries at one address shuts nobody out at another, nor those who have been right at his own.
 */
export class AttemptGuard {
  readonly #limits: ImServerLimits;
  readonly #clock: Clock;
  readonly #pairs = new Map<string, Count>();
  readonly #addresses = new Map<string, Count>();
  readonly #right = new Map<string, true>();

  constructor(limits: ImServerLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Whether nothing is looked at any more for a while, right or wrong. */
  isLocked(user: string, address: string): boolean {
    const pair = keyOf(user, address);
    if (this.#wrong(this.#pairs, pair) >= this.#limits.maxWrongPasswords) return true;
    const stranger = !this.#right.has(pair);
    return stranger && this.#wrong(this.#addresses, address) >= this.#limits.maxWrongPasswordsPerAddress;
  }

  receiveWrong(user: string, address: string): void {
    const pair = keyOf(user, address);
    this.#count(this.#pairs, pair);
    if (!this.#right.has(pair)) this.#count(this.#addresses, address);
  }

  receiveRight(user: string, address: string): void {
    const pair = keyOf(user, address);
    this.#pairs.delete(pair);
    setNewest(this.#right, pair, true, this.#limits.maxWatchedAttempts);
  }

  #wrong(counts: Map<string, Count>, key: string): number {
    const count = counts.get(key);
    return count === undefined || count.untilMs <= monotonicMs(this.#clock) ? 0 : count.wrong;
  }

  #count(counts: Map<string, Count>, key: string): void {
    const wrong = this.#wrong(counts, key) + 1;
    const untilMs = monotonicMs(this.#clock) + this.#limits.wrongPasswordMs;
    setNewest(counts, key, { wrong, untilMs }, this.#limits.maxWatchedAttempts);
  }
}

function keyOf(user: string, address: string): string {
  return `${address} ${user.slice(0, 64)}`;
}
