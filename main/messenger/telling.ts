/**
 * Owns: whether the other side has heard of a file of ours, which keeps its place among what our user sends: what comes
 * after it waits, other files until then, texts for a moment only. Called by: transfer-runs.ts, outgoing-transfer.ts.
 * Calls: nothing.
 */
import type { Clock, Timer } from '../base/clock.ts';

/** A file that the other side has not heard of. */
export interface UntoldFile {
  /** Of its message in the conversation. */
  readonly position: number;
  /** Resolves when it has, or when texts do not wait any longer. Never rejects. */
  readonly passed: Promise<void>;
}

/** From the moment at which the user sends a file to the one at which it rings, is refused, or lies at the server. */
export class Telling {
  readonly #passed = Promise.withResolvers<void>();
  readonly #receiveTold: () => void;
  #patience: Timer | undefined;
  #isTold = false;
  #isLate = false;

  constructor(receiveTold: () => void) {
    this.#receiveTold = receiveTold;
  }

  get isTold(): boolean {
    return this.#isTold;
  }

  /** A text stands behind it. Undefined: it need not wait. The first one begins the `patienceMs` of all. */
  hold(clock: Clock, patienceMs: number): Promise<void> | undefined {
    if (this.#isTold || this.#isLate) return undefined;
    this.#patience ??= clock.startTimer(patienceMs, () => {
      this.#isLate = true;
      this.#passed.resolve();
    });
    return this.#passed.promise;
  }

  /** The other side knows of it, or will not hear of it. Harmless twice. */
  receiveTold(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.#patience?.[Symbol.dispose]();
    this.#passed.resolve();
    this.#receiveTold();
  }
}
