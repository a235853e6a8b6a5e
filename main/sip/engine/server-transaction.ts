/**
 * Owns: server transactions: INVITE (RFC 3261 §17.2.1 with RFC 6026) and all others (§17.2.2).
 * Called by: inbound core (sendResponse), transaction-table.ts (what arrives). Calls: transport.ts and its user.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import { SIP_LIMITS } from '../../base/limits.ts';
import type { TransactionSet } from './transaction-set.ts';

export type ServerState = 'trying' | 'proceeding' | 'accepted' | 'completed' | 'confirmed' | 'terminated';

const INVITE_TRANSITIONS: Readonly<Record<ServerState, readonly ServerState[]>> = {
  trying: [],
  proceeding: ['accepted', 'completed', 'terminated'],
  accepted: ['terminated'],
  completed: ['confirmed', 'terminated'],
  confirmed: ['terminated'],
  terminated: [],
};

const OTHER_TRANSITIONS: Readonly<Record<ServerState, readonly ServerState[]>> = {
  trying: ['proceeding', 'completed', 'terminated'],
  proceeding: ['completed', 'terminated'],
  accepted: [],
  completed: ['terminated'],
  confirmed: [],
  terminated: [],
};

export interface ServerTransactionOptions {
  readonly method: string;
  /** Over a transport that does not lose messages nothing is repeated. */
  readonly reliable: boolean;
  readonly clock: Clock;
  /** Sends bytes to where the responses of this request go (RFC 3261 §18.2.2). */
  readonly send: (bytes: Buffer) => void;
  /** Among which transactions it stands, and where. */
  readonly among: TransactionSet<ServerTransaction>;
  readonly key: string;
}

/** One request that arrived. It holds no more than its last response: many of them wait out their 32 s. */
export class ServerTransaction implements Disposable {
  readonly #isInvite: boolean;
  readonly #reliable: boolean;
  readonly #options: ServerTransactionOptions;
  #state: ServerState;
  /** The last response, byte by byte: a buffer would keep the block alive that it was cut from. */
  #last: string | undefined;
  #intervalMs: number = SIP_LIMITS.t1Ms;
  /** Timer G. */
  #resendTimer: Timer | undefined;
  /** Timers H, I, J, L. */
  #stateTimer: Timer | undefined;

  constructor(options: ServerTransactionOptions) {
    this.#options = options;
    this.#isInvite = options.method === 'INVITE';
    this.#reliable = options.reliable;
    this.#state = this.#isInvite ? 'proceeding' : 'trying';
  }

  get state(): ServerState {
    return this.#state;
  }

  /** May a (further) response be sent? */
  get answerable(): boolean {
    return this.#state === 'trying' || this.#state === 'proceeding';
  }

  /** Sends a response. Only while {@link answerable}, and a 2xx to INVITE again while Accepted (RFC 6026 §7.1). */
  sendResponse(status: number, bytes: Buffer): void {
    if (this.#state === 'accepted' && status >= 200 && status < 300) {
      this.#options.send(bytes);
      return;
    }
    this.#last = bytes.toString('latin1');
    if (status < 200) {
      if (this.#state === 'trying') this.#become('proceeding');
      else if (this.#state !== 'proceeding')
        throw new Error(`server transaction: ${status} in ${this.#state}`);
      this.#options.send(bytes);
    } else if (!this.#isInvite) this.#completeOther(bytes);
    else if (status < 300) {
      this.#become('accepted');
      this.#options.send(bytes);
      this.#arm(SIP_LIMITS.transactionTimeoutMs);
    } else this.#completeInvite(bytes);
  }

  /** The request again: the last response is repeated (RFC 3261 §17.2.1, §17.2.2). */
  receiveRepeat(): void {
    if (this.#state === 'confirmed' || this.#state === 'terminated' || this.#last === undefined) return;
    this.#options.send(Buffer.from(this.#last, 'latin1'));
  }

  /** An ACK with our branch. */
  receiveAck(): void {
    if (this.#state !== 'completed') return;
    this.#become('confirmed');
    this.#resendTimer?.[Symbol.dispose]();
    this.#arm(this.#reliable ? 0 : SIP_LIMITS.t4Ms);
  }

  /** Ends the transaction without sending anything. */
  [Symbol.dispose](): void {
    if (this.#state !== 'terminated') this.#become('terminated');
  }

  #completeOther(bytes: Buffer): void {
    this.#become('completed');
    this.#options.send(bytes);
    this.#arm(this.#reliable ? 0 : SIP_LIMITS.transactionTimeoutMs);
  }

  #completeInvite(bytes: Buffer): void {
    this.#become('completed');
    this.#options.send(bytes);
    if (!this.#reliable) this.#armResend();
    this.#arm(SIP_LIMITS.transactionTimeoutMs);
  }

  #armResend(): void {
    this.#resendTimer = this.#options.clock.startTimer(this.#intervalMs, () => {
      this.receiveRepeat();
      this.#intervalMs = Math.min(this.#intervalMs * 2, SIP_LIMITS.t2Ms);
      this.#armResend();
    });
  }

  #arm(delayMs: number): void {
    this.#stateTimer?.[Symbol.dispose]();
    if (delayMs === 0) this.#become('terminated');
    else this.#stateTimer = this.#options.clock.startTimer(delayMs, () => this.#become('terminated'));
  }

  #become(state: ServerState): void {
    const table = this.#isInvite ? INVITE_TRANSITIONS : OTHER_TRANSITIONS;
    if (!table[this.#state].includes(state))
      throw new Error(`server transaction: ${this.#state} to ${state}`);
    this.#state = state;
    if (state === 'accepted' || state === 'completed') this.#options.among.finish(this.#options.key);
    if (state !== 'terminated') return;
    this.#resendTimer?.[Symbol.dispose]();
    this.#stateTimer?.[Symbol.dispose]();
    this.#options.among.remove(this.#options.key);
  }
}
