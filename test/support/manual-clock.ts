/**
 * Owns: a clock that tests turn by hand. Called by: tests of protocol code. Calls: the timers that come due.
 */
import type { Clock, Timer } from '../../main/base/clock.ts';

interface Entry {
  readonly dueMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** Starts at a fixed time; nothing happens until {@link advance}. */
export class ManualClock implements Clock {
  readonly #entries = new Set<Entry>();
  #nowMs = Date.UTC(2026, 0, 2, 3, 4, 5);
  #setByMs = 0;
  #order = 0;

  now(): number {
    return this.#nowMs + this.#setByMs;
  }

  monotonicUs(): number {
    return this.#nowMs * 1_000;
  }

  startTimer(delayMs: number, run: () => void): Timer {
    this.#order += 1;
    const entry: Entry = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order, run };
    this.#entries.add(entry);
    const entries = this.#entries;
    return {
      get active() {
        return entries.has(entry);
      },
      [Symbol.dispose]: () => {
        entries.delete(entry);
      },
    };
  }

  /** Somebody sets the clock of the machine: by so many milliseconds, forwards or backwards. */
  set(byMs: number): void {
    this.#setByMs += byMs;
  }

  /** Timers that run. */
  get pending(): number {
    return this.#entries.size;
  }

  /** Lets `ms` pass: every timer that comes due runs at its time, in order, also those started meanwhile. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      let next: Entry | undefined;
      for (const entry of this.#entries) {
        if (entry.dueMs > untilMs) continue;
        if (
          next === undefined ||
          entry.dueMs < next.dueMs ||
          (entry.dueMs === next.dueMs && entry.order < next.order)
        ) {
          next = entry;
        }
      }
      if (next === undefined) break;
      this.#entries.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.run();
    }
    this.#nowMs = untilMs;
  }
}
