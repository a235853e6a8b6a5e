/**
 * Owns: how a visit was answered, and the one who waits for that. Called by: session.ts. Calls: the clock.
 */
import type { Clock } from '../base/clock.ts';
import { MsrpSessionError } from './session-error.ts';

/** How a visit was answered. With anything but 200 the connection is kept: `revisit` after the ACK. */
export type MsrpVisitOutcome =
  | { readonly kind: 'answered'; readonly status: number }
  | { readonly kind: 'unanswered'; readonly status: 0 };

/** Waits until a session is bound or its visit answered. */
export class AwaitedVisit {
  readonly #clock: Clock;
  #waiting: PromiseWithResolvers<MsrpVisitOutcome> | undefined;
  #refused: MsrpSessionError | undefined;
  /** Counts the visits: the late answer to an earlier one says nothing about the next. */
  round = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  resolve(outcome: MsrpVisitOutcome): void {
    this.#waiting?.resolve(outcome);
  }

  reject(error: MsrpSessionError): void {
    this.#waiting?.reject(error);
  }

  /** As `reject`; when nobody waits yet, whoever waits next learns it. */
  refuse(error: MsrpSessionError): void {
    if (this.#waiting === undefined) this.#refused = error;
    else this.#waiting.reject(error);
  }

  /** After `waitMs` the outcome is what `otherwise` says, or throws. */
  async wait(
    waitMs: number,
    signal: AbortSignal | undefined,
    otherwise: () => MsrpVisitOutcome,
  ): Promise<MsrpVisitOutcome> {
    const refused = this.#refused;
    this.#refused = undefined;
    if (refused !== undefined) throw refused;
    const waiting = Promise.withResolvers<MsrpVisitOutcome>();
    const abort = () => waiting.reject(new MsrpSessionError('MSRP_ABORTED', 'waiting was given up'));
    if (signal?.aborted === true) abort();
    this.#waiting = waiting;
    this.round++;
    using _timer = this.#clock.startTimer(waitMs, () => {
      try {
        waiting.resolve(otherwise());
      } catch (error) {
        waiting.reject(error);
      }
    });
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return await waiting.promise;
    } finally {
      signal?.removeEventListener('abort', abort);
      if (this.#waiting === waiting) this.#waiting = undefined;
    }
  }
}
