/**
 * Owns: who is typing in one conversation, on both sides (RFC 3994 §3).
 * Called by: conversation-link.ts, inbox.ts. Calls: whoever it was given.
 */
import { systemClock, type Clock, type Timer } from '../base/clock.ts';

/** Without a keystroke for this long we are idle (RFC 3994 §3.2). */
const IDLE_MS = 15_000;
/** While typing goes on, `active` is repeated before the receiver would forget it (default refresh 120 s). */
const REFRESH_MS = 60_000;
/** How long an `active` of the peer is believed when it names no refresh. */
const DEFAULT_REFRESH_MS = 120_000;
const MAX_REFRESH_MS = 10 * 60_000;

export interface ComposingOptions {
  /** Tells the peer. */
  readonly send: (state: 'active' | 'idle') => void;
  /** The peer types, or has stopped. */
  readonly onTheirs: (active: boolean) => void;
  /** False: our typing is nobody's business (setting). */
  readonly enabled: () => boolean;
  readonly clock?: Clock;
}

/** The two state machines of one conversation. */
export class Composing implements Disposable {
  readonly #options: ComposingOptions;
  readonly #clock: Clock;
  #ours: 'active' | 'idle' = 'idle';
  #sentMs = 0;
  #idle: Timer | undefined;
  #theirs = false;
  #expiry: Timer | undefined;

  constructor(options: ComposingOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** A keystroke (`true`), or the composer was emptied or left (`false`). */
  setOurs(active: boolean): void {
    this.#idle?.[Symbol.dispose]();
    if (!active) {
      if (this.#ours === 'active' && this.#options.enabled()) this.#options.send('idle');
      this.#ours = 'idle';
      return;
    }
    if (!this.#options.enabled()) return;
    this.#idle = this.#clock.startTimer(IDLE_MS, () => {
      this.setOurs(false);
    });
    const now = this.#clock.now();
    if (this.#ours === 'active' && now - this.#sentMs < REFRESH_MS) return;
    this.#ours = 'active';
    this.#sentMs = now;
    this.#options.send('active');
  }

  /** Our message is out: that says `idle` by itself (RFC 3994 §3.2). */
  messageSent(): void {
    this.#idle?.[Symbol.dispose]();
    this.#ours = 'idle';
  }

  /** What the peer says; a message of his says `false`. */
  setTheirs(active: boolean, refreshMs = DEFAULT_REFRESH_MS): void {
    this.#expiry?.[Symbol.dispose]();
    if (active) {
      this.#expiry = this.#clock.startTimer(Math.min(refreshMs, MAX_REFRESH_MS), () => {
        this.setTheirs(false);
      });
    }
    if (active === this.#theirs) return;
    this.#theirs = active;
    this.#options.onTheirs(active);
  }

  [Symbol.dispose](): void {
    this.#idle?.[Symbol.dispose]();
    this.#expiry?.[Symbol.dispose]();
  }
}
