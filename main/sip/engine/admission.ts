/**
 * Owns: whether something new may begin: the share of each address, and how busy we are (RFC 3261 §21.5.4).
 * Called by: inbound-requests.ts for each request that belongs to nothing yet. Calls: inbound-in-dialog.ts.
 */
import { performance } from 'node:perf_hooks';
import { setNewest } from '../../base/bounded-map.ts';
import { monotonicMs, type Clock, type Timer } from '../../base/clock.ts';
import { SIP_LIMITS } from '../../base/limits.ts';
import { overloaded } from './inbound-in-dialog.ts';
import type { Refusal } from './request-checks.ts';

/** What an address may still begin, and how many refusals it may still be sent. */
interface Share {
  tokens: number;
  /** What it has begun lately; half of it is forgotten each half second. */
  recent: number;
  answers: number;
  atMs: number;
}

/** Decides about new requests. The constructor starts nothing; {@link start} watches the event loop. */
export class Admission implements Disposable {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #utilisation: () => number;
  /** By remote address, the one that was heard of last at the end. */
  readonly #shares = new Map<string, Share>();
  #timer: Timer | undefined;
  /** New requests, and such that came again, of about the last second. */
  #arrived = 0;
  #repeated = 0;
  /** Samples on end with no idle moment. */
  #busySamples = 0;
  /** Share of new requests that is refused, 0 to 1. */
  #refused = 0;

  /** `utilisation`: share of the time since the last call in which the event loop was not idle. */
  constructor(
    clock: Clock,
    random: () => number = Math.random,
    utilisation: () => number = loopUtilisation(),
  ) {
    this.#clock = clock;
    this.#random = random;
    this.#utilisation = utilisation;
  }

  /**
   * Watches from now on. A loop that is never idle has more work than time when requests come again because nobody
   * got to them: what does not fit is lost in the system's buffers. Then a growing share of what is new is refused,
   * until that is over; what has begun goes on.
   */
  start(): void {
    if (this.#timer === undefined) this.#sample();
  }

  /** A request came again that had been answered, or whose answer is still to come. */
  receiveRepeat(): void {
    this.#repeated += 1;
  }

  /** The share of new requests that is refused at present. */
  get refusedShare(): number {
    return this.#refused;
  }

  /** A new request of this method from this address: a go, a refusal to send, or not even that. */
  admit(method: string, address: string): 'yes' | 'drop' | Refusal {
    this.#arrived += 1;
    const share = this.#shareOf(address);
    const cost = method === 'INVITE' ? SIP_LIMITS.inviteCost : 1;
    // Whoever asks for little is not refused for what others ask.
    const isHeavy = share.recent > SIP_LIMITS.lightTokens;
    const isRefused = isHeavy && this.#refused > 0 && this.#random() < this.#refused;
    if (share.tokens >= cost && !isRefused) {
      share.tokens -= cost;
      share.recent += cost;
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
    const { loopSampleMs, busySamples, busyArrivals } = SIP_LIMITS;
    this.#timer = this.#clock.startTimer(loopSampleMs, () => {
      const comesAgain = this.#repeated > this.#arrived * REPEATED;
      const isBusy = this.#utilisation() > BUSY && this.#arrived >= busyArrivals && comesAgain;
      this.#arrived *= FORGET;
      this.#repeated *= FORGET;
      this.#busySamples = isBusy ? this.#busySamples + 1 : 0;
      const step = this.#busySamples >= busySamples ? 0.05 : isBusy ? 0 : -0.025;
      this.#refused = Math.min(0.95, Math.max(0, this.#refused + step));
      this.#sample();
    });
  }

  #shareOf(address: string): Share {
    const { tokensPerS, maxTokens, refusalsPerS, maxCachedRoutes } = SIP_LIMITS;
    const nowMs = monotonicMs(this.#clock);
    const known = this.#shares.get(address);
    if (known === undefined) {
      const fresh = { tokens: maxTokens, recent: 0, answers: refusalsPerS, atMs: nowMs };
      setNewest(this.#shares, address, fresh, maxCachedRoutes);
      return fresh;
    }
    const passedS = Math.max(0, nowMs - known.atMs) / 1_000;
    // Looked at in steps, so that the order of the map changes a few times a second only.
    if (passedS >= 0.05) {
      known.tokens = Math.min(maxTokens, known.tokens + passedS * tokensPerS);
      known.recent *= 0.5 ** (passedS / 0.5);
      known.answers = Math.min(refusalsPerS, known.answers + passedS * refusalsPerS);
      known.atMs = nowMs;
      setNewest(this.#shares, address, known, maxCachedRoutes);
    }
    return known;
  }
}

/** A loop that is busy for more of the time than this has no idle moments to speak of. */
const BUSY = 0.98;

/** So many repeats to each new request are more than a bad network makes of them. */
const REPEATED = 0.2;
/** What is left of a count after each sample: half after half a second. */
const FORGET = 0.93;

function loopUtilisation(): () => number {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  };
}
