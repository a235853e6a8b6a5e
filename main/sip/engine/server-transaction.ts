/**
 * Owns: server transactions: INVITE (RFC 3261 §17.2.1 with RFC 6026) and all others (§17.2.2).
 * Called by: inbound core (sendResponse), transaction-table.ts (what arrives). Calls: transport.ts and its user.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import { SIP_LIMITS } from '../../base/limits.ts';
import type { InboundRequest } from './inbound-request.ts';
import type { SetMember, TransactionSet } from './transaction-set.ts';

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
export class ServerTransaction implements SetMember {
  readonly key: string;
  overAtMs = 0;
  /** Who answers an INVITE, for its CANCEL. */
  answeredBy: InboundRequest | undefined;
  readonly #isInvite: boolean;
  readonly #reliable: boolean;
  readonly #clock: Clock;
  readonly #send: (bytes: Buffer) => void;
  readonly #among: TransactionSet<ServerTransaction>;
  #state: ServerState;
  /** The last response, byte by byte: a buffer would keep the block alive that it was cut from. */
  #last: string | undefined;
  #intervalMs: number = SIP_LIMITS.t1Ms;
  /** Timer G. */
  #resendTimer: Timer | undefined;

  constructor({ method, reliable, clock, send, among, key }: ServerTransactionOptions) {
    this.#isInvite = method === 'INVITE';
    this.#reliable = reliable;
    this.#clock = clock;
    this.#send = send;
    this.#among = among;
    this.key = key;
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
      this.#send(bytes);
      return;
    }
    this.#last = this.#isInvite && status >= 200 && status < 300 ? undefined : bytes.toString('latin1');
    if (status < 200) {
      if (this.#state === 'trying') this.#become('proceeding');
      else if (this.#state !== 'proceeding')
        throw new Error(`server transaction: ${status} in ${this.#state}`);
      this.#send(bytes);
    } else if (!this.#isInvite) this.#completeOther(bytes);
    else if (status < 300) {
      this.#become('accepted');
      this.#send(bytes);
      this.#waitOut(SIP_LIMITS.transactionTimeoutMs);
    } else this.#completeInvite(bytes);
  }

  /**
   * The request again: the last response is repeated (RFC 3261 §17.2.1, §17.2.2), but not a 2xx to INVITE: that is
   * repeated by its own timer until the ACK (RFC 6026 §7.1).
   */
  receiveRepeat(): void {
    if (this.#state === 'confirmed' || this.#state === 'terminated' || this.#last === undefined) return;
    this.#send(Buffer.from(this.#last, 'latin1'));
  }

  /** An ACK with our branch. */
  receiveAck(): void {
    if (this.#state !== 'completed') return;
    this.#become('confirmed');
    this.#resendTimer?.[Symbol.dispose]();
    this.#resendTimer = undefined;
    this.#waitOut(this.#reliable ? 0 : SIP_LIMITS.t4Ms);
  }

  /** Ends the transaction without sending anything. */
  [Symbol.dispose](): void {
    if (this.#state !== 'terminated') this.#become('terminated');
  }

  #completeOther(bytes: Buffer): void {
    this.#become('completed');
    this.#send(bytes);
    this.#waitOut(this.#reliable ? 0 : SIP_LIMITS.transactionTimeoutMs);
  }

  #completeInvite(bytes: Buffer): void {
    this.#become('completed');
    this.#send(bytes);
    if (!this.#reliable) this.#armResend();
    this.#waitOut(SIP_LIMITS.transactionTimeoutMs);
  }

  #armResend(): void {
    this.#resendTimer = this.#clock.startTimer(this.#intervalMs, () => {
      this.receiveRepeat();
      this.#intervalMs = Math.min(this.#intervalMs * 2, SIP_LIMITS.t2Ms);
      this.#armResend();
    });
  }

  /** Timers H, I, J, L. */
  #waitOut(forMs: number): void {
    if (forMs === 0) this.#become('terminated');
    else this.#among.finish(this, forMs);
  }

  #become(state: ServerState): void {
    const table = this.#isInvite ? INVITE_TRANSITIONS : OTHER_TRANSITIONS;
    if (!table[this.#state].includes(state))
      throw new Error(`server transaction: ${this.#state} to ${state}`);
    this.#state = state;
    if (state !== 'terminated') return;
    this.#resendTimer?.[Symbol.dispose]();
    this.#among.remove(this);
  }
}
