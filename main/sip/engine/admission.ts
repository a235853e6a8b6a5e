/**
 * Owns: whether something new may begin: the share of each address, and how busy we are (RFC 3261 §21.5.4).
 * Called by: inbound-requests.ts for each request that belongs to nothing yet. Calls: inbound-in-dialog.ts.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import { SIP_LIMITS } from '../../base/limits.ts';
import { overloaded } from './inbound-in-dialog.ts';
import type { Refusal } from './request-checks.ts';

/** What an address may still begin, and how many refusals it may still be sent. */
interface Share {
  tokens: number;
  answers: number;
  atMs: number;
}

/** Decides about new requests. The constructor starts nothing; {@link start} watches the event loop. */
export class Admission implements Disposable {
  readonly #clock: Clock;
  /** By remote address, the one that was heard of last at the end. */
  readonly #shares = new Map<string, Share>();
  #timer: Timer | undefined;
  #late = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Measures from now on how late timers are: a loop that lags is a program with more work than time. */
  start(): void {
    if (this.#timer === undefined) this.#sample();
  }

  /** Has the event loop lagged for some time? */
  get isBusy(): boolean {
    return this.#late >= LATE_SAMPLES;
  }

  /** A new request of this method from this address: a go, a refusal to send, or not even that. */
  admit(method: string, address: string): 'yes' | 'drop' | Refusal {
    const share = this.#shareOf(address);
    const cost = method === 'INVITE' ? SIP_LIMITS.inviteCost : 1;
    if (share.tokens >= cost && !this.isBusy) {
      share.tokens -= cost;
      return 'yes';
    }
    // Whoever floods us does not read the answers; they would cost more than the flood.
    if (share.answers < 1) return 'drop';
    share.answers -= 1;
    return overloaded();
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  #sample(): void {
    const { loopSampleMs, loopLagMs } = SIP_LIMITS;
    const dueUs = this.#clock.monotonicUs() + loopSampleMs * 1_000;
    this.#timer = this.#clock.startTimer(loopSampleMs, () => {
      const lagMs = (this.#clock.monotonicUs() - dueUs) / 1_000;
      // One long turn is no overload; several on end are.
      this.#late =
        lagMs > loopLagMs ? Math.min(this.#late + 1, LATE_SAMPLES * 2) : Math.max(this.#late - 1, 0);
      this.#sample();
    });
  }

  #shareOf(address: string): Share {
    const { tokensPerS, maxTokens, refusalsPerS, maxCachedRoutes } = SIP_LIMITS;
    const nowMs = this.#clock.now();
    const known = this.#shares.get(address);
    if (known === undefined) {
      if (this.#shares.size >= maxCachedRoutes) {
        const [oldest] = this.#shares.keys();
        if (oldest !== undefined) this.#shares.delete(oldest);
      }
      const fresh = { tokens: maxTokens, answers: refusalsPerS, atMs: nowMs };
      this.#shares.set(address, fresh);
      return fresh;
    }
    const passedS = Math.max(0, nowMs - known.atMs) / 1_000;
    // Looked at in steps, so that the order of the map changes a few times a second only.
    if (passedS >= 0.05) {
      known.tokens = Math.min(maxTokens, known.tokens + passedS * tokensPerS);
      known.answers = Math.min(refusalsPerS, known.answers + passedS * refusalsPerS);
      known.atMs = nowMs;
      this.#shares.delete(address);
      this.#shares.set(address, known);
    }
    return known;
  }
}

/** Samples that have to be late on end. */
const LATE_SAMPLES = 4;
