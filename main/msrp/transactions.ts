/**
 * Owns: requests that wait for their response, and new transaction ids.
 * Called by: session.ts. Calls: whoever sent the request, with the status.
 */
import { randomFillSync } from 'node:crypto';
import type { Clock, Timer } from '../base/clock.ts';

/** Learns how a request was answered. */
export interface MsrpResponseReceiver {
  /** `status` 408 when nobody answered in time (RFC 4975 §7.1.1). Called once for each request. */
  receiveStatus(status: number): void;
}

interface PendingRequest {
  /**
   * Undefined once it was told. A map that grows leaves its former table behind in old memory, and with it all that was
   * pending then: what is reached through the receiver must not outlive its answer there.
   */
  receiver: MsrpResponseReceiver | undefined;
  readonly deadlineUs: number;
}

const ID_CHARS = 16;
const pool = Buffer.allocUnsafeSlow((ID_CHARS / 2) * 512);
/** The pool in hexadecimal: an id is a piece of it. */
let poolText = '';
let poolUsed = 0;
const HYPHENS = Buffer.from('-------', 'latin1');

/** A new transaction id: 64 random bits (RFC 4975 §7.1). */
export function createTransactionId(): string {
  if (poolUsed >= poolText.length) {
    randomFillSync(pool);
    poolText = pool.toString('hex');
    poolUsed = 0;
  }
  poolUsed += ID_CHARS;
  return poolText.slice(poolUsed - ID_CHARS, poolUsed);
}

/** A transaction id whose end-line does not occur in `body` (RFC 4975 §7.1). */
export function createTransactionIdFor(body: Buffer, createId: () => string = createTransactionId): string {
  const first = createId();
  // Few bodies have seven hyphens, and they are found without a text to look for being made.
  const hyphens = body.indexOf(HYPHENS);
  if (hyphens < 0) return first;
  for (let id = first; ; id = createId()) {
    if (!body.includes(`-------${id}`, hyphens, 'latin1')) return id;
  }
}

/** The requests of one session that wait. They time out in the order in which they were added. */
export class MsrpTransactions implements Disposable {
  readonly #clock: Clock;
  readonly #responseMs: number;
  readonly #pending = new Map<string, PendingRequest>();
  #timer: Timer | undefined;

  constructor(clock: Clock, responseMs: number) {
    this.#clock = clock;
    this.#responseMs = responseMs;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** A request was sent. */
  add(transactionId: string, receiver: MsrpResponseReceiver): void {
    const deadlineUs = this.#clock.monotonicUs() + this.#responseMs * 1_000;
    this.#pending.set(transactionId, { receiver, deadlineUs });
    if (this.#timer?.active !== true) this.#startTimer(this.#responseMs);
  }

  /** A response came; returns whether a request was waiting for it. */
  receiveResponse(transactionId: string, status: number): boolean {
    const pending = this.#pending.get(transactionId);
    if (pending === undefined) return false;
    this.#pending.delete(transactionId);
    tell(pending, status);
    return true;
  }

  /** Nobody will answer any more: all are told `status`. */
  end(status: number): void {
    this.#timer?.[Symbol.dispose]();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const request of pending) tell(request, status);
  }

  /** Forgets everything; nobody is told. */
  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#pending.clear();
  }

  #startTimer(delayMs: number): void {
    this.#timer = this.#clock.startTimer(delayMs, () => this.#expire());
  }

  #expire(): void {
    const nowUs = this.#clock.monotonicUs();
    for (const [transactionId, pending] of this.#pending) {
      if (pending.deadlineUs > nowUs) {
        this.#startTimer(Math.ceil((pending.deadlineUs - nowUs) / 1_000));
        return;
      }
      this.#pending.delete(transactionId);
      tell(pending, 408);
    }
  }
}

function tell(pending: PendingRequest, status: number): void {
  const { receiver } = pending;
  pending.receiver = undefined;
  receiver?.receiveStatus(status);
}
