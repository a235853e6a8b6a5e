/**
 * Owns: the reliable provisional responses to one INVITE: numbers, repeats, one at a time, their PRACK (RFC 3262 §3).
 * Called by: inbound-request.ts, inbound-in-dialog.ts (the PRACK). Calls: nothing beyond what it was given.
 */
import { randomInt } from 'node:crypto';
import type { Clock, Timer } from '../../base/clock.ts';
import { SIP_LIMITS } from '../../base/limits.ts';
import type { PrackReceiver } from './dialog.ts';

/** A response that may leave only when the one before it has its PRACK. */
export interface HeldResponse {
  send(): void;
  /** It will never be sent. */
  refuse(): void;
}

interface Unacknowledged {
  readonly rseq: number;
  /** The application asked for reliability: it gets the PRACK. */
  readonly wanted: boolean;
  readonly hasBody: boolean;
  readonly offers: boolean;
}

/** RFC 3262 §3: the first number is below 2^31. */
const MAX_FIRST_RSEQ = 2 ** 31 - 1;

/** The reliable responses of one INVITE. */
export class ReliableResponses implements PrackReceiver, Disposable {
  readonly #clock: Clock;
  readonly #cseq: number;
  readonly #send: (bytes: Buffer) => void;
  readonly #failed: () => void;
  #rseq = randomInt(1, MAX_FIRST_RSEQ);
  #unacknowledged: Unacknowledged | undefined;
  readonly #held: HeldResponse[] = [];
  #repeatTimer: Timer | undefined;
  #endTimer: Timer | undefined;

  /** `failed` is called when no PRACK comes within 64*T1. `cseq`: of the INVITE. */
  constructor(options: {
    readonly clock: Clock;
    readonly cseq: number;
    readonly send: (bytes: Buffer) => void;
    readonly failed: () => void;
  }) {
    this.#clock = options.clock;
    this.#cseq = options.cseq;
    this.#send = options.send;
    this.#failed = options.failed;
  }

  /** Does a response wait for its PRACK? Then no further reliable one may be sent. */
  get busy(): boolean {
    return this.#unacknowledged !== undefined;
  }

  /** A 2xx has to wait as well: the response that is not acknowledged has a session description (§3). */
  get holdsSuccess(): boolean {
    return this.#unacknowledged?.hasBody === true;
  }

  get offerPending(): boolean {
    return this.#unacknowledged?.offers === true;
  }

  /** The number of the response that is about to be sent. */
  get nextRseq(): number {
    return this.#rseq;
  }

  /** The response with {@link nextRseq} was sent: it is repeated from T1 on, doubling, until its PRACK. */
  begin(bytes: Buffer, facts: Omit<Unacknowledged, 'rseq'>): void {
    this.#unacknowledged = { rseq: this.#rseq, ...facts };
    this.#rseq += 1;
    let intervalMs: number = SIP_LIMITS.t1Ms;
    const repeat = (): void => {
      this.#send(bytes);
      intervalMs *= 2;
      this.#repeatTimer = this.#clock.startTimer(intervalMs, repeat);
    };
    this.#repeatTimer = this.#clock.startTimer(intervalMs, repeat);
    this.#endTimer = this.#clock.startTimer(SIP_LIMITS.transactionTimeoutMs, () => {
      this[Symbol.dispose]();
      this.#failed();
    });
  }

  /** Keeps a response until the one before it is acknowledged; `false` when too many wait. */
  hold(response: HeldResponse): boolean {
    if (this.#held.length >= SIP_LIMITS.maxQueuedProvisionals) return false;
    this.#held.push(response);
    return true;
  }

  receivePrack(rack: string): 'unknown' | 'wanted' | 'own' {
    const current = this.#unacknowledged;
    const [, rseq, cseq, method] = /^(\d{1,10})\s+(\d{1,10})\s+(\S+)$/.exec(rack.trim()) ?? [];
    if (current === undefined || method !== 'INVITE') return 'unknown';
    if (Number(rseq) !== current.rseq || Number(cseq) !== this.#cseq) return 'unknown';
    this.#unacknowledged = undefined;
    this.#stop();
    return current.wanted ? 'wanted' : 'own';
  }

  /** Sends what had to wait, until the next one that needs a PRACK. Behind the PRACK's own frame. */
  release(): void {
    while (!this.busy) {
      const next = this.#held.shift();
      if (next === undefined) return;
      next.send();
    }
  }

  /** A final response was sent: nothing is repeated, what waits is refused; a PRACK may still come (§3). */
  finish(): void {
    this.#stop();
    for (const response of this.#held.splice(0)) response.refuse();
  }

  [Symbol.dispose](): void {
    this.#stop();
  }

  #stop(): void {
    this.#repeatTimer?.[Symbol.dispose]();
    this.#endTimer?.[Symbol.dispose]();
  }
}
