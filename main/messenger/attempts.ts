/**
 * Owns: the pause that grows while somebody guesses. Called by: opening.ts, history-lock.ts. Calls: the clock.
 */
import { CallError } from '../../shared/ipc/error-codes.ts';
import type { Clock } from '../base/clock.ts';
import { OPENING_LIMITS } from '../base/limits.ts';

/** One attempt at a time. */
export class Attempts {
  readonly #clock: Clock;
  #busy = false;
  failures = 0;
  /** In ms since 1970; null: at once. */
  againAtMs: number | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * What `attempt` has made; undefined: it was a wrong one. Rejects with CallError `too-many` when it is too early, and with
   * what the attempt rejects with.
   */
  async try<T>(attempt: () => Promise<T | undefined>): Promise<T | undefined> {
    if (this.#busy || (this.againAtMs !== null && this.#clock.now() < this.againAtMs)) {
      throw new CallError('too-many', 'Wait a moment before you try again.');
    }
    this.#busy = true;
    try {
      const made = await attempt();
      this.failures = made === undefined ? this.failures + 1 : 0;
      const pauseMs = pauseAfter(this.failures);
      this.againAtMs = pauseMs === 0 ? null : this.#clock.now() + pauseMs;
      return made;
    } finally {
      this.#busy = false;
    }
  }
}

/** Wrong twice is a slip of the finger; who goes on guessing waits longer each time. */
function pauseAfter(failures: number): number {
  const { freeAttempts, firstPauseMs, longestPauseMs } = OPENING_LIMITS;
  if (failures < freeAttempts) return 0;
  return Math.min(firstPauseMs * 2 ** (failures - freeAttempts), longestPauseMs);
}
