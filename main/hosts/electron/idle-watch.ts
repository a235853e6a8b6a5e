/**
 * Owns: how long nobody has touched this computer, told to the messenger as long as the program runs.
 * Called by: main.ts. Calls: Electron's powerMonitor.
 */
import type { Clock, Timer } from '../../base/clock.ts';

/** Often enough for minutes. */
const LOOK_MS = 20_000;

export interface IdleWatchOptions {
  readonly powerMonitor: { getSystemIdleTime(): number };
  /** Somebody did something so many milliseconds ago. */
  readonly receiveActivity: (idleMs: number) => void;
  readonly clock: Clock;
}

/** Looks from `start` on. */
export class IdleWatch implements Disposable {
  readonly #options: IdleWatchOptions;
  #timer: Timer | undefined;

  constructor(options: IdleWatchOptions) {
    this.#options = options;
  }

  start(): void {
    const { powerMonitor, receiveActivity, clock } = this.#options;
    receiveActivity(powerMonitor.getSystemIdleTime() * 1_000);
    this.#timer = clock.startTimer(LOOK_MS, () => {
      this.start();
    });
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }
}
