/**
 * Owns: messages for the absent whose time is over: their senders are told, then they are deleted. Called by: imserver.ts.
 * Calls: kept-file-reports.ts, the store.
 */
import { systemClock, type Clock, type Timer } from '../base/clock.ts';
import { IMSERVER_LIMITS, type ImServerLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { ImServerStore } from './imserver-store.ts';
import { buildExpiryReport, type KeptReport } from './kept-file-reports.ts';

export interface ExpiredMessagesOptions {
  readonly store: ImServerStore;
  readonly domain: string;
  readonly log: Log;
  /** A report of one user to another, as if his program had sent it. Never rejects. */
  readonly sendReport: (report: KeptReport) => Promise<void>;
  readonly limits?: ImServerLimits;
  readonly clock?: Clock;
}

const BATCH = 50;

/** Looks for them from time to time, first when it is made. */
export class ExpiredMessages implements Disposable {
  readonly #options: ExpiredMessagesOptions;
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: ExpiredMessagesOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#sweep();
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#timer?.[Symbol.dispose]();
  }

  #sweep(): void {
    const { log, limits = IMSERVER_LIMITS } = this.#options;
    this.#expire()
      .catch((error: unknown) => {
        log.error('deferred.sweep-failed', { error });
      })
      .finally(() => {
        if (this.#closed) return;
        this.#timer = this.#clock.startTimer(limits.deferredSweepMs, () => {
          this.#sweep();
        });
      });
  }

  /** Deleted after the report: a crash in between tells a sender twice, and never not at all. */
  async #expire(): Promise<void> {
    const { store, domain, sendReport, log } = this.#options;
    // One node alone.
    await using claim = await store.claimQueue('expired messages');
    while (claim?.isHeld() === true && !this.#closed) {
      const nowMs = this.#clock.now();
      const expired = await store.call('selectExpired', { limit: BATCH, nowMs });
      for (const { id, sender, recipient, contentType, body } of expired) {
        const message = { sender, recipient, contentType, body: Buffer.from(body) };
        // Whoever is of another domain hears it from nobody: his server has our word that it is kept.
        const report = sender.includes('@') ? undefined : buildExpiryReport(message, { domain, nowMs });
        if (report !== undefined) await sendReport(report);
        await store.call('deleteDeferred', { id });
      }
      if (expired.length > 0) log.info('deferred.expired', { count: expired.length });
      if (expired.length < BATCH) return;
    }
  }
}
