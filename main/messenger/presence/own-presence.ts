/**
 * Owns: what our user is for others: what he has chosen, and away by itself when he has not done anything for a while.
 * Called by: presence-book.ts. Calls: the clock.
 */
import type { OwnPresence, PresenceState } from '../../../shared/domain/presence.ts';
import type { Settings } from '../../../shared/settings.ts';
import type { Clock, Timer } from '../../base/clock.ts';

export interface OwnPresenceOptions {
  readonly clock: Clock;
  readonly settings: () => Settings;
  /** He is something else than before, or says something else. */
  readonly receiveChange: () => void;
}

/** One user, at all his accounts. */
export class OwnPresenceState implements Disposable {
  readonly #options: OwnPresenceOptions;
  #activeMs: number;
  #isIdle = false;
  #isAsleep = false;
  #timer: Timer | undefined;
  #told = '';

  constructor(options: OwnPresenceOptions) {
    this.#options = options;
    this.#activeMs = options.clock.now();
  }

  start(): void {
    this.#told = this.#text;
    this.#watchIdle();
  }

  /** As he sees himself. */
  get shown(): OwnPresence {
    const choice = this.#options.settings()['presence.choice'];
    const show =
      choice === 'invisible' ? 'offline' : this.#isIdle && choice === 'available' ? 'away' : choice;
    return { show, isIdle: this.#isIdle };
  }

  /** What is published; undefined: nothing. */
  get published(): PresenceState | undefined {
    const settings = this.#options.settings();
    if (settings['presence.choice'] === 'invisible' || settings['presence.visibleTo'] === 'nobody')
      return undefined;
    return { show: this.shown.show, note: settings['presence.note'] };
  }

  /** He has done something `idleMs` ago. */
  receiveActivity(idleMs = 0): void {
    const activeMs = this.#options.clock.now() - idleMs;
    if (activeMs <= this.#activeMs) return;
    this.#activeMs = activeMs;
    // The timer looks again when it is due: none is made anew with each key that is pressed.
    if (this.#isIdle || this.#timer === undefined) this.#watchIdle();
  }

  /** The computer goes to sleep, or has woken up: in between he is away, if he is ever away by himself. */
  receiveSleep(isAsleep: boolean): void {
    this.#isAsleep = isAsleep;
    this.#watchIdle();
  }

  /** The settings are other ones. */
  receiveSettings(): void {
    this.#watchIdle();
    this.#tell();
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  #watchIdle(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    const { clock, settings } = this.#options;
    const awayMs = settings()['presence.awayMinutes'] * 60_000;
    const leftMs = this.#activeMs + awayMs - clock.now();
    this.#isIdle = awayMs > 0 && (this.#isAsleep || leftMs <= 0);
    if (awayMs > 0 && !this.#isIdle) {
      this.#timer = clock.startTimer(leftMs, () => {
        this.#watchIdle();
      });
    }
    this.#tell();
  }

  #tell(): void {
    const text = this.#text;
    if (text === this.#told) return;
    this.#told = text;
    this.#options.receiveChange();
  }

  get #text(): string {
    return JSON.stringify([this.shown, this.published]);
  }
}
