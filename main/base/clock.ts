/**
 * Owns: the only source of time and timers for protocol code, so that tests can turn the clock by hand.
 * Called by: every transaction, session and registration. Calls: Node's timers.
 */

/** A running timer. Disposing it cancels it; disposing twice is harmless. */
export interface Timer extends Disposable {
  readonly active: boolean;
}

/** Time and timers. All durations are milliseconds. */
export interface Clock {
  /** Wall-clock time, milliseconds since 1970. Stored with messages. */
  now(): number;
  /** Monotonic time in microseconds; the same origin in every process of one machine. */
  monotonicUs(): number;
  /** Calls `run` once after `delayMs`. The timer never keeps the process alive by itself. */
  startTimer(delayMs: number, run: () => void): Timer;
}

/** Whole milliseconds on the clock that nobody sets: for how long something holds, whatever the date becomes. */
export function monotonicMs(clock: Clock): number {
  return Math.floor(clock.monotonicUs() / 1_000);
}

class SystemTimer implements Timer {
  #handle: ReturnType<typeof setTimeout> | undefined;

  constructor(delayMs: number, run: () => void) {
    this.#handle = setTimeout(() => {
      this.#handle = undefined;
      run();
    }, delayMs);
    this.#handle.unref();
  }

  get active(): boolean {
    return this.#handle !== undefined;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#handle);
    this.#handle = undefined;
  }
}

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  // Read each time from the clock that all processes share: an origin worked out once is off by as long as the process
  // was held up between its two readings.
  monotonicUs: () => Number(process.hrtime.bigint() / 1_000n),
  startTimer: (delayMs, run) => new SystemTimer(delayMs, run),
};
