/**
 * Owns: when a message that a relay has taken is with the other side: its success report says so (RFC 4975 §7.1.2).
 * Called by: chat-media.ts. Calls: msrp/session.ts.
 */
import type { Clock } from '../base/clock.ts';
import { MsrpSessionError } from '../msrp/session-error.ts';
import type { MsrpOutgoingMessage, MsrpSession, MsrpSessionReport } from '../msrp/session.ts';

interface Awaited {
  readonly report: PromiseWithResolvers<number>;
  /** Bytes that no report has named yet: some peers report once per message, some once per chunk. */
  missing: number;
}

/** The messages of one session that are under way beyond our relay. */
export class RelayedMessages implements Disposable {
  readonly #clock: Clock;
  readonly #reportMs: number;
  readonly #awaited = new Map<string, Awaited>();

  constructor(clock: Clock, reportMs: number) {
    this.#clock = clock;
    this.#reportMs = reportMs;
  }

  /**
   * Resolves with 200 when the other side has reported the whole message, or when nobody has said anything for long
   * enough: of a file, which is worth asking about, that is 408. Else with the status of the failure. Rejects with
   * MsrpSessionError when the session ends first.
   */
  async send(session: MsrpSession, message: MsrpOutgoingMessage): Promise<number> {
    const report = Promise.withResolvers<number>();
    report.promise.catch(() => undefined);
    const { body, messageId } = message;
    this.#awaited.set(messageId, { report, missing: 'size' in body ? body.size : body.length });
    try {
      const { status } = await session.sendMessage({ ...message, successReport: true });
      if (status !== 200) return status;
      using _silence = this.#clock.startTimer(this.#reportMs, () =>
        report.resolve('size' in body ? 408 : 200),
      );
      return await report.promise;
    } finally {
      this.#awaited.delete(messageId);
    }
  }

  receiveReport({ messageId, status, byteRange }: MsrpSessionReport): void {
    const awaited = this.#awaited.get(messageId);
    if (awaited === undefined) return;
    if (status !== 200) awaited.report.resolve(status);
    else {
      const { start, end } = byteRange ?? { start: 1, end: undefined };
      awaited.missing -= end === undefined ? awaited.missing : end - start + 1;
      if (awaited.missing <= 0) awaited.report.resolve(200);
    }
  }

  /** The session is over: what was not reported may not have arrived. */
  [Symbol.dispose](): void {
    const error = new MsrpSessionError('MSRP_SESSION_CLOSED', 'the session is closed');
    for (const { report } of this.#awaited.values()) report.reject(error);
    this.#awaited.clear();
  }
}
