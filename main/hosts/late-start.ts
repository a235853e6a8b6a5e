/**
 * Owns: when that begins which a list of conversations does not need: accounts, servers. First the list, then the rest.
 * Called by: app-door.ts. Calls: nothing.
 */
import type { CallName } from '../../shared/ipc/contract.ts';
import { systemClock, type Clock, type Timer } from '../base/clock.ts';
import { OPENING_LIMITS } from '../base/limits.ts';

/** Of one program. The constructor starts nothing. */
export class LateStart implements Disposable {
  readonly #clock: Clock;
  #begin: (() => void) | undefined;
  #timer: Timer | undefined;
  #hasList = false;

  constructor({ clock = systemClock }: { clock?: Clock } = {}) {
    this.#clock = clock;
  }

  /**
   * The profile is open: `begin` is called once, a moment after a window has been given the list, or after
   * `startWithoutWindowMs` when none asks for it.
   */
  wait(begin: () => void): void {
    this.#begin = begin;
    this.#startTimer();
  }

  /** A call of a window has been answered. */
  receiveAnswered(call: CallName): void {
    if (this.#hasList || call !== 'conversation.list') return;
    this.#hasList = true;
    if (this.#begin !== undefined) this.#startTimer();
  }

  /** What has not begun does not begin any more. */
  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#begin = undefined;
  }

  #startTimer(): void {
    this.#timer?.[Symbol.dispose]();
    const { startAfterListMs, startWithoutWindowMs } = OPENING_LIMITS;
    this.#timer = this.#clock.startTimer(this.#hasList ? startAfterListMs : startWithoutWindowMs, () => {
      const begin = this.#begin;
      this.#begin = undefined;
      begin?.();
    });
  }
}
