/**
 * Owns: one 2xx of ours to an INVITE: repeated until its ACK comes, hung up when none does (RFC 3261 §13.3.1.4).
 * Called by: inbound-request.ts (made), inbound-requests.ts (the ACK). Calls: dialog-requests.ts.
 */
import type { Timer } from '../../base/clock.ts';
import { SIP_LIMITS } from '../../base/limits.ts';
import { formatReason } from '../reason.ts';
import type { EngineContext } from './context.ts';
import type { Dialog, HeldBye, UnacknowledgedInvite } from './dialog.ts';
import { sendOwnBye } from './dialog-requests.ts';
import { newTransactionId } from './ids.ts';

export interface AcceptedInviteOptions {
  readonly context: EngineContext;
  readonly dialog: Dialog;
  readonly cseq: number;
  /** The 2xx, and how to send it. */
  readonly bytes: Buffer;
  readonly send: (bytes: Buffer) => void;
  /** The id under which the first ACK is shown; `undefined` for a re-INVITE. */
  readonly transactionId: string | undefined;
  /** The 2xx carries the offer. */
  readonly offers: boolean;
}

/** A 2xx that waits for its ACK, and afterwards for the ACK to come again; 64*T1 in all. */
export class AcceptedInvite implements UnacknowledgedInvite {
  readonly cseq: number;
  readonly #context: EngineContext;
  readonly #dialog: Dialog;
  #transactionId: string | undefined;
  #offerPending: boolean;
  #repeatTimer: Timer | undefined;
  readonly #endTimer: Timer;
  #acked = false;
  readonly #isInitial: boolean;
  #held: HeldBye | undefined;

  constructor(options: AcceptedInviteOptions) {
    const { context, dialog, bytes, send } = options;
    this.cseq = options.cseq;
    this.#context = context;
    this.#dialog = dialog;
    this.#transactionId = options.transactionId;
    this.#isInitial = options.transactionId !== undefined;
    this.#offerPending = options.offers;
    // At T1, doubling to T2, over any transport: the ACK is not part of a transaction.
    let intervalMs: number = SIP_LIMITS.t1Ms;
    const repeat = (): void => {
      send(bytes);
      intervalMs = Math.min(intervalMs * 2, SIP_LIMITS.t2Ms);
      this.#repeatTimer = context.clock.startTimer(intervalMs, repeat);
    };
    this.#repeatTimer = context.clock.startTimer(intervalMs, repeat);
    this.#endTimer = context.clock.startTimer(SIP_LIMITS.transactionTimeoutMs, () => this.#end());
    dialog.addAccepted(this);
  }

  get offerPending(): boolean {
    return this.#offerPending;
  }

  receiveAck(): string {
    this.#acked = true;
    this.#offerPending = false;
    this.#repeatTimer?.[Symbol.dispose]();
    this.#repeatTimer = undefined;
    const id = this.#transactionId ?? newTransactionId();
    this.#transactionId = undefined;
    return id;
  }

  holdBye(bye: HeldBye): boolean {
    if (!this.#isInitial || this.#acked || this.#held !== undefined) return false;
    this.#held = bye;
    return true;
  }

  releaseBye(): void {
    this.#takeHeld()?.send();
  }

  /** It is not repeated any more and expects no ACK. */
  [Symbol.dispose](): void {
    this.#repeatTimer?.[Symbol.dispose]();
    this.#endTimer[Symbol.dispose]();
    this.#takeHeld()?.refuse();
  }

  #takeHeld(): HeldBye | undefined {
    const held = this.#held;
    this.#held = undefined;
    return held;
  }

  #end(): void {
    const held = this.#takeHeld();
    this[Symbol.dispose]();
    this.#dialog.removeAccepted(this);
    this.#dialog.reliable = undefined;
    if (held !== undefined) held.send();
    else if (!this.#acked)
      sendOwnBye(this.#context, this.#dialog, { reasons: [formatReason(200, 'ACK timeout')] });
  }
}
